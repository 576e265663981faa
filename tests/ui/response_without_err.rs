//! A response refuses only as an `Err`.

use axum::{Router, http::StatusCode, response::IntoResponse};
use tower_request_context::RequestContextLayer;

fn main() {
    let _: Router = Router::new().layer(RequestContextLayer::new(|_, _| StatusCode::UNAUTHORIZED.into_response()));
}
