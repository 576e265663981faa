//! A setup inserts values into the store. It does not return them.

use http::Response;
use tower_request_context::RequestContextLayer;

#[path = "serve/mod.rs"]
mod serve;

use serve::serve;

fn main() {
    serve(RequestContextLayer::new(|_, request| {
        let id = request.headers.get("x-user-id").cloned();
        id.ok_or_else(|| Response::new(String::from("who are you?")))
    }));
}
