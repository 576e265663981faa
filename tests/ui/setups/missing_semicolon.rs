//! `insert` returns the value that it replaced. A closure that ends with it returns that value, too.

use tower_request_context::RequestContextLayer;

#[path = "serve/mod.rs"]
mod serve;

use serve::serve;

fn main() {
    serve(RequestContextLayer::new(|store, request| {
        store.insert(request.uri.clone())
    }));
}
