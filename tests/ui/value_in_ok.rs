//! A setup seeds through the store; it does not return what it found.

use axum::{Router, http::StatusCode, response::IntoResponse};
use tower_request_context::RequestContextLayer;

fn main() {
    let _: Router = Router::new().layer(RequestContextLayer::new(|_, request| {
        let id = request.headers.get("x-user-id").cloned();
        id.ok_or_else(|| StatusCode::UNAUTHORIZED.into_response())
    }));
}
