//! Frameworks that take the layer, and how to enter a context in those that do not.
//!
//! # Frameworks
//!
//! The layer wraps any tower `Service` of an `http::Request` (`http` 1) whose response has an `http_body::Body`.
//!
//! | Framework | Takes the layer | How |
//! |---|---|---|
//! | axum | yes | `Router::layer` |
//! | tonic | yes | `Server::builder().layer(…)` |
//! | hyper | yes | layer a tower service, then `hyper_util::service::TowerToHyperService` |
//! | warp | yes | `layer.layer(warp::service(filter))`, served with hyper |
//! | `lambda_http` | yes | `lambda_http::run(layer.layer(service_fn(handler)))` |
//! | salvo | with one more handler | `.hoop(layer.insert_extension().compat::<ReqBody>()).hoop(enter_context)`, see [salvo](#salvo) |
//! | poem | no | Its services take `poem::Request`. [Enter a context](#without-the-layer) in a middleware of your own. |
//! | actix-web | no | Its `Service` trait is not tower's, and its requests are not those of `http` 1. [Enter a context](#without-the-layer) in a middleware of your own. |
//!
//! # salvo
//!
//! Since version 1.1, salvo's `compat()` calls the handlers outside the future of the layer, so they see no context.
//! Enter it in a handler below the layer:
//!
//! ```text
//! #[handler]
//! async fn enter_context(
//!     req: &mut Request,
//!     depot: &mut Depot,
//!     res: &mut Response,
//!     ctrl: &mut FlowCtrl,
//! ) {
//!     let context = req.extensions().get().and_then(WeakRequestContext::upgrade);
//!     let context = context.expect("a layer with `insert_extension` is above this handler");
//!     context.scope(ctrl.call_next(req, depot, res)).await;
//! }
//!
//! let layer = layer.insert_extension().compat::<ReqBody>();
//! Router::new().hoop(layer).hoop(enter_context).get(handler)
//! ```
//!
//! In the repository of this crate, the package `tests/salvo` tests this handler over a socket.
//!
//! # Without the layer
//!
//! In a middleware of poem or actix-web, create a [`Store`], insert the values of the request, and run the rest of the
//! request with [`Store::run`]. The context is then current while the future of the handler is polled and dropped. This
//! differs from the layer:
//!
//! * There is no `on_response`.
//! * The request ends when the handler returns, as `Completed` even if the handler returns an error.
//! * The response body has no context.
//! * A context that is current at the first poll is inherited.
//!
//! [`Store`]: crate::Store
//! [`Store::run`]: crate::Store::run
