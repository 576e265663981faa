//! nestjs-cls's `getId`: one id in all code of a request, and a different one in each request.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Body,
    extract::{FromRequestParts, Request, State},
    middleware::{Next, from_fn, map_response},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::{StreamExt, future::join_all, join, stream::FuturesUnordered};
use http::{HeaderName, HeaderValue, StatusCode, Version, request::Parts};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use tokio::{sync::Barrier, task::yield_now};
use tower_request_context::{Nesting, RequestContext, RequestId, RequestIdPolicy};

use crate::{
    request_ids::{id, ids},
    support::{client, in_time, request, serve, text},
};

/// The places where code of any request ran, in order, each with the id that was current there.
static LOG: Mutex<Vec<(Option<RequestId>, &'static str)>> = Mutex::new(Vec::new());

const OK: [&str; 7] =
    ["outer middleware", "inner middleware", "extractor", "handler", "service", "response mapping", "outer middleware"];
const ERROR: [&str; 8] = [
    "outer middleware",
    "inner middleware",
    "extractor",
    "handler",
    "service",
    "error mapping",
    "response mapping",
    "outer middleware",
];

fn log(place: &'static str) {
    LOG.lock().unwrap_or_else(PoisonError::into_inner).push((RequestContext::id(), place));
}

fn places_of(id: &RequestId) -> Vec<&'static str> {
    let log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    log.iter().filter(|(seen, _)| seen.as_ref() == Some(id)).map(|(_, place)| *place).collect()
}

/// A service that waits until as many requests use it as the test sends.
#[derive(Clone)]
struct CatsService(Arc<Barrier>);

impl CatsService {
    async fn find(&self) -> Result<String, NoSuchCat> {
        self.0.wait().await;
        log("service");
        Ok(id())
    }

    async fn find_none(&self) -> Result<String, NoSuchCat> {
        self.find().await?;
        Err(NoSuchCat)
    }
}

struct NoSuchCat;

impl IntoResponse for NoSuchCat {
    fn into_response(self) -> Response {
        log("error mapping");
        (StatusCode::NOT_FOUND, id()).into_response()
    }
}

struct Caller;

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = StatusCode;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        yield_now().await;
        log("extractor");
        Ok(Self)
    }
}

/// Creates an application that responds with the id in the service or the error mapping. A header holds the id in the
/// response mapping.
fn app(at_once: usize) -> Router {
    Router::new()
        .route("/", get(find))
        .route("/cats", get(find))
        .route("/error", get(find_none))
        .with_state(CatsService(Arc::new(Barrier::new(at_once))))
        .layer(from_fn(inner))
        .layer(map_response(stamp))
        .layer(from_fn(outer))
        .layer(ids(RequestIdPolicy::new()))
}

async fn find(_: Caller, State(cats): State<CatsService>) -> Result<String, NoSuchCat> {
    log("handler");
    cats.find().await
}

async fn find_none(_: Caller, State(cats): State<CatsService>) -> Result<String, NoSuchCat> {
    log("handler");
    cats.find_none().await
}

async fn inner(request: Request, next: Next) -> Response {
    log("inner middleware");
    next.run(request).await
}

async fn outer(request: Request, next: Next) -> Response {
    log("outer middleware");
    let response = next.run(request).await;
    log("outer middleware");
    response
}

async fn stamp(mut response: Response) -> Response {
    log("response mapping");
    response
        .headers_mut()
        .insert("x-mapped", HeaderValue::try_from(id()).expect("ids and `none` are valid header values"));
    response
}

// N08, N50
#[tokio::test]
async fn one_id_is_current_in_all_code_of_a_request() {
    let address = serve(app(1)).await;
    let client = client(Version::HTTP_11);
    let ok = check(&client, address, "/cats").await;
    let error = check(&client, address, "/error").await;
    assert_ne!(ok, error);
}

// N51
#[tokio::test]
async fn one_id_is_current_under_a_prefix_and_on_the_root_path() {
    let address = serve(app(1).nest("/api/v1", app(1))).await;
    let client = client(Version::HTTP_11);
    for path in ["/", "/error", "/api/v1", "/api/v1/cats", "/api/v1/error"] {
        check(&client, address, path).await;
    }
}

// N57
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_requests_have_one_id_each() {
    let address = serve(app(10)).await;
    let client = client(Version::HTTP_11);
    let paths = ["/", "/cats", "/error", "/cats", "/error", "/", "/error", "/error", "/cats", "/error"];
    let ids = in_time(join_all(paths.map(|path| check(&client, address, path)))).await;
    assert_eq!(HashSet::<RequestId>::from_iter(ids).len(), 10);
}

// N60
#[tokio::test]
async fn first_of_several_nested_layers_provides_the_id() {
    // Each layer has its own header, so that it cannot find the id of another layer on the request.
    let mount = |name: &'static str| {
        let named = RequestIdPolicy::new().header(HeaderName::from_static(name));
        ids(named.generate(move |_| name.parse().expect("the name is a valid id"))).nesting(Nesting::Reuse)
    };
    let cats = Router::new().route("/cats", get(async || id()).route_layer(mount("third"))).layer(mount("second"));
    let between = map_response(async |response: Response| ([("x-between", id())], response));
    let app = Router::new().nest("/api", cats).layer(between).layer(mount("first"));
    let response = client(Version::HTTP_11).request(request(serve(app).await, "/api/cats", None)).await.unwrap();
    assert_eq!(["first", "x-between"].map(|name| &response.headers()[name]), ["first"; 2]);
    assert!(!response.headers().contains_key("second") && !response.headers().contains_key("third"));
    assert_eq!(text(response).await, "first");
}

// N72
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sub_tasks_of_a_request_see_its_id() {
    let barrier = Arc::new(Barrier::new(10));
    let app = Router::new().fallback(async move || {
        barrier.wait().await;
        let sub_task = async || {
            yield_now().await;
            id()
        };
        let (one, two) = join!(sub_task(), sub_task());
        let mut seen = vec![id(), one, two];
        seen.extend((0..5).map(|_| sub_task()).collect::<FuturesUnordered<_>>().collect::<Vec<_>>().await);
        seen.extend(join_all((0..5).map(|_| RequestContext::spawn(sub_task()))).await.into_iter().map(Result::unwrap));
        seen.join(" ")
    });
    let address = serve(app.layer(ids(RequestIdPolicy::new()))).await;
    let client = client(Version::HTTP_11);
    let ask = async |_| text(client.request(request(address, "/", None)).await.unwrap()).await;
    let ids = in_time(join_all((0..10).map(ask))).await.into_iter().map(|response| {
        let seen: Vec<_> = response.split(' ').collect();
        assert_eq!(seen, [seen[0]; 13]);
        seen[0].parse::<RequestId>().unwrap()
    });
    assert_eq!(ids.collect::<HashSet<_>>().len(), 10);
}

/// Sends a request and returns its id, after comparing the ids in body, headers and log.
async fn check(client: &Client<HttpConnector, Body>, address: SocketAddr, path: &str) -> RequestId {
    let response = client.request(request(address, path, None)).await.expect("the server responds");
    let (status, places): (_, &[_]) =
        if path.ends_with("/error") { (StatusCode::NOT_FOUND, &ERROR) } else { (StatusCode::OK, &OK) };
    assert_eq!(response.status(), status);
    let in_headers = ["x-mapped", "x-request-id"].map(|name| response.headers()[name].clone());
    let id: RequestId = text(response).await.parse().expect("the body is an id");
    assert_eq!(in_headers, [id.as_str(); 2]);
    assert_eq!(places_of(&id), places);
    id
}
