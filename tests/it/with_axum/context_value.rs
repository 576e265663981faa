//! Values of the context, and the context, as arguments of handlers and middleware.

use std::sync::Arc;

use axum::{
    Router,
    error_handling::HandleErrorLayer,
    extract::{FromRequestParts, Path, Request, State},
    http::HeaderValue,
    middleware::{Next, from_extractor, from_fn, from_fn_with_state},
    response::Response,
    routing::get,
};
use futures_util::{FutureExt, future::join_all};
use http::{HeaderMap, HeaderName, StatusCode};
use tokio::sync::Barrier;
use tower::{BoxError, ServiceBuilder, buffer::BufferLayer};
use tower_request_context::{ContextValue, RequestContext, RequestContextLayer, Store};

use super::Site;
use crate::support::{User, VERSIONS, in_time, layer, text};

/// What a handler sets through the context that it was given.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Mark(u32);

type OptionalUser = Option<ContextValue<User>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arguments_are_of_the_request_though_all_others_are_being_answered() {
    for version in VERSIONS {
        let site = Site::open(cats().layer(layer()), version).await;
        assert_own_arguments(&site).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_task_without_a_context_arguments_are_of_the_one_in_the_extensions() {
    for version in VERSIONS {
        let site = Site::open(cats().layer(from_fn(elsewhere)).layer(layer().insert_extension()), version).await;
        assert_own_arguments(&site).await;
    }
}

#[tokio::test]
async fn on_a_task_without_a_context_and_without_an_extension_there_are_none() {
    let optional = async |user: OptionalUser, context: Option<RequestContext>| {
        format!("{:?} {:?}", user.map(|user| user.0), context.is_some())
    };
    let app = Router::new()
        .route("/optional", get(optional))
        .route("/value", get(async |_: ContextValue<User>| "called"))
        .route("/context", get(async |_: RequestContext| "called"))
        .layer(from_fn(elsewhere))
        .layer(layer());
    for version in VERSIONS {
        let site = Site::open(app.clone(), version).await;
        assert_eq!(site.text("/optional", Some(User(1))).await, "None false", "{version:?}");
        for path in ["/value", "/context"] {
            let answer = site.get(path, Some(User(1))).await;
            assert_eq!(answer, (StatusCode::INTERNAL_SERVER_ERROR, String::new()), "{path} {version:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_buffer_calls_on_its_own_task_extracts_the_value_of_its_request() {
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
        let answers = join_all(users.clone().map(async |id| (id, site.text("/", Some(User(id))).await)));
        for (id, answer) in in_time(answers).await {
            assert_eq!(answer, format!("call: no context, user {id}, handler: user {id}"), "{version:?}");
        }
    }
}

#[tokio::test]
async fn the_current_context_is_asked_first_and_the_extensions_do_not_fill_its_gaps() {
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
async fn middleware_and_handlers_of_a_nested_router_extract_alike() {
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
        let answers = users.clone().map(async |id| {
            let response = site.send("/api/cats", Some(User(id))).await;
            (id, response.headers()["x-stamp"].clone(), in_time(text(response)).await)
        });
        for (id, stamp, body) in in_time(join_all(answers)).await {
            assert_eq!((stamp, body), (HeaderValue::from(id), id.to_string()), "{version:?}");
        }
        assert_eq!(site.get("/api/cats", None).await, (StatusCode::INTERNAL_SERVER_ERROR, String::new()));
    }
}

#[tokio::test]
async fn as_a_layer_an_extractor_lets_only_requests_with_its_value_pass() {
    let app = Router::new()
        .route("/", get(async || User::name()))
        .layer(from_extractor::<ContextValue<User>>())
        .layer(layer());
    for version in VERSIONS {
        let site = Site::open(app.clone(), version).await;
        assert_eq!(site.get("/", Some(User(1))).await, (StatusCode::OK, "user 1".into()), "{version:?}");
        let refused = (StatusCode::INTERNAL_SERVER_ERROR, String::new());
        assert_eq!(site.get("/", None).await, refused, "{version:?}");
    }
}

#[tokio::test]
async fn an_inner_layer_s_values_are_extracted_and_not_the_outer_one_s() {
    let handler = async |user: OptionalUser| format!("{:?}", user.map(|user| user.0));
    let app = Router::new()
        .route("/current", get(handler))
        .route("/extension", get(handler).layer(from_fn(elsewhere)))
        .layer(RequestContextLayer::default())
        .layer(layer().insert_extension());
    for version in VERSIONS {
        let site = Site::open(app.clone(), version).await;
        for path in ["/current", "/extension"] {
            assert_eq!(site.text(path, Some(User(1))).await, "None", "{path} {version:?}");
        }
    }
}

#[test]
fn what_was_extracted_is_used_like_the_value_and_its_debug_text_shows_none_of_it() {
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

/// Answers, once the handlers of 32 requests have been given their arguments and have set their marks, with what it sees.
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
        let optional = optional.expect("as the other one").get::<Mark>();
        format!("{:?} {:?} {optional:?}", user.map(|user| user.0), context.get::<User>())
    }

    Router::new().route("/{n}", get(handler)).with_state(Arc::new(Barrier::new(32)))
}

/// Has 32 requests answered at once, every fourth of them as nobody.
async fn assert_own_arguments(site: &Site) {
    let answers = join_all((0..32).map(async |n| {
        let user = (n % 4 > 0).then_some(User(n));
        assert_eq!(site.text(&format!("/{n}"), user).await, format!("{user:?} {user:?} {:?}", Some(Mark(n))));
    }));
    assert_eq!(in_time(answers).await.len(), 32);
}

/// Runs the rest on a task of its own, as one does to finish it though the client leaves.
async fn elsewhere(request: Request, next: Next) -> Response {
    tokio::spawn(next.run(request)).await.unwrap()
}

const IN_CALL: HeaderName = HeaderName::from_static("x-in-call");

/// Leaves on the request what is seen in `call`, before any future is polled.
fn stamp_in_call(request: Request) -> Request {
    let (mut head, body) = request.into_parts();
    let current = if RequestContext::is_active() { "a context" } else { "no context" };
    let user = ContextValue::<User>::from_request_parts(&mut head, &()).now_or_never().unwrap().unwrap();
    head.headers.insert(IN_CALL, format!("{current}, user {}", user.0.0).parse().unwrap());
    Request::from_parts(head, body)
}
