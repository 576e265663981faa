//! `insert` returns the value that it replaced, and so does a closure that ends with it.

use axum::Router;
use tower_request_context::RequestContextLayer;

fn main() {
    let _: Router = Router::new().layer(RequestContextLayer::new(|store, request| {
        store.insert(request.uri.clone())
    }));
}
