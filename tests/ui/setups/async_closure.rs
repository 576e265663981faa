//! A setup cannot be async: it is an `async` closure.

use tower_request_context::RequestContextLayer;

#[path = "serve/mod.rs"]
mod serve;

use serve::serve;

fn main() {
    serve(RequestContextLayer::new(async |store, request| {
        store.insert(request.uri.clone());
    }));
}
