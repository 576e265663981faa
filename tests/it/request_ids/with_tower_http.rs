//! tower-http's `RequestId`, its generators, and its layers outside and inside ours.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::Router;
use futures_util::future::join_all;
use http::{HeaderValue, Method, Request, Response, Version};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_http::{
    request_id::{self, MakeRequestId, MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    trace::TraceLayer,
};
use tower_request_context::{RequestContext, RequestIdPolicy, Store};
use tracing::Span;

use super::{app, consistent_id, ids, is_new, report_ids, send};
use crate::support::{client, in_time, request, serve, text};

/// A generator whose clones share their counter, as `SetRequestIdLayer` needs it.
#[derive(Clone, Default)]
struct SharedCounter(Arc<AtomicU64>);

impl MakeRequestId for SharedCounter {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<request_id::RequestId> {
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        Some(HeaderValue::from(number).into())
    }
}

/// A generator whose clones do not share their counter.
#[derive(Clone)]
struct UnsharedCounter(u64);

impl MakeRequestId for UnsharedCounter {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<request_id::RequestId> {
        self.0 += 1;
        Some(HeaderValue::from(self.0).into())
    }
}

/// A generator that returns this id.
#[derive(Clone)]
struct Fixed(Option<HeaderValue>);

impl MakeRequestId for Fixed {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<request_id::RequestId> {
        self.0.clone().map(request_id::RequestId::new)
    }
}

/// A generator that records the request that it sees.
#[derive(Clone, Default)]
struct Recording(Arc<Mutex<String>>);

impl MakeRequestId for Recording {
    fn make_request_id<B>(&mut self, request: &Request<B>) -> Option<request_id::RequestId> {
        let (head, extension) = (request.headers(), request.extensions().get::<u8>());
        *self.0.lock().unwrap() =
            format!("{} {} {:?} {head:?} {extension:?}", request.method(), request.uri(), request.version());
        Some(HeaderValue::from_static("seen").into())
    }
}

/// Returns the id that a policy creates for an empty request.
fn generated(policy: &RequestIdPolicy) -> String {
    policy.apply(&mut Store::new(), &mut Request::new(()).into_parts().0).to_string()
}

#[tokio::test]
async fn spans_find_the_id_in_the_extensions() {
    let spans = Arc::new(Mutex::new(Vec::new()));
    let generated = Arc::clone(&spans);
    let trace = TraceLayer::new_for_http().make_span_with(move |request: &axum::extract::Request| {
        let id = request.extensions().get::<request_id::RequestId>().unwrap();
        generated.lock().unwrap().push(id.header_value().clone());
        Span::none()
    });
    let stack = ServiceBuilder::new().layer(ids(RequestIdPolicy::new())).layer(trace);
    let app = Router::new().fallback(report_ids).layer(stack);
    let response = send(app, Version::HTTP_11, "x-request-id", &[b"forged"]).await;
    assert_eq!(*spans.lock().unwrap(), [consistent_id(&response).as_str()]);
}

#[tokio::test]
async fn inner_tower_http_layers_keep_the_id() {
    let tower_http = ServiceBuilder::new()
        .layer(SetRequestIdLayer::x_request_id(SharedCounter::default()))
        .layer(PropagateRequestIdLayer::x_request_id());
    for policy in [RequestIdPolicy::new(), RequestIdPolicy::new().accept_inbound()] {
        let app = Router::new().fallback(report_ids).layer(tower_http.clone()).layer(ids(policy));
        let response = send(app, Version::HTTP_11, "x-request-id", &[b"two words"]).await;
        assert!(is_new(consistent_id(&response).as_str()));
    }
}

#[tokio::test]
async fn outer_tower_http_id_is_used_only_with_accept_inbound() {
    let around = |policy| {
        let tower_http = ServiceBuilder::new()
            .layer(SetRequestIdLayer::x_request_id(SharedCounter::default()))
            .layer(PropagateRequestIdLayer::x_request_id());
        Router::new().fallback(report_ids).layer(ids(policy)).layer(tower_http)
    };
    let response = send(around(RequestIdPolicy::new().accept_inbound()), Version::HTTP_11, "x-request-id", &[]).await;
    assert_eq!(consistent_id(&response).as_str(), "1");
    let response = send(around(RequestIdPolicy::new()), Version::HTTP_11, "x-request-id", &[]).await;
    assert!(is_new(consistent_id(&response).as_str()));
}

#[tokio::test]
async fn echo_if_absent_matches_the_tower_http_layer() {
    let upstream = || Router::new().fallback(async || [("x-request-id", "of-the-upstream")]);
    let tower_http = ServiceBuilder::new()
        .layer(SetRequestIdLayer::x_request_id(SharedCounter::default()))
        .layer(PropagateRequestIdLayer::x_request_id());
    let keeping = RequestIdPolicy::new().echo_if_absent();
    for app in [upstream().layer(tower_http), upstream().layer(ids(keeping))] {
        let response = send(app, Version::HTTP_11, "x-request-id", &[]).await;
        assert_eq!(response.headers()["x-request-id"], "of-the-upstream");
    }
}

#[tokio::test]
async fn clones_of_a_service_share_the_generator() {
    let address = serve(app(RequestIdPolicy::new().generate_with_tower_http_07(SharedCounter::default()))).await;
    let clients = [client(Version::HTTP_11), client(Version::HTTP_2)];
    let ask = async |number: usize| {
        let response = clients[number % 2].request(request(address, "/", None)).await.unwrap();
        consistent_id(&response).as_str().parse::<usize>().unwrap()
    };
    let mut given = in_time(join_all((0..20).map(ask))).await;
    given.sort_unstable();
    assert_eq!(given, (1..=20).collect::<Vec<_>>());
}

#[test]
fn clones_of_a_policy_share_a_shared_counter() {
    let shared = RequestIdPolicy::new().generate_with_tower_http_07(SharedCounter::default());
    assert_eq!([generated(&shared), generated(&shared.clone()), generated(&shared)], ["1", "2", "3"]);
    let unshared = RequestIdPolicy::new().generate_with_tower_http_07(UnsharedCounter(0));
    assert_eq!([generated(&unshared), generated(&unshared.clone()), generated(&unshared)], ["1", "1", "1"]);
}

#[test]
fn tower_http_uuid_generator_creates_ids() {
    let uuid = RequestIdPolicy::new().generate_with_tower_http_07(MakeRequestUuid);
    assert!(is_new(&generated(&uuid)));
    assert_ne!(generated(&uuid), generated(&uuid));
}

#[test]
fn missing_and_invalid_generated_ids_are_replaced() {
    let wrong = ["two words", "", "${jndi:ldap://evil}", &"a".repeat(129)].map(HeaderValue::from_str);
    let wrong = wrong.into_iter().map(|line| Some(line.unwrap()));
    for line in wrong.chain([None, Some(HeaderValue::from_bytes(b"caf\xe9").unwrap())]) {
        let id = generated(&RequestIdPolicy::new().generate_with_tower_http_07(Fixed(line.clone())));
        assert!(is_new(&id), "{id} for {line:?}");
    }
    let right = Fixed(Some(HeaderValue::from_static("right")));
    assert_eq!(generated(&RequestIdPolicy::new().generate_with_tower_http_07(right)), "right");
}

#[tokio::test]
async fn generator_and_service_see_the_rest_of_the_request() {
    let recording = Recording::default();
    let inner = service_fn(async |request: Request<String>| {
        assert_eq!((request.method(), request.version()), (&Method::PUT, Version::HTTP_2));
        assert_eq!(request.uri(), "/cats?page=2");
        assert_eq!(request.extensions().get(), Some(&7_u8));
        let cookies: Vec<_> = request.headers().get_all("cookie").iter().collect();
        assert_eq!(cookies, ["one", "two"]);
        assert_eq!(
            (request.headers().len(), &request.headers()["x-request-id"]),
            (3, &HeaderValue::from_static("seen"))
        );
        assert_eq!(RequestContext::id().unwrap().as_str(), "seen");
        Ok::<_, Infallible>(Response::new(request.into_body()))
    });
    let policy = RequestIdPolicy::new().generate_with_tower_http_07(recording.clone());
    let service = ServiceBuilder::new().layer(ids(policy)).service(inner);
    let request = Request::put("/cats?page=2").version(Version::HTTP_2).extension(7_u8);
    let request = request.header("cookie", "one").header("x-request-id", "forged").header("cookie", "two");
    let response = service.oneshot(request.body(String::from("a cat")).unwrap()).await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "seen");
    assert_eq!(text(response).await, "a cat");
    assert_eq!(*recording.0.lock().unwrap(), r#"PUT /cats?page=2 HTTP/2.0 {"cookie": "one", "cookie": "two"} Some(7)"#);
}
