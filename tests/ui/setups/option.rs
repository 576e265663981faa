//! `None` is not a rejection, because it contains no response.

use tower_request_context::RequestContextLayer;

#[path = "serve/mod.rs"]
mod serve;

use serve::serve;

fn main() {
    serve(RequestContextLayer::new(|store, request| {
        store.insert(request.headers.get("x-user-id")?.clone());
        Some(())
    }));
}
