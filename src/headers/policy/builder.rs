//! Creating and configuring a policy.

use std::{fmt::Debug, sync::Arc};

use http::{HeaderName, request::Parts};

use super::{RequestIdPolicy, config::PolicyConfig, echo::Echo};
use crate::{RequestId, headers::names::forwardable_header};

/// # Configuration
impl RequestIdPolicy {
    /// Creates a policy for the header `x-request-id` that assigns a new [`RequestId::new_v4`] to each request and
    /// echoes it on the response.
    ///
    /// ```
    /// # use tower_request_context::RequestIdPolicy;
    /// let policy = RequestIdPolicy::new();
    /// assert!(format!("{policy:?}").contains("x-request-id"));
    /// ```
    pub fn new() -> Self {
        Self { config: Arc::new(PolicyConfig::new()) }
    }

    /// Sets the header that carries the id, on the request and on the response. The default is `x-request-id`.
    ///
    /// ```
    /// # use tower_request_context::RequestIdPolicy;
    /// let policy = RequestIdPolicy::new().header("x-correlation-id");
    /// assert_eq!(policy.header_name(), "x-correlation-id");
    /// ```
    ///
    /// # Panics
    ///
    /// Panics for the same names as [`HeaderPropagator::new`](crate::HeaderPropagator::new).
    #[track_caller]
    pub fn header<N>(mut self, name: N) -> Self
    where
        N: TryInto<HeaderName, Error: Debug> + Debug,
    {
        self.config_mut().header = Arc::new(forwardable_header(name));
        self
    }

    /// Sets a second header from which an inbound id is accepted, if the [first header](Self::header) has no valid id.
    ///
    /// ```
    /// # use tower_request_context::{RequestIdPolicy, Store};
    /// let policy = RequestIdPolicy::new().accept_inbound().fallback_header("x-correlation-id");
    /// let request = http::Request::builder().header("x-correlation-id", "from-the-proxy");
    /// let request = request.body(()).unwrap();
    /// let id = policy.apply(&mut Store::new(), &mut request.into_parts().0);
    /// assert_eq!(id.as_str(), "from-the-proxy");
    /// ```
    ///
    /// The header is read only if [`accept_inbound`](Self::accept_inbound) or
    /// [`accept_inbound_if`](Self::accept_inbound_if) trusts the request. The predicate is called once for both
    /// headers. The id is written to the first header, on the request and on the response. The second header of the
    /// request is not changed.
    ///
    /// # Panics
    ///
    /// Panics for the same names as [`header`](Self::header).
    #[track_caller]
    pub fn fallback_header<N>(mut self, name: N) -> Self
    where
        N: TryInto<HeaderName, Error: Debug> + Debug,
    {
        self.config_mut().fallback = Some(forwardable_header(name));
        self
    }

    /// Sets the closure that creates ids. The policy's header has been removed from the request parts that the closure
    /// gets.
    ///
    /// ```
    /// # use tower_request_context::{RequestId, RequestIdPolicy, Store};
    /// let policy = RequestIdPolicy::new().generate(|_| RequestId::new_v7());
    /// # let (mut request, ()) = http::Request::new(()).into_parts();
    /// let id = policy.apply(&mut Store::new(), &mut request);
    /// assert_eq!(id.as_str().as_bytes()[14], b'7');
    /// ```
    pub fn generate(mut self, f: impl Fn(&Parts) -> RequestId + Send + Sync + 'static) -> Self {
        self.config_mut().generate = Arc::new(move |request| f(request));
        self
    }

    /// Accepts the id that a request has, if there is exactly one and it is valid. Use this if clients cannot reach the
    /// server directly, and the proxy or mesh in front of it sets or checks the header.
    ///
    /// ```
    /// # use tower_request_context::{RequestIdPolicy, Store};
    /// let policy = RequestIdPolicy::new().accept_inbound();
    /// let request = http::Request::builder().header("x-request-id", "from-the-proxy");
    /// let request = request.body(()).unwrap();
    /// let id = policy.apply(&mut Store::new(), &mut request.into_parts().0);
    /// assert_eq!(id.as_str(), "from-the-proxy");
    /// ```
    ///
    /// An id is not accepted if the request's `Connection` header nominates its header, which is then meant for one
    /// connection only ([RFC 9110, 7.6.1]).
    ///
    /// [RFC 9110, 7.6.1]: https://www.rfc-editor.org/rfc/rfc9110#name-connection
    pub fn accept_inbound(self) -> Self {
        self.accept_inbound_if(|_| true)
    }

    /// Accepts the id that a request has, as [`accept_inbound`](Self::accept_inbound) does, if `trusted` returns `true`
    /// for the request.
    ///
    /// Base the decision on the request's extensions, where the server keeps facts about the peer. Headers come from
    /// the client.
    ///
    /// ```
    /// # use tower_request_context::{RequestIdPolicy, Store};
    /// use std::net::SocketAddr;
    ///
    /// let policy = RequestIdPolicy::new().accept_inbound_if(|request| {
    ///     request.extensions.get::<SocketAddr>().is_some_and(|peer| peer.ip().is_loopback())
    /// });
    /// # let request = http::Request::builder().header("x-request-id", "forged").body(()).unwrap();
    /// # assert_ne!(policy.apply(&mut Store::new(), &mut request.into_parts().0).as_str(), "forged");
    /// ```
    pub fn accept_inbound_if(mut self, trusted: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.config_mut().trusted = Some(Arc::new(trusted));
        self
    }

    /// Sets whether the id is echoed on the response. The default is `true`.
    ///
    /// ```
    /// # use tower_request_context::RequestIdPolicy;
    /// let policy = RequestIdPolicy::new().echo(false);
    /// assert!(format!("{policy:?}").contains("echo: false"));
    /// ```
    ///
    /// The id replaces all values that the response has under that header, so that the response carries the same id as
    /// the logs. To keep the id of a response that comes from another server, use
    /// [`echo_if_absent`](Self::echo_if_absent).
    pub fn echo(mut self, echo: bool) -> Self {
        self.config_mut().echo = echo.then_some(Echo::Replace);
        self
    }

    /// Echoes the id only on responses that do not have the header. Other responses keep theirs.
    ///
    /// Use this in a reverse proxy whose clients should see the id of the upstream's response. tower-http's
    /// `PropagateRequestIdLayer` does the same.
    ///
    /// ```
    /// # use http::{Request, Response};
    /// # use tower::{Layer, ServiceExt, service_fn};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # use tower_request_context::{RequestContextLayer, RequestIdPolicy};
    /// let policy = RequestIdPolicy::new().echo_if_absent();
    /// let layer = RequestContextLayer::new(move |store, request| {
    ///     policy.apply(store, request);
    /// });
    /// let proxy = layer.layer(service_fn(async |_: Request<()>| {
    ///     Response::builder().header("x-request-id", "from-the-upstream").body(String::new())
    /// }));
    /// let response = proxy.oneshot(Request::new(())).await.unwrap();
    /// assert_eq!(response.headers()["x-request-id"], "from-the-upstream");
    /// # }
    /// ```
    ///
    /// The header of the response is not validated, and it may differ from the id in the logs of this server. The last
    /// call of this method or of [`echo`](Self::echo) takes effect.
    pub fn echo_if_absent(mut self) -> Self {
        self.config_mut().echo = Some(Echo::IfAbsent);
        self
    }

    /// Returns the name of the header that carries the id.
    ///
    /// ```
    /// # use tower_request_context::RequestIdPolicy;
    /// assert_eq!(RequestIdPolicy::new().header_name(), "x-request-id");
    /// ```
    #[must_use]
    pub fn header_name(&self) -> &HeaderName {
        &self.config.header
    }

    pub(super) fn config_mut(&mut self) -> &mut PolicyConfig {
        Arc::make_mut(&mut self.config)
    }
}
