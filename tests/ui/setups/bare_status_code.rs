//! A rejection is a whole response, and not a bare status code.

use http::StatusCode;
use tower_request_context::RequestContextLayer;

#[path = "serve/mod.rs"]
mod serve;

use serve::serve;

fn main() {
    serve(RequestContextLayer::new(|_, request| {
        if request.headers.contains_key("x-user-id") { StatusCode::OK } else { StatusCode::UNAUTHORIZED }
    }));
}
