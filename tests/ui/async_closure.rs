//! A setup cannot wait: as an `async` closure.

use axum::Router;
use tower_request_context::RequestContextLayer;

fn main() {
    let _: Router = Router::new().layer(RequestContextLayer::new(async |store, request| {
        store.insert(request.uri.clone());
    }));
}
