//! `None` says nothing to a client: it is no refusal.

use axum::Router;
use tower_request_context::RequestContextLayer;

fn main() {
    let _: Router = Router::new().layer(RequestContextLayer::new(|store, request| {
        store.insert(request.headers.get("x-user-id")?.clone());
        Some(())
    }));
}
