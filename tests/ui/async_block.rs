//! A setup cannot wait.

use axum::Router;
use tower_request_context::RequestContextLayer;

fn main() {
    let _: Router = Router::new().layer(RequestContextLayer::new(|store, request| {
        store.insert(request.uri.clone());
        async { std::future::ready(()).await }
    }));
}
