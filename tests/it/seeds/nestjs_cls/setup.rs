//! nestjs-cls's `setup`: the request that it sees, composition, async look-ups, and errors.

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, Method, StatusCode, Version, header::HOST, request::Parts};
use tokio::task::yield_now;
use tower_http::catch_panic::CatchPanicLayer;
use tower_request_context::{RequestContext, RequestContextLayer, RequestId, RequestIdPolicy, Store};

use super::{Name, UserId};
use crate::support::{self, User, client, serve, text};

// N02, N35
#[tokio::test]
async fn setup_and_id_generator_see_the_request() {
    #[derive(Clone)]
    struct Target(String);

    fn generate_id(request: &Parts) -> RequestId {
        let correlated = request.headers.get("x-correlation-id").and_then(|id| id.try_into().ok());
        correlated.unwrap_or_else(RequestId::new_v4)
    }

    let ids = RequestIdPolicy::new().generate(generate_id);
    let handler = async || format!("{}: {}", RequestContext::id().unwrap(), RequestContext::expect::<Target>().0);
    let app =
        Router::new().route("/cats/{name}", get(handler)).layer(RequestContextLayer::new(move |store, request| {
            ids.apply(store, request);
            store.insert(Target(format!("{} {}", request.method, request.uri.path())));
        }));
    let mut request = support::request(serve(app).await, "/cats/tom", None);
    request.headers_mut().insert("x-correlation-id", 4711.into());
    assert_eq!(text(client(Version::HTTP_11).request(request).await.unwrap()).await, "4711: GET /cats/tom");
}

// N84
#[tokio::test]
async fn values_of_composed_setups_are_visible_in_the_handler() {
    fn user(store: &mut Store, request: &mut Parts) {
        store.insert(UserId(User::of(request).map_or(0, |User(id)| id.into())));
    }

    fn locale(store: &mut Store, _: &mut Parts) {
        store.insert(Name("de-CH"));
    }

    /// A plugin that reads another plugin's values.
    fn greeting(store: &mut Store, _: &mut Parts) {
        let (UserId(user), Name(locale)) = (store.get().unwrap(), store.get().unwrap());
        store.insert(format!("{user} in {locale}"));
    }

    let app = Router::new().fallback(|| async {
        assert_eq!((RequestContext::get(), RequestContext::get()), (Some(UserId(7)), Some(Name("de-CH"))));
        RequestContext::expect::<String>()
    });
    let app = app.layer(RequestContextLayer::new(|store, request| {
        for plugin in [user, locale, greeting] {
            plugin(store, request);
        }
    }));
    assert_eq!(ask(app).await, (StatusCode::OK, "7 in de-CH".into()));
}

// N61
#[tokio::test]
async fn async_look_up_is_awaited_before_the_handler_runs() {
    #[derive(Clone)]
    struct Tenant(String);

    async fn look_up(host: &str) -> Tenant {
        yield_now().await;
        Tenant(format!("the tenant at {}", host.split(':').next().unwrap()))
    }

    async fn tenant(headers: HeaderMap, request: Request, next: Next) -> Result<Response, StatusCode> {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).ok_or(StatusCode::BAD_REQUEST)?;
        RequestContext::set(look_up(host).await)?;
        Ok(next.run(request).await)
    }

    let app = Router::new().fallback(|| async { RequestContext::expect::<Tenant>().0 });
    let app = app.layer(from_fn(tenant)).layer(RequestContextLayer::default());
    assert_eq!(ask(app).await, (StatusCode::OK, "the tenant at 127.0.0.1".into()));
}

// N90
#[tokio::test]
async fn request_parts_are_available_only_if_setup_stored_them() {
    let handler = || async {
        RequestContext::with(|head: &Parts| {
            assert_eq!((&head.method, head.uri.path()), (&Method::GET, "/"));
            head.headers[User::HEADER].to_str().unwrap().to_owned()
        })
        .unwrap_or_else(|| format!("{:?}", RequestContext::current().unwrap()))
    };
    let storing = RequestContextLayer::new(|store, request| {
        store.insert(request.clone());
    });
    let app = Router::new().fallback(handler);
    assert_eq!(ask(app.clone().layer(storing)).await, (StatusCode::OK, "7".into()));
    let nothing = String::from("RequestContext { values: {} }");
    assert_eq!(ask(app.layer(RequestContextLayer::default())).await, (StatusCode::OK, nothing));
}

// Setup errors, sync and async
#[tokio::test]
async fn setup_error_becomes_the_response() {
    async fn failing(_: Request, _: Next) -> Result<Response, StatusCode> {
        yield_now().await;
        Err(StatusCode::SERVICE_UNAVAILABLE)
    }

    let never = Router::new().fallback(async || -> StatusCode { panic!("the handler was called") });
    #[expect(clippy::result_large_err, reason = "a rejection is a whole response")]
    let rejecting = never.clone().layer(RequestContextLayer::new(|_, request| {
        Err((StatusCode::UNAUTHORIZED, format!("{} is not for you", request.uri.path())).into_response())
    }));
    assert_eq!(ask(rejecting).await, (StatusCode::UNAUTHORIZED, "/ is not for you".into()));

    let failing = never.layer(from_fn(failing)).layer(RequestContextLayer::default());
    assert_eq!(ask(failing).await.0, StatusCode::SERVICE_UNAVAILABLE);
}

// A panic in the setup
#[tokio::test]
async fn panic_in_the_setup_does_not_affect_the_next_request() {
    let app = Router::new().fallback(async || User::name()).layer(RequestContextLayer::new(|store, request| {
        store.insert(User(1));
        store.insert(User::of(request).expect("each request has a user header"));
    }));
    let caught = app.clone().layer(CatchPanicLayer::new());
    let client = client(Version::HTTP_11);

    let address = serve(app).await;
    assert!(client.request(support::request(address, "/", None)).await.is_err());
    let response = client.request(support::request(address, "/", Some(User(7)))).await.unwrap();
    assert_eq!(text(response).await, "user 7");

    let address = serve(caught).await;
    let response = client.request(support::request(address, "/", None)).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let response = client.request(support::request(address, "/", Some(User(7)))).await.unwrap();
    assert_eq!(text(response).await, "user 7");
}

/// Sends a request of user 7.
async fn ask(app: Router) -> (StatusCode, String) {
    let request = support::request(serve(app).await, "/", Some(User(7)));
    let response = client(Version::HTTP_11).request(request).await.expect("the server responds");
    (response.status(), text(response).await)
}
