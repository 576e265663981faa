//! The error of a setup is a whole response, not what could become one.

use axum::{Router, http::StatusCode};
use tower_request_context::RequestContextLayer;

fn main() {
    let _: Router = Router::new().layer(RequestContextLayer::new(|store, request| {
        let id = request.headers.get("x-user-id").ok_or(StatusCode::UNAUTHORIZED)?;
        store.insert(id.clone());
        Ok::<(), StatusCode>(())
    }));
}
