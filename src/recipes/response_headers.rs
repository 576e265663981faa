//! Response headers from any depth: caching, CSP nonces, `Server-Timing`, CORS.
//!
//! # Set a response header from deep code
//!
//! Code deep below the handler registers [`on_response`] and changes the headers of the response. `on_response` returns
//! an error if there is no response, as in a background job, or if the headers were already sent. Here the error can be
//! ignored.
//!
//! ```
//! # use axum::{Router, body::Body, routing::get};
//! # use http::{HeaderValue, Request, header::CACHE_CONTROL};
//! # use tower::ServiceExt;
//! # use tower_request_context::{RequestContext, RequestContextLayer};
//! async fn handler() -> String {
//!     cat_of("Ada").await
//! }
//!
//! async fn cat_of(user: &str) -> String {
//!     load("cats", user).await
//! }
//!
//! async fn load(table: &str, key: &str) -> String {
//!     let no_store = HeaderValue::from_static("no-store");
//!     let _ = RequestContext::on_response(|parts| {
//!         parts.headers.insert(CACHE_CONTROL, no_store);
//!     });
//!     format!("{table}: {key}")
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # let app: Router = Router::new().route("/", get(handler)).layer(RequestContextLayer::default());
//! # let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
//! # assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
//! # assert_eq!(handler().await, "cats: Ada");
//! # }
//! ```
//!
//! # CSP nonce
//!
//! The setup closure creates one nonce per request, and sends it in the header. Templates read it at any depth. Use at
//! least 128 random bits, such as 16 bytes of the crate `getrandom` in hexadecimal or base64. In this example, `random`
//! is such a function.
//!
//! ```
//! # use axum::{Router, body::{Body, to_bytes}, routing::get};
//! # use http::{Request, header::CONTENT_SECURITY_POLICY};
//! # use tower::ServiceExt;
//! # use tower_request_context::{RequestContext, RequestContextLayer};
//! # fn random() -> String { [(); 2].map(|()| tower_request_context::RequestId::new_v4().to_string()).concat() }
//! #[derive(Clone)]
//! struct Nonce(String);
//!
//! let layer = RequestContextLayer::new(|store, _| {
//!     let nonce = random();
//!     store.insert(Nonce(nonce.clone()));
//!     store.on_response(move |parts| {
//!         let policy = format!("script-src 'nonce-{nonce}'").parse();
//!         let policy = policy.expect("hexadecimal and base64 are valid in a header");
//!         parts.headers.insert(CONTENT_SECURITY_POLICY, policy);
//!     });
//! });
//!
//! fn script(code: &str) -> String {
//!     let Nonce(nonce) = RequestContext::expect();
//!     format!(r#"<script nonce="{nonce}">{code}</script>"#)
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main_with(app: Router) {
//! # let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
//! # let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
//! # let nonce = policy.strip_prefix("script-src 'nonce-").unwrap().trim_end_matches('\'');
//! # let page = to_bytes(response.into_body(), 999).await.unwrap();
//! # assert_eq!(page, format!("<script nonce=\"{nonce}\">go()</script>"));
//! # }
//! # main_with(Router::new().route("/", get(async || script("go()"))).layer(layer));
//! ```
//!
//! A cached page has the nonce of the request that created it. Do not cache such pages.
//!
//! # Server-Timing
//!
//! Browsers show the [`Server-Timing`] header in their developer tools. Each measurement adds a line:
//!
//! ```
//! # use axum::{Router, body::Body, routing::get};
//! # use http::{HeaderValue, Request};
//! # use tower::ServiceExt;
//! # use tower_request_context::{RequestContext, RequestContextLayer};
//! use std::time::Instant;
//!
//! async fn timed<F: Future>(name: &'static str, work: F) -> F::Output {
//!     let start = Instant::now();
//!     let output = work.await;
//!     let line = format!("{name};dur={:.1}", start.elapsed().as_secs_f64() * 1e3);
//!     let line = HeaderValue::try_from(line).expect("`name` is a token");
//!     let _ = RequestContext::on_response(move |parts| {
//!         parts.headers.append("server-timing", line);
//!     });
//!     output
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # let handler = async || timed("total", async { timed("db", async { "Tom" }).await }).await;
//! # let app: Router = Router::new().route("/", get(handler)).layer(RequestContextLayer::default());
//! # let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
//! # let lines = response.headers().get_all("server-timing").iter().map(|line| line.to_str().unwrap());
//! # assert!(lines.map(|line| line.split(";dur=").next().unwrap()).eq(["db", "total"]));
//! # }
//! ```
//!
//! Work that the response body does comes too late for a header: `on_response` returns
//! [`HeadersSent`](crate::CallbackError::HeadersSent).
//!
//! # CORS: expose the request id
//!
//! In a cross-origin response, scripts in a browser can read only some headers. List the header of the request id in
//! `expose_headers`. `CorsLayer` may be on either side of the context's layer. Put it outside, so that it also covers
//! requests that the setup closure rejects.
//!
//! ```
//! # use axum::{Router, body::Body, routing::get};
//! # use http::{HeaderName, Request, header::{ACCESS_CONTROL_EXPOSE_HEADERS, ORIGIN}};
//! # use tower::{ServiceBuilder, ServiceExt};
//! # use tower_http::cors::{Any, CorsLayer};
//! # use tower_request_context::{RequestContextLayer, RequestIdPolicy};
//! let ids = RequestIdPolicy::new();
//! let layers = ServiceBuilder::new()
//!     .layer(
//!         CorsLayer::new()
//!             .allow_origin(Any)
//!             .expose_headers([HeaderName::from_static("x-request-id")]),
//!     )
//!     .layer(RequestContextLayer::new(move |store, request| {
//!         ids.apply(store, request);
//!     }));
//! # #[tokio::main(flavor = "current_thread")] async fn main_with(app: Router) {
//! # let request = Request::builder().header(ORIGIN, "https://cats.example").body(Body::empty()).unwrap();
//! # let response = app.oneshot(request).await.unwrap();
//! # assert_eq!(response.headers()[ACCESS_CONTROL_EXPOSE_HEADERS], "x-request-id");
//! # assert!(response.headers().contains_key("x-request-id"));
//! # }
//! # main_with(Router::new().route("/", get(async || "Tom")).layer(layers));
//! ```
//!
//! [`Server-Timing`]: https://www.w3.org/TR/server-timing/
//! [`on_response`]: crate::RequestContext::on_response
