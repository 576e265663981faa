//! Logging: each error that becomes a response is logged, and no other.

use std::any::type_name;

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_extractor, from_fn},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    StatusCode,
    header::{CONTENT_LENGTH, DATE},
};
use tower_request_context::{CallbackError, ContextError, ContextValue, RequestContext, Store};
use tracing::Level;

use super::Site;
use crate::{
    capture::{Line, Log},
    support::{User, VERSIONS, cargo, in_time, layer, text},
};

/// A type of which no setup inserts a value.
#[derive(Clone)]
struct Absent;

#[tokio::test]
async fn error_responses_are_logged_once() {
    let log = Log::capture();
    for version in VERSIONS {
        let bare = Site::open(routes(), version).await;
        for path in CONTEXT_ERRORS.iter().chain(&["/context"]) {
            assert_logged(&bare, path, ContextError::NoContext, &log).await;
        }
        let layered = Site::open(routes().layer(layer()), version).await;
        for path in CONTEXT_ERRORS {
            assert_logged(&layered, path, missing(), &log).await;
        }
        for path in CALLBACK_ERRORS {
            assert_logged(&bare, path, CallbackError::NoLifecycle, &log).await;
            assert_logged(&layered, path, CallbackError::NoLifecycle, &log).await;
        }
    }
}

#[tokio::test]
async fn error_outside_the_layer_is_logged_with_its_cause() {
    async fn authenticate(request: Request, next: Next) -> Result<Response, ContextError> {
        RequestContext::set(User(7))?;
        Ok(next.run(request).await)
    }

    let log = Log::capture();
    let routes = Router::new().route("/", get(async || User::name()));
    for version in VERSIONS {
        let outside = Site::open(routes.clone().layer(layer()).layer(from_fn(authenticate)), version).await;
        assert_logged(&outside, "/", ContextError::NoContext, &log).await;
        let extracted = routes.clone().layer(layer()).layer(from_extractor::<RequestContext>());
        assert_logged(&Site::open(extracted, version).await, "/", ContextError::NoContext, &log).await;

        let inside = Site::open(routes.clone().layer(from_fn(authenticate)).layer(layer()), version).await;
        assert_eq!(inside.get("/", None).await, (StatusCode::OK, "user 7".into()), "{version:?}");
        assert_eq!(log.so_far(), [], "{version:?}");
    }
}

#[tokio::test]
async fn errors_given_to_the_handler_are_not_logged() {
    async fn handler(
        value: Option<ContextValue<Absent>>,
        value_or_error: Result<ContextValue<Absent>, ContextError>,
        context: Option<RequestContext>,
        context_or_error: Result<RequestContext, ContextError>,
    ) -> String {
        assert!(RequestContext::try_get::<Absent>().is_err() && on_end_without_lifecycle().is_err());
        format!("{} {}", value.is_some() || value_or_error.is_ok(), context.is_some() && context_or_error.is_ok())
    }

    let log = Log::capture();
    let routes = Router::new().route("/", get(handler));
    for version in VERSIONS {
        for (app, has_context) in [(routes.clone(), false), (routes.clone().layer(layer()), true)] {
            let site = Site::open(app, version).await;
            assert_eq!(site.text("/", None).await, format!("false {has_context}"), "{version:?}");
            assert_eq!(log.so_far(), [], "{version:?}");
        }
    }
}

#[test]
fn conversion_into_a_status_logs_every_error() {
    let log = Log::capture();
    for error in [ContextError::NoContext, missing()] {
        assert_eq!(StatusCode::from(error), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(log.so_far(), [line(&error)]);
        assert_eq!(error.into_response().status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(log.so_far(), [line(&error)]);
    }
    for error in
        [CallbackError::NoContext, CallbackError::HeadersSent, CallbackError::Ended, CallbackError::NoLifecycle]
    {
        assert_eq!(StatusCode::from(error), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(log.so_far(), [line(&error)]);
        assert_eq!(error.into_response().status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(log.so_far(), [line(&error)]);
    }
}

/// Cargo builds that program in a separate run. Together with these tests, the library would have all of its features.
#[test]
fn without_the_feature_nothing_is_logged() {
    cargo(&["run", "--quiet", "--package", "tower-request-context-untraced"]);
}

const CONTEXT_ERRORS: [&str; 5] =
    ["/value", "/question-mark", "/question-mark-to-status", "/direct", "/from-extractor"];
const CALLBACK_ERRORS: [&str; 3] = ["/callback", "/callback-to-status", "/callback-direct"];

/// One route for each way in which an error becomes a response.
fn routes() -> Router {
    async fn question_mark() -> Result<(), ContextError> {
        RequestContext::try_get::<Absent>()?;
        Ok(())
    }
    async fn question_mark_to_status() -> Result<(), StatusCode> {
        RequestContext::try_get::<Absent>()?;
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
        .route("/value", get(async |_: ContextValue<Absent>| "called"))
        .route("/context", get(async |_: RequestContext| "called"))
        .route("/question-mark", get(question_mark))
        .route("/question-mark-to-status", get(question_mark_to_status))
        .route("/direct", get(async || RequestContext::try_get::<Absent>().map(drop).unwrap_err()))
        .route("/from-extractor", get(async || "called").layer(from_extractor::<ContextValue<Absent>>()))
        .route("/callback", get(callback))
        .route("/callback-to-status", get(callback_to_status))
        .route("/callback-direct", get(async || on_end_without_lifecycle().unwrap_err()))
}

/// Registers a callback in a context that never ends.
fn on_end_without_lifecycle() -> Result<(), CallbackError> {
    RequestContext::new(Store::new()).sync_scope(|| RequestContext::on_end(|_| ()))
}

fn missing() -> ContextError {
    RequestContext::new(Store::new()).try_get::<Absent>().map(drop).unwrap_err()
}

fn line(error: &impl ToString) -> Line {
    let fields = vec![("message", error.to_string())];
    Line { level: Level::ERROR, target: "tower_request_context".into(), fields }
}

/// Asserts that the client receives a bare 500, and that only the message is logged.
async fn assert_logged(site: &Site, path: &str, error: impl ToString, log: &Log) {
    let response = site.send(path, Some(User(7))).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "{path}");
    let mut names: Vec<_> = response.headers().keys().cloned().collect();
    names.sort_by_key(ToString::to_string);
    assert_eq!(names, [CONTENT_LENGTH, DATE], "{path}");
    assert!(!format!("{:?}", response.headers()).contains(type_name::<Absent>()), "{path}");
    assert_eq!(in_time(text(response)).await, "", "{path}");
    assert_eq!(log.so_far(), [line(&error)], "{path}");
}
