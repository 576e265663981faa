//! The policy that assigns an id to each request.

// rustdoc lists methods in the order of these modules. The blank lines keep rustfmt from sorting the modules.
mod builder;

#[cfg(feature = "tower-http-06")]
mod tower_http_06;

#[cfg(feature = "tower-http-07")]
mod tower_http_07;

mod apply;

mod config;
mod echo;

#[cfg(any(feature = "tower-http-06", feature = "tower-http-07"))]
mod generate;

use std::{
    fmt::{self, Debug},
    sync::Arc,
};

use self::{config::PolicyConfig, echo::Echo};

/// Assigns an id to each request: stores it, sets it on the request's header and echoes it on the response.
///
/// ```
/// # use http::{Request, Response};
/// # use tower::{Layer, ServiceExt, service_fn};
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use tower_request_context::{RequestContext, RequestContextLayer, RequestIdPolicy};
///
/// let policy = RequestIdPolicy::new();
/// let layer = RequestContextLayer::new(move |store, request| {
///     policy.apply(store, request);
/// });
/// let service = layer.layer(service_fn(async |_: Request<()>| {
///     let id = RequestContext::id().expect("RequestIdPolicy ran in the setup closure");
///     Ok::<_, ()>(Response::new(id.to_string()))
/// }));
/// let response = service.oneshot(Request::new(())).await.unwrap();
/// let echoed = response.headers()["x-request-id"].clone();
/// let body = http_body_util::BodyExt::collect(response).await.unwrap();
/// assert_eq!(body.to_bytes(), echoed.as_bytes());
/// # }
/// ```
///
/// Call [`apply`](Self::apply) in the setup closure of a layer. By default the header is `x-request-id`, and each
/// request gets a new id. An id that the client sent is replaced. This is correct at the edge, where clients are not
/// trusted. Behind a proxy or in a mesh, use [`accept_inbound`](Self::accept_inbound).
///
/// A policy is cheap to clone: clones share its configuration. An `apply` calls each closure of the policy at most
/// once. Each call is a dynamic call (`dyn Fn`).
///
/// # Outgoing requests
///
/// A [`HeaderPropagator`](crate::HeaderPropagator) that lists the policy's header propagates the id to outgoing
/// requests. It writes the id that [`RequestContext::id`](crate::RequestContext::id) returns, and does not read the
/// request's header.
#[derive(Clone)]
#[must_use = "a policy does nothing until it is applied in a setup"]
pub struct RequestIdPolicy {
    /// Shared, because axum clones a layer's service for each request.
    config: Arc<PolicyConfig>,
}

impl Default for RequestIdPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl Debug for RequestIdPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let echo = match self.config.echo {
            None => "false",
            Some(Echo::Replace) => "true",
            Some(Echo::IfAbsent) => "if_absent",
        };
        f.debug_struct("RequestIdPolicy")
            .field("header", &self.config.header)
            .field("fallback_header", &self.config.fallback)
            .field("accept_inbound", &self.config.trusted.is_some())
            .field("echo", &format_args!("{echo}"))
            .finish_non_exhaustive()
    }
}
