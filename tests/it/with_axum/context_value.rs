//! Values and the context itself as arguments of handlers and middleware.

use std::{convert::Infallible, future::ready, sync::Arc};

use axum::{
    Router,
    body::Body,
    error_handling::HandleErrorLayer,
    extract::{FromRequestParts, Path, Request, State},
    http::HeaderValue,
    middleware::{Next, from_extractor, from_fn, from_fn_with_state},
    response::Response,
    routing::get,
};
use futures_util::{FutureExt, future::join_all};
use http::{HeaderMap, HeaderName, StatusCode, request::Parts};
use tokio::sync::{Barrier, mpsc::unbounded_channel};
use tower::{BoxError, Layer, ServiceBuilder, ServiceExt, buffer::BufferLayer, service_fn};
use tower_request_context::{ContextError, ContextValue, RequestContext, RequestContextLayer, Store};

use super::Site;
use crate::support::{User, VERSIONS, in_time, layer, text};

/// A value that a handler sets through its `RequestContext` argument.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Mark(u32);

type OptionalUser = Option<ContextValue<User>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overlapping_requests_extract_their_own_arguments() {
    for version in VERSIONS {
        let site = Site::open(cats().layer(layer()), version).await;
        assert_own_arguments(&site).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bare_task_extracts_from_the_context_in_the_extensions() {
    for version in VERSIONS {
        let site = Site::open(cats().layer(from_fn(on_another_task)).layer(layer().insert_extension()), version).await;
        assert_own_arguments(&site).await;
    }
}

#[tokio::test]
async fn bare_task_without_an_extension_extracts_nothing() {
    let optional = async |user: OptionalUser, context: Option<RequestContext>| {
        format!("{:?} {:?}", user.map(|user| user.0), context.is_some())
    };
    let app = Router::new()
        .route("/optional", get(optional))
        .route("/value", get(async |_: ContextValue<User>| "called"))
        .route("/context", get(async |_: RequestContext| "called"))
        .layer(from_fn(on_another_task))
        .layer(layer());
    for version in VERSIONS {
        let site = Site::open(app.clone(), version).await;
        assert_eq!(site.text("/optional", Some(User(1))).await, "None false", "{version:?}");
        for path in ["/value", "/context"] {
            let response = site.get(path, Some(User(1))).await;
            assert_eq!(response, (StatusCode::INTERNAL_SERVER_ERROR, String::new()), "{path} {version:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn service_below_a_buffer_extracts_its_requests_value() {
    async fn handler(all: State<Arc<Barrier>>, headers: HeaderMap, user: ContextValue<User>) -> String {
        all.wait().await;
        format!("call: {}, handler: user {}", headers[IN_CALL].to_str().unwrap(), user.0.0)
    }

    let stack = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(async |error: BoxError| (StatusCode::BAD_GATEWAY, error.to_string())))
        .layer(layer().insert_extension())
        .layer(BufferLayer::new(4))
        .map_request(stamp_in_call);
    let users = 1..=32;
    let app = Router::new().route("/", get(handler)).with_state(Arc::new(Barrier::new(32))).layer(stack);
    for version in VERSIONS {
        let site = &Site::open(app.clone(), version).await;
        let responses = join_all(users.clone().map(async |id| (id, site.text("/", Some(User(id))).await)));
        for (id, response) in in_time(responses).await {
            assert_eq!(response, format!("call: no context, user {id}, handler: user {id}"), "{version:?}");
        }
    }
}

#[tokio::test]
async fn current_context_takes_precedence_over_the_extension() {
    async fn within(context: State<RequestContext>, request: Request, next: Next) -> Response {
        context.scope(next.run(request)).await
    }

    let handler = async |user: OptionalUser, context: RequestContext| {
        format!("{:?} {:?}", user.map(|user| user.0), context.get::<User>())
    };
    for version in VERSIONS {
        for (store, seen) in [(Store::new().with_value(User(2)), "Some(User(2))"), (Store::new(), "None")] {
            let within = from_fn_with_state(RequestContext::new(store), within);
            let app = Router::new().route("/", get(handler)).layer(within).layer(layer().insert_extension());
            let site = Site::open(app, version).await;
            assert_eq!(site.text("/", Some(User(1))).await, format!("{seen} {seen}"), "{version:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn middleware_and_handlers_of_nested_routers_extract_values() {
    async fn stamp(ContextValue(user): ContextValue<User>, request: Request, next: Next) -> Response {
        let mut response = next.run(request).await;
        response.headers_mut().insert("x-stamp", user.0.into());
        response
    }

    let users = 1..=32;
    for version in VERSIONS {
        let all = Arc::new(Barrier::new(32));
        let handler = async move |ContextValue(user): ContextValue<User>| {
            all.wait().await;
            user.0.to_string()
        };
        let inner = Router::new().route("/cats", get(handler)).layer(from_fn(stamp));
        let site = &Site::open(Router::new().nest("/api", inner).layer(layer()), version).await;
        let responses = users.clone().map(async |id| {
            let response = site.send("/api/cats", Some(User(id))).await;
            (id, response.headers()["x-stamp"].clone(), in_time(text(response)).await)
        });
        for (id, stamp, body) in in_time(join_all(responses)).await {
            assert_eq!((stamp, body), (HeaderValue::from(id), id.to_string()), "{version:?}");
        }
        assert_eq!(site.get("/api/cats", None).await, (StatusCode::INTERNAL_SERVER_ERROR, String::new()));
    }
}

#[tokio::test]
async fn from_extractor_rejects_requests_without_the_value() {
    let app = Router::new()
        .route("/", get(async || User::name()))
        .layer(from_extractor::<ContextValue<User>>())
        .layer(layer());
    for version in VERSIONS {
        let site = Site::open(app.clone(), version).await;
        assert_eq!(site.get("/", Some(User(1))).await, (StatusCode::OK, "user 1".into()), "{version:?}");
        let rejected = (StatusCode::INTERNAL_SERVER_ERROR, String::new());
        assert_eq!(site.get("/", None).await, rejected, "{version:?}");
    }
}

#[tokio::test]
async fn inner_layers_values_are_extracted() {
    let handler = async |user: OptionalUser| format!("{:?}", user.map(|user| user.0));
    let app = Router::new()
        .route("/current", get(handler))
        .route("/extension", get(handler).layer(from_fn(on_another_task)))
        .layer(RequestContextLayer::default())
        .layer(layer().insert_extension());
    for version in VERSIONS {
        let site = Site::open(app.clone(), version).await;
        for path in ["/current", "/extension"] {
            assert_eq!(site.text(path, Some(User(1))).await, "None", "{path} {version:?}");
        }
    }
}

#[tokio::test]
async fn a_context_that_has_ended_is_extracted_only_if_it_is_current() {
    let (sender, mut requests) = unbounded_channel();
    let service = layer().insert_extension().layer(service_fn(move |request: Request| {
        sender.send((request.into_parts().0, RequestContext::current().unwrap())).unwrap();
        ready(Ok::<_, Infallible>(Response::new(Body::empty())))
    }));
    let request = Request::builder().header(User::HEADER, 1).body(Body::empty()).unwrap();
    let response = service.oneshot(request).await.unwrap();
    let (mut parts, context) = requests.recv().await.unwrap();

    assert_eq!(extract(&mut parts).await, (Ok(User(1)), Some(User(1)), true, true), "the body is not sent yet");
    drop(response);
    assert!(context.is_ended());
    assert_eq!(extract(&mut parts).await, (Err(ContextError::NoContext), None, false, false));
    assert_eq!(context.scope(extract(&mut parts)).await, (Ok(User(1)), Some(User(1)), true, true));
}

/// What each extractor extracts, and whether those of the context extract one.
async fn extract(parts: &mut Parts) -> (Result<User, ContextError>, Option<User>, bool, bool) {
    let value = ContextValue::from_request_parts(parts, &()).await;
    let optional = OptionalUser::from_request_parts(parts, &()).await.unwrap();
    let context = RequestContext::from_request_parts(parts, &()).await;
    let optional_context = Option::<RequestContext>::from_request_parts(parts, &()).await.unwrap();
    (value.map(|value| value.0), optional.map(|value| value.0), context.is_ok(), optional_context.is_some())
}

#[test]
fn context_value_derefs_and_debug_shows_only_the_type() {
    #[derive(Clone)]
    struct Secret(String);

    let mut value = ContextValue(Secret(String::from("hunter2")));
    value.0.0.push('!');
    assert_eq!(value.0.0, "hunter2!");
    let name = std::any::type_name::<Secret>();
    assert_eq!([format!("{value:?}"), format!("{value:#?}")], [(); 2].map(|()| format!("ContextValue<{name}>")));

    let mut number = ContextValue(7_u8);
    *number += 1;
    assert_eq!((number.count_ones(), format!("{number:?}")), (1, String::from("ContextValue<u8>")));
}

/// Creates an application whose handler sets its mark, waits for 32 requests, and responds with its arguments.
fn cats() -> Router {
    async fn handler(
        Path(n): Path<u32>,
        State(all): State<Arc<Barrier>>,
        user: OptionalUser,
        context: RequestContext,
        optional: Option<RequestContext>,
    ) -> String {
        context.set(Mark(n));
        all.wait().await;
        let optional = optional.expect("both arguments are the same context").get::<Mark>();
        format!("{:?} {:?} {optional:?}", user.map(|user| user.0), context.get::<User>())
    }

    Router::new().route("/{n}", get(handler)).with_state(Arc::new(Barrier::new(32)))
}

/// Sends 32 overlapping requests, every fourth of them anonymous, and checks the arguments of each.
async fn assert_own_arguments(site: &Site) {
    let responses = join_all((0..32).map(async |n| {
        let user = (n % 4 > 0).then_some(User(n));
        assert_eq!(site.text(&format!("/{n}"), user).await, format!("{user:?} {user:?} {:?}", Some(Mark(n))));
    }));
    assert_eq!(in_time(responses).await.len(), 32);
}

/// Runs the rest of the request on another task, as applications do to finish it even if the client disconnects.
async fn on_another_task(request: Request, next: Next) -> Response {
    tokio::spawn(next.run(request)).await.unwrap()
}

const IN_CALL: HeaderName = HeaderName::from_static("x-in-call");

/// Adds a header with what `call` sees, before any future is polled.
fn stamp_in_call(request: Request) -> Request {
    let (mut head, body) = request.into_parts();
    let current = if RequestContext::is_active() { "a context" } else { "no context" };
    let user = ContextValue::<User>::from_request_parts(&mut head, &()).now_or_never().unwrap().unwrap();
    head.headers.insert(IN_CALL, format!("{current}, user {}", user.0.0).parse().unwrap());
    Request::from_parts(head, body)
}
