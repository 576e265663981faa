//! The same streamed body with `tokio::task_local!`, in a scope around the handler.

use axum::{
    Router,
    body::Body,
    extract::Request,
    middleware::{Next, from_fn},
    routing::get,
};
use tower_request_context::RequestContext;

use crate::app::{UserId, line, streamed};

tokio::task_local! {
    static USER: Option<UserId>;
}

pub(crate) fn routes() -> Router {
    let scoped = from_fn(|request: Request, next: Next| USER.scope(RequestContext::get(), next.run(request)));
    Router::new().route("/task-local", get(hello)).layer(scoped)
}

async fn hello() -> Body {
    streamed([line("handler", user())], user)
}

fn user() -> Option<String> {
    USER.try_with(|user| user.map(|UserId(id)| id.to_string())).ok()?
}
