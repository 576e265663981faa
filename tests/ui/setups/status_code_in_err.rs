//! The error of a setup is a whole response, and not a type that converts into one.

use http::StatusCode;
use tower_request_context::RequestContextLayer;

#[path = "serve/mod.rs"]
mod serve;

use serve::serve;

fn main() {
    serve(RequestContextLayer::new(|store, request| {
        let id = request.headers.get("x-user-id").ok_or(StatusCode::UNAUTHORIZED)?;
        store.insert(id.clone());
        Ok::<(), StatusCode>(())
    }));
}
