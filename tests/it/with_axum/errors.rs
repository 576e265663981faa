//! Errors of the context as answers: nothing for clients, everything for logs.

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

/// What no setup inserts.
#[derive(Clone)]
struct Secret;

#[tokio::test]
async fn to_clients_every_error_is_a_bare_500() {
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
async fn the_question_mark_lets_pass_what_is_there() {
    async fn value() -> Result<String, ContextError> {
        let User(id) = RequestContext::try_get()?;
        RequestContext::update(|User(id)| *id += 1)?;
        Ok(id.to_string())
    }
    async fn callback() -> Result<&'static str, CallbackError> {
        RequestContext::on_response(|head| head.status = StatusCode::IM_A_TEAPOT)?;
        RequestContext::on_end(|_| ())?;
        Ok("left")
    }

    let app = Router::new().route("/value", get(value)).route("/callback", get(callback)).layer(layer());
    for version in VERSIONS {
        let site = Site::open(app.clone(), version).await;
        assert_eq!(site.get("/value", Some(User(7))).await, (StatusCode::OK, "7".into()), "{version:?}");
        let answer = site.get("/callback", None).await;
        assert_eq!(answer, (StatusCode::IM_A_TEAPOT, "left".into()), "{version:?}");
    }
}

#[tokio::test]
async fn middleware_finds_the_error_that_was_answered_in_the_response_s_extensions() {
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
            // A bare status is all that there was to answer with.
            ("/question-mark-to-status", String::new()),
        ] {
            assert_eq!(site.get(path, None).await, (StatusCode::INTERNAL_SERVER_ERROR, String::new()), "{version:?}");
            assert_eq!(in_time(logged.recv()).await.unwrap(), expected, "{path} {version:?}");
        }
    }
}

#[tokio::test]
async fn a_handler_that_takes_a_result_is_given_the_error() {
    let handler = async |value: Result<ContextValue<Secret>, ContextError>, context: Result<RequestContext, _>| {
        let context: Result<_, ContextError> = context;
        format!("{}; {:?}", value.unwrap_err(), context.map(|context| context.get::<User>()))
    };
    let route = Router::new().route("/", get(handler));
    for version in VERSIONS {
        let bare = Site::open(route.clone(), version).await;
        let inactive = format!("{}; Err(NoContext)", ContextError::NoContext);
        assert_eq!(bare.get("/", Some(User(7))).await, (StatusCode::OK, inactive), "{version:?}");
        let layered = Site::open(route.clone().layer(layer()), version).await;
        let missing = format!("{}; Ok(Some(User(7)))", missing());
        assert_eq!(layered.get("/", Some(User(7))).await, (StatusCode::OK, missing), "{version:?}");
    }
}

#[tokio::test]
async fn an_extractor_around_an_extractor_can_log_its_error_and_choose_the_answer() {
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

/// One error each, in a context and without.
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
        in_vain()?;
        Ok(())
    }
    async fn callback_to_status() -> Result<(), StatusCode> {
        in_vain()?;
        Ok(())
    }

    Router::new()
        .route("/value", get(async |_: ContextValue<Secret>| "called"))
        .route("/question-mark", get(question_mark))
        .route("/question-mark-to-status", get(question_mark_to_status))
        .route("/callback", get(callback))
        .route("/callback-to-status", get(callback_to_status))
}

/// Waits for the end of what is only scoped.
fn in_vain() -> Result<(), CallbackError> {
    RequestContext::new(Store::new()).sync_scope(|| RequestContext::on_end(|_| ()))
}

fn missing() -> String {
    let text = RequestContext::new(Store::new()).try_get::<Secret>().map(drop).unwrap_err().to_string();
    assert!(text.contains(type_name::<Secret>()), "{text}");
    text
}
