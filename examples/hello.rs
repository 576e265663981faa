// Run with `cargo run --example hello`.
//
// Then run `curl -H 'x-user-id: 7' http://127.0.0.1:3000`.

use axum::{Router, routing::get};
use tokio::net::TcpListener;
use tower_request_context::{RequestContext, RequestContextLayer};

#[derive(Clone)]
struct UserId(String);

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app()).await
}

fn app() -> Router {
    let context = RequestContextLayer::new(|store, request| {
        // Only for this demo: any client can send this header.
        if let Some(Ok(id)) = request.headers.get("x-user-id").map(|id| id.to_str()) {
            store.insert(UserId(id.to_owned()));
        }
    });
    Router::new().route("/", get(hello)).layer(context)
}

async fn hello() -> String {
    greeting()
}

fn greeting() -> String {
    match RequestContext::get::<UserId>() {
        Some(UserId(id)) => format!("hello, user {id}\n"), // no extractor, no argument
        None => String::from("hello, stranger\n"),
    }
}
