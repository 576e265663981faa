//! The context in axum's extractors and in `IntoResponse`.

use axum::{
    Extension, Router,
    extract::FromRequestParts,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, request::Parts};
use tokio::sync::mpsc::unbounded_channel;
use tower_request_context::{ContextError, RequestContext, WeakRequestContext};

use super::{DropProbe, Site};
use crate::support::{Connection, User, VERSIONS, in_time, layer, request, serve, text};

#[tokio::test]
async fn extractor_and_into_response_read_the_context() {
    for version in VERSIONS {
        let handler = async |CurrentUser(User(id)): CurrentUser| Signed(format!("for {id}"));
        let site = Site::open(Router::new().route("/", get(handler)).layer(layer()), version).await;
        let (one, anonymous, two) =
            tokio::join!(site.get("/", Some(User(1))), site.get("/", None), site.get("/", Some(User(2))));
        assert_eq!(one, (StatusCode::OK, String::from("for 1, signed: user 1")));
        assert_eq!(anonymous, (StatusCode::UNAUTHORIZED, String::new()));
        assert_eq!(two, (StatusCode::OK, String::from("for 2, signed: user 2")));
    }
}

#[tokio::test]
async fn question_mark_turns_a_context_error_into_500() {
    async fn handler() -> Result<String, StatusCode> {
        let User(id) = RequestContext::try_get()?;
        Ok(format!("found {id}"))
    }

    let route = Router::new().route("/", get(handler));
    for version in VERSIONS {
        let layered = Site::open(route.clone().layer(layer()), version).await;
        assert_eq!(layered.get("/", Some(User(1))).await, (StatusCode::OK, String::from("found 1")));
        assert_eq!(layered.get("/", None).await, (StatusCode::INTERNAL_SERVER_ERROR, String::new()));

        let bare = Site::open(route.clone(), version).await;
        assert_eq!(bare.get("/", Some(User(1))).await, (StatusCode::INTERNAL_SERVER_ERROR, String::new()));
    }
}

#[tokio::test]
async fn extension_is_a_weak_handle_to_the_current_context() {
    #[derive(Clone, Debug, PartialEq)]
    struct Mark(u32);

    for version in VERSIONS {
        let (sender, mut users_at_drop) = unbounded_channel();
        let (keep, mut kept) = unbounded_channel();
        let handler = async move |Extension(weak): Extension<WeakRequestContext>| {
            let context = weak.upgrade().unwrap();
            context.set(Mark(7));
            context.set(DropProbe(sender.clone()));
            keep.send(weak).unwrap();
            format!("{:?} {:?}", context.get::<User>(), RequestContext::get::<Mark>())
        };
        let address = serve(Router::new().route("/", get(handler)).layer(layer().insert_extension())).await;
        let mut connection = Connection::open(address, version).await;

        let response = connection.send(request(address, "/", Some(User(1)))).await.unwrap();
        assert_eq!(in_time(text(response)).await, "Some(User(1)) Some(Mark(7))", "{version:?}");
        // The values are dropped while the connection is still open, outside any context.
        assert_eq!(in_time(users_at_drop.recv()).await.unwrap(), "nobody", "{version:?}");
        assert!(kept.recv().await.unwrap().upgrade().is_none(), "{version:?}");
        assert!(connection.send(request(address, "/", Some(User(2)))).await.is_ok(), "{version:?}");
    }
}

#[tokio::test]
async fn without_insert_extension_a_request_has_no_handle() {
    let handler = async |handle: Option<Extension<WeakRequestContext>>| handle.is_some().to_string();
    let route = Router::new().route("/", get(handler));
    for version in VERSIONS {
        let without = Site::open(route.clone().layer(layer()), version).await;
        let with = Site::open(route.clone().layer(layer().insert_extension()), version).await;
        assert_eq!((without.text("/", None).await, with.text("/", None).await), ("false".into(), "true".into()));
    }
}

struct CurrentUser(User);

impl<S: Sync> FromRequestParts<S> for CurrentUser {
    type Rejection = StatusCode;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        match RequestContext::try_get() {
            Ok(user) => Ok(Self(user)),
            Err(ContextError::Missing { .. }) => Err(StatusCode::UNAUTHORIZED),
            Err(error) => Err(error.into()),
        }
    }
}

struct Signed(String);

impl IntoResponse for Signed {
    fn into_response(self) -> Response {
        format!("{}, signed: {}", self.0, User::name()).into_response()
    }
}
