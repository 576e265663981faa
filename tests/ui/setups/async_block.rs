//! A setup cannot be async: it returns an `async` block.

use tower_request_context::RequestContextLayer;

#[path = "serve/mod.rs"]
mod serve;

use serve::serve;

fn main() {
    serve(RequestContextLayer::new(|store, request| {
        store.insert(request.uri.clone());
        async { std::future::ready(()).await }
    }));
}
