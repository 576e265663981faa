//! A refusal is a whole response.

use axum::{Router, http::StatusCode};
use tower_request_context::RequestContextLayer;

fn main() {
    let _: Router = Router::new().layer(RequestContextLayer::new(|_, request| {
        if request.headers.contains_key("x-user-id") { StatusCode::OK } else { StatusCode::UNAUTHORIZED }
    }));
}
