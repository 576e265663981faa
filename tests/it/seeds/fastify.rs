//! @fastify/request-context: values that one part of a request sets and another reads, and default values.
// F15: keys cannot be mistyped and values cannot have the wrong type, because the type is the key.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::future::join;
use http::{HeaderValue, Method, StatusCode, Version, header::CONTENT_TYPE, request::Parts};
use hyper::body::Incoming;
use tokio::sync::Barrier;
use tower_request_context::{ContextError, RequestContext, RequestContextLayer, Store, WeakRequestContext};

use crate::support::{User, client, in_time, layer, request, serve, text};

/// The value under fastify's `user` key.
#[derive(Clone, Debug, PartialEq)]
struct CurrentUser(String);

/// A value with nested data.
#[derive(Clone, Debug, PartialEq)]
struct Settings {
    theme: &'static str,
    tags: Vec<String>,
}

impl Settings {
    fn new(theme: &'static str) -> Self {
        Self { theme, tags: vec!["cats".into()] }
    }
}

// F01, F04
#[tokio::test]
async fn overlapping_requests_read_their_own_values() {
    let both_wrote = Arc::new(Barrier::new(2));
    let app = Router::new().fallback(async move |request: Request| {
        RequestContext::set(CurrentUser(request.uri().path().into())).unwrap();
        both_wrote.wait().await;
        RequestContext::expect::<CurrentUser>().0
    });
    let address = serve(app.layer(RequestContextLayer::default())).await;
    let responses = in_time(join(get_text(address, "/one"), get_text(address, "/two"))).await;
    assert_eq!(responses, ("/one".into(), "/two".into()));
}

// F02, F06
#[tokio::test]
async fn json_body_and_response_serialization_have_the_context() {
    struct JsonResponse;

    impl IntoResponse for JsonResponse {
        fn into_response(self) -> Response {
            let CurrentUser(name) = RequestContext::expect();
            Json([User::name(), name]).into_response()
        }
    }

    let both_wrote = Arc::new(Barrier::new(2));
    let app = Router::new().fallback(async move |Json([name]): Json<[String; 1]>| {
        RequestContext::set(CurrentUser(name)).unwrap();
        both_wrote.wait().await;
        JsonResponse
    });
    let address = serve(app.layer(layer())).await;
    let post = async |user, name: &str| {
        let mut request = request(address, "/", Some(User(user))).map(|_| format!("[\"{name}\"]").into());
        *request.method_mut() = Method::POST;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        text(client(Version::HTTP_11).request(request).await.unwrap()).await
    };
    let (one, two) = in_time(join(post(1, "ann"), post(2, "bob"))).await;
    assert_eq!((one.as_str(), two.as_str()), (r#"["user 1","ann"]"#, r#"["user 2","bob"]"#));
}

// F03, F05
#[tokio::test]
async fn inner_middleware_sets_values_and_outer_does_not() {
    async fn authenticate(request: Request, next: Next) -> Response {
        let outcome = RequestContext::set(CurrentUser("ann".into()));
        let mut response = next.run(request).await;
        let outcome = if outcome == Err(ContextError::NoContext) { "no context" } else { "set" };
        response.headers_mut().insert("x-outcome", HeaderValue::from_static(outcome));
        response
    }

    let app = Router::new().fallback(async || RequestContext::get().map_or("nobody".into(), |CurrentUser(name)| name));
    let (layer, hook) = (RequestContextLayer::default(), from_fn(authenticate));
    for (app, outcome, name) in [
        (app.clone().layer(hook.clone()).layer(layer), "set", "ann"),
        (app.layer(layer).layer(hook), "no context", "nobody"),
    ] {
        let response = ask(serve(app).await, "/").await;
        assert_eq!(response.headers()["x-outcome"], outcome);
        assert_eq!(text(response).await, name);
    }
}

// F07, F08, F09
#[tokio::test]
async fn nested_changes_to_a_value_stay_in_their_request() {
    let app = Router::new().fallback(async || {
        let before = RequestContext::current().unwrap().get_or_insert_with(|| Settings::new("none"));
        let changed = RequestContext::update(|settings: &mut Settings| {
            settings.theme = "changed";
            settings.tags[0].push_str(", changed");
            settings.clone()
        });
        assert_eq!(changed.unwrap(), Settings { theme: "changed", tags: vec!["cats, changed".into()] });
        format!("{}, {:?}", before.theme, before.tags)
    });
    let defaults = Settings::new("constant");
    let constant = RequestContextLayer::new(move |store, _| {
        store.insert(defaults.clone());
    });
    let function = RequestContextLayer::new(|store, _| {
        store.insert(Settings::new("function"));
    });
    for (app, theme) in [
        (app.clone().layer(RequestContextLayer::default()), "none"),
        (app.clone().layer(constant), "constant"),
        (app.layer(function), "function"),
    ] {
        let address = serve(app).await;
        for _ in 0..3 {
            assert_eq!(get_text(address, "/").await, format!("{theme}, [\"cats\"]"));
        }
    }
}

// F10
#[tokio::test]
async fn defaults_function_sees_the_request() {
    let app = Router::new().fallback(async || RequestContext::expect::<CurrentUser>().0);
    let address = serve(app.layer(RequestContextLayer::new(|store, request| {
        store.insert(CurrentUser(format!("{:?} at {}", User::of(request), request.uri)));
    })));
    assert_eq!(get_text(address.await, "/cats?page=2").await, "Some(User(7)) at /cats?page=2");
}

// F11
#[test]
fn get_outside_a_request_returns_none() {
    assert_eq!(RequestContext::get::<CurrentUser>(), None);
    assert!(RequestContext::current().is_none());
}

// F12
#[tokio::test]
async fn empty_response_carries_a_value_in_a_header() {
    let app = Router::new().fallback(async || (StatusCode::NO_CONTENT, [("x-served-for", User::name())]));
    let response = ask(serve(app.layer(layer())).await, "/").await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(response.headers()["x-served-for"], "user 7");
    assert_eq!(text(response).await, "");
}

// F14
#[tokio::test]
async fn whole_store_is_accessible() {
    let app = Router::new().fallback(async || {
        let store = RequestContext::current().unwrap();
        store.set(CurrentUser("ann".into()));
        assert_eq!((store.get(), store.get()), (Some(User(7)), RequestContext::get::<CurrentUser>()));
        format!("{store:?}")
    });
    let types = get_text(serve(app.layer(layer())).await, "/").await;
    assert_eq!(types, "RequestContext { values: {it::seeds::fastify::CurrentUser, it::support::User} }");
}

// README: `system` becomes `helloUser` through `requestContext`, `app.requestContext` and `req.requestContext`.
#[tokio::test]
async fn overwritten_default_is_visible_through_all_accessors() {
    fn defaults(store: &mut Store, _: &mut Parts) {
        store.insert(CurrentUser("system".into()));
    }

    async fn pre_handler(request: Request, next: Next) -> Result<Response, StatusCode> {
        assert_eq!(accessors(&request), ["system"; 3]);
        RequestContext::set(CurrentUser("helloUser".into()))?;
        Ok(next.run(request).await)
    }

    fn accessors(request: &Request) -> [String; 3] {
        let of_request = request.extensions().get().and_then(WeakRequestContext::upgrade).unwrap();
        let of_app = RequestContext::current().unwrap();
        [RequestContext::get(), of_app.get(), of_request.get()].map(|user| user.map(|CurrentUser(name)| name).unwrap())
    }

    let app = Router::new().route("/", get(async |request: Request| accessors(&request).join(" ")));
    let app = app.layer(from_fn(pre_handler)).layer(RequestContextLayer::new(defaults).insert_extension());
    let address = serve(app).await;
    for _ in 0..2 {
        assert_eq!(get_text(address, "/").await, "helloUser helloUser helloUser");
    }
}

async fn ask(address: SocketAddr, path: &str) -> http::Response<Incoming> {
    client(Version::HTTP_11).request(request(address, path, Some(User(7)))).await.expect("the server responds")
}

async fn get_text(address: SocketAddr, path: &str) -> String {
    text(ask(address, path).await).await
}
