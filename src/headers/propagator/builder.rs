//! Creating and configuring a propagator.

use std::{fmt::Debug, sync::Arc};

use http::{HeaderName, request::Parts};

use super::{
    HeaderPropagator,
    config::{PropagatorConfig, TRACEPARENT, TRACESTATE},
};
use crate::headers::names::forwardable_header;

/// # Configuration
impl HeaderPropagator {
    /// Creates a propagator that lists these headers.
    ///
    /// A name is a `&str`, a `String`, a [`HeaderName`], or another type that converts to a `HeaderName`. Names are
    /// case-insensitive.
    ///
    /// ```
    /// # use tower_request_context::HeaderPropagator;
    /// let propagator = HeaderPropagator::new(["x-tenant", "x-request-id"]);
    /// assert!(propagator.header_names().eq(["x-tenant", "x-request-id"]));
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if a name is not a valid [`HeaderName`], or if the header frames a message or belongs to one connection:
    /// `Connection`, `Content-Length`, `Host`, `Keep-Alive`, `Proxy-Connection`, `TE`, `Trailer`, `Transfer-Encoding`
    /// or `Upgrade`. The message shows the name.
    #[track_caller]
    pub fn new<N>(names: impl IntoIterator<Item = N>) -> Self
    where
        N: TryInto<HeaderName, Error: Debug> + Debug,
    {
        let mut config = PropagatorConfig::new();
        for name in names {
            config.add(forwardable_header(name));
        }
        Self { config: Arc::new(config) }
    }

    /// Creates a propagator that lists `traceparent` and `tracestate`, the headers of
    /// [W3C Trace Context](https://www.w3.org/TR/trace-context/).
    ///
    /// ```
    /// # use tower_request_context::HeaderPropagator;
    /// let shown = format!("{:?}", HeaderPropagator::trace_context());
    /// assert!(shown.contains(r#"["traceparent", "tracestate"]"#));
    /// ```
    pub fn trace_context() -> Self {
        Self::new([TRACEPARENT.clone(), TRACESTATE.clone()])
    }

    /// Adds a header to the list.
    ///
    /// ```
    /// # use tower_request_context::HeaderPropagator;
    /// let propagator = HeaderPropagator::trace_context().header("x-request-id");
    /// assert!(propagator.header_names().eq(["traceparent", "tracestate", "x-request-id"]));
    /// ```
    ///
    /// # Panics
    ///
    /// Panics for the same names as [`new`](Self::new).
    #[track_caller]
    pub fn header<N>(mut self, name: N) -> Self
    where
        N: TryInto<HeaderName, Error: Debug> + Debug,
    {
        self.config_mut().add(forwardable_header(name));
        self
    }

    /// Sets a predicate that decides whether a request is trusted. [`extract`](Self::extract) ignores requests for
    /// which it returns `false`.
    ///
    /// Base the decision on the request's extensions, where the server keeps facts about the peer. Headers come from
    /// the client. The [request id](Self#request-ids) is propagated for all requests, because `inject` takes it from
    /// the context.
    ///
    /// ```
    /// # use tower_request_context::HeaderPropagator;
    /// use std::net::SocketAddr;
    ///
    /// let propagator = HeaderPropagator::trace_context().trust_if(|request| {
    ///     request.extensions.get::<SocketAddr>().is_some_and(|peer| peer.ip().is_loopback())
    /// });
    /// assert!(format!("{propagator:?}").contains("trust_if: true"));
    /// ```
    pub fn trust_if(mut self, trusted: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.config_mut().trusted = Some(Arc::new(trusted));
        self
    }

    /// Sets the [limit](Self#limits) for each header, in bytes of all its values. The default is 8192.
    ///
    /// ```
    /// # use tower_request_context::HeaderPropagator;
    /// let propagator = HeaderPropagator::trace_context().max_header_bytes(512);
    /// assert!(format!("{propagator:?}").contains("max_header_bytes: 512"));
    /// ```
    pub fn max_header_bytes(mut self, bytes: usize) -> Self {
        self.config_mut().max_header_bytes = bytes;
        self
    }

    /// Sets the [limit](Self#limits) for all headers together, in bytes of all their values. The default is 16384.
    ///
    /// ```
    /// # use tower_request_context::HeaderPropagator;
    /// let propagator = HeaderPropagator::trace_context().max_total_bytes(1024);
    /// assert!(format!("{propagator:?}").contains("max_total_bytes: 1024"));
    /// ```
    pub fn max_total_bytes(mut self, bytes: usize) -> Self {
        self.config_mut().max_total_bytes = bytes;
        self
    }

    /// Returns the names of the headers in the list, in the order in which they were added.
    ///
    /// ```
    /// # use tower_request_context::HeaderPropagator;
    /// assert!(HeaderPropagator::trace_context().header_names().eq(["traceparent", "tracestate"]));
    /// ```
    pub fn header_names(&self) -> impl Iterator<Item = &HeaderName> {
        self.config.names.iter()
    }

    fn config_mut(&mut self) -> &mut PropagatorConfig {
        Arc::make_mut(&mut self.config)
    }
}
