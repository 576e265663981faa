//! A response rejects the request only as an `Err`.

use http::Response;
use tower_request_context::RequestContextLayer;

#[path = "serve/mod.rs"]
mod serve;

use serve::serve;

fn main() {
    serve(RequestContextLayer::new(|_, _| Response::new(String::from("who are you?"))));
}
