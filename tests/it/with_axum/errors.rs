//! Errors of the context as responses: no details for clients, the whole message for logs.

use std::any::type_name;

use axum::{
    Router,
    extract::{FromRequestParts, State},
    middleware::map_response_with_state,
    response::Response,
    routing::get,
};
use http::{
    StatusCode,
    header::{CONTENT_LENGTH, DATE},
    request::Parts,
};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tower_request_context::{CallbackError, ContextError, ContextValue, RequestContext, Store};

use super::Site;
use crate::support::{User, VERSIONS, in_time, layer, text};

/// A type of which no setup inserts a value.
#[derive(Clone)]
struct Secret;

#[tokio::test]
async fn errors_are_a_500_without_a_body() {
    for version in VERSIONS {
        for (app, paths) in [(routes(), PATHS), (routes().layer(layer()), PATHS)] {
            let site = Site::open(app, version).await;
            for path in paths {
                let response = site.send(path, Some(User(7))).await;
                assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "{path} {version:?}");
                let mut names: Vec<_> = response.headers().keys().cloned().collect();
                names.sort_by_key(ToString::to_string);
                assert_eq!(names, [CONTENT_LENGTH, DATE], "{path} {version:?}");
                assert_eq!(in_time(text(response)).await, "", "{path} {version:?}");
            }
        }
    }
}

#[tokio::test]
async fn question_mark_passes_values_through() {
    async fn value() -> Result<String, ContextError> {
        let User(id) = RequestContext::try_get()?;
        RequestContext::update(|User(id)| *id += 1)?;
        Ok(id.to_string())
    }
    async fn callback() -> Result<&'static str, CallbackError> {
        RequestContext::on_response(|head| head.status = StatusCode::IM_A_TEAPOT)?;
        RequestContext::on_end(|_| ())?;
        Ok("registered")
    }

    let app = Router::new().route("/value", get(value)).route("/callback", get(callback)).layer(layer());
    for version in VERSIONS {
        let site = Site::open(app.clone(), version).await;
        assert_eq!(site.get("/value", Some(User(7))).await, (StatusCode::OK, "7".into()), "{version:?}");
        let response = site.get("/callback", None).await;
        assert_eq!(response, (StatusCode::IM_A_TEAPOT, "registered".into()), "{version:?}");
    }
}

#[tokio::test]
async fn response_extensions_hold_the_error() {
    async fn log(State(log): State<UnboundedSender<String>>, response: Response) -> Response {
        let context = response.extensions().get().map(ContextError::to_string);
        let callback = response.extensions().get().map(CallbackError::to_string);
        log.send(context.or(callback).unwrap_or_default()).unwrap();
        response
    }

    for version in VERSIONS {
        let (sender, mut logged) = unbounded_channel();
        let app = routes().layer(map_response_with_state(sender, log)).layer(layer());
        let site = Site::open(app, version).await;
        for (path, expected) in [
            ("/value", missing()),
            ("/question-mark", missing()),
            ("/callback", CallbackError::NoLifecycle.to_string()),
            // A bare status carries no error.
            ("/question-mark-to-status", String::new()),
        ] {
            assert_eq!(site.get(path, None).await, (StatusCode::INTERNAL_SERVER_ERROR, String::new()), "{version:?}");
            assert_eq!(in_time(logged.recv()).await.unwrap(), expected, "{path} {version:?}");
        }
    }
}

#[tokio::test]
async fn result_argument_receives_the_error() {
    let handler = async |value: Result<ContextValue<Secret>, ContextError>, context: Result<RequestContext, _>| {
        let context: Result<_, ContextError> = context;
        format!("{}; {:?}", value.unwrap_err(), context.map(|context| context.get::<User>()))
    };
    let route = Router::new().route("/", get(handler));
    for version in VERSIONS {
        let bare = Site::open(route.clone(), version).await;
        let no_context = format!("{}; Err(NoContext)", ContextError::NoContext);
        assert_eq!(bare.get("/", Some(User(7))).await, (StatusCode::OK, no_context), "{version:?}");
        let layered = Site::open(route.clone().layer(layer()), version).await;
        let missing = format!("{}; Ok(Some(User(7)))", missing());
        assert_eq!(layered.get("/", Some(User(7))).await, (StatusCode::OK, missing), "{version:?}");
    }
}

#[tokio::test]
async fn custom_extractor_can_log_and_replace_the_rejection() {
    type Log = UnboundedSender<String>;

    struct Required<T>(T);

    impl<T: Clone + Send + Sync + 'static> FromRequestParts<Log> for Required<T> {
        type Rejection = StatusCode;

        async fn from_request_parts(head: &mut Parts, log: &Log) -> Result<Self, StatusCode> {
            match ContextValue::from_request_parts(head, log).await {
                Ok(ContextValue(value)) => Ok(Self(value)),
                Err(error) => {
                    log.send(error.to_string()).unwrap();
                    Err(StatusCode::UNAUTHORIZED)
                }
            }
        }
    }

    for version in VERSIONS {
        let (sender, mut logged) = unbounded_channel();
        let handler = async |Required(User(id)): Required<User>| id.to_string();
        let app = Router::new()
            .route("/", get(handler))
            .route("/secret", get(async |_: Required<Secret>| "called"))
            .with_state(sender)
            .layer(layer());
        let site = Site::open(app, version).await;
        assert_eq!(site.get("/", Some(User(7))).await, (StatusCode::OK, "7".into()), "{version:?}");
        assert_eq!(site.get("/secret", Some(User(7))).await, (StatusCode::UNAUTHORIZED, String::new()), "{version:?}");
        assert_eq!(in_time(logged.recv()).await.unwrap(), missing(), "{version:?}");
    }
}

const PATHS: [&str; 5] = ["/value", "/question-mark", "/question-mark-to-status", "/callback", "/callback-to-status"];

/// One route for each error, with or without a context.
fn routes() -> Router {
    async fn question_mark() -> Result<(), ContextError> {
        RequestContext::try_get::<Secret>()?;
        Ok(())
    }
    async fn question_mark_to_status() -> Result<(), StatusCode> {
        RequestContext::try_get::<Secret>()?;
        Ok(())
    }
    async fn callback() -> Result<(), CallbackError> {
        on_end_without_lifecycle()?;
        Ok(())
    }
    async fn callback_to_status() -> Result<(), StatusCode> {
        on_end_without_lifecycle()?;
        Ok(())
    }

    Router::new()
        .route("/value", get(async |_: ContextValue<Secret>| "called"))
        .route("/question-mark", get(question_mark))
        .route("/question-mark-to-status", get(question_mark_to_status))
        .route("/callback", get(callback))
        .route("/callback-to-status", get(callback_to_status))
}

/// Registers a callback in a context that never ends.
fn on_end_without_lifecycle() -> Result<(), CallbackError> {
    RequestContext::new(Store::new()).sync_scope(|| RequestContext::on_end(|_| ()))
}

fn missing() -> String {
    let text = RequestContext::new(Store::new()).try_get::<Secret>().map(drop).unwrap_err().to_string();
    assert!(text.contains(type_name::<Secret>()), "{text}");
    text
}
