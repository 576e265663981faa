//! The propagator: which headers of a request go to its outgoing requests.

mod transfer;

use std::{
    fmt::{self, Debug},
    sync::Arc,
};

use http::{HeaderName, request::Parts};

use super::{
    names::header_name,
    rules::{Rules, TRACEPARENT, TRACESTATE},
};

/// Propagates some headers of a request to its outgoing requests.
///
/// It lists the names of the headers. There is no way to list all. [`extract`](Self::extract) copies those headers from a
/// request, in the setup closure. [`inject`](Self::inject) adds them to an outgoing request, wherever a client lets you
/// change headers: in `tower::util::MapRequestLayer` around hyper-util's client or tonic's `Channel`, in an interceptor, or
/// in a middleware. [`extract_trusted`](Self::extract_trusted) restores them from a message of a queue.
///
/// ```
/// use http::{HeaderMap, HeaderName};
/// use tower_request_context::{HeaderPropagator, RequestContext, Store};
///
/// let propagator = HeaderPropagator::trace_context().header("x-tenant");
///
/// let request = http::Request::builder().header("x-tenant", "cats & co").header("cookie", "private").body(()).unwrap();
/// let mut store = Store::new();
/// propagator.extract(&mut store, &request.into_parts().0);
///
/// let mut headers = HeaderMap::new();
/// RequestContext::new(store).sync_scope(|| propagator.inject(&mut headers));
/// assert_eq!(headers.len(), 1);
/// assert_eq!(headers["x-tenant"], "cats & co");
/// ```
///
/// # Request ids
///
/// A request id is not extracted: [`inject`](Self::inject) writes the id that
/// [`RequestContext::id`](crate::RequestContext::id) returns, under the header of the
/// [`RequestIdPolicy`](crate::RequestIdPolicy) that was applied. This does not depend on the order of `apply` and `extract`,
/// nor on [`trust_if`](Self::trust_if), since the id is this server's. It does not need `extract` either.
///
/// * An id that the application sets later, or in a child, is written under the same header.
/// * If several policies were applied, each of their headers has the id that its own policy gave. The id set later is under
///   the header of the last one, or of the inner layer.
/// * An id that no policy gave, such as that of a job, is written under `x-request-id`.
/// * If no id is written under `x-request-id`, that header is extracted and injected as other headers are: in a context without
///   an id, or with a policy for another header.
///
/// # Limits
///
/// A header counts with all its lines, as if they were joined by commas ([RFC 9110]). A header that is longer than
/// [`max_header_bytes`](Self::max_header_bytes) is left out. If the others together exceed
/// [`max_total_bytes`](Self::max_total_bytes), the longest are left out until the rest fits. No header is truncated. Both
/// limits are checked before anything is copied, at each `extract` and again at each `inject`. `baggage`, which is in no
/// preset, is also left out above the 8192 bytes and 64 members of its specification. A request id counts as any other
/// header, at `inject`. The value that a client sent in its place counts in an `extract` that runs before `apply`.
///
/// An outgoing [`HeaderMap`](http::HeaderMap) that is full, at about 24,000 names, takes a header with all its lines or not at all.
///
/// # Values
///
/// Values are propagated byte for byte, and are not parsed or validated. A `tracestate` is propagated with its own
/// `traceparent` or not at all, since it means nothing alone. A `traceparent` of several lines is invalid, and is not
/// extracted; neither is its `tracestate`. [W3C's test suite] requires that of all readers.
///
/// A header that the request's `Connection` header nominates is meant for one connection, and is not extracted
/// ([RFC 9110, 7.6.1]). A client can thus keep any extracted header from being propagated, but not a request id.
///
/// All but `traceparent`, `tracestate`, `x-request-id` and the request id are marked
/// [sensitive](http::HeaderValue::set_sensitive), which keeps them out of `Debug` and of the compression tables of HTTP/2.
/// `Debug` of this type shows names.
///
/// [RFC 9110]: https://www.rfc-editor.org/rfc/rfc9110#name-field-lines-and-combined-fi
/// [RFC 9110, 7.6.1]: https://www.rfc-editor.org/rfc/rfc9110#name-connection
/// [W3C's test suite]: https://github.com/w3c/trace-context/blob/main/test/test.py
#[derive(Clone)]
#[must_use = "a propagator does nothing until it extracts and injects"]
pub struct HeaderPropagator(Arc<Rules>);

impl HeaderPropagator {
    /// Creates a propagator of these headers.
    ///
    /// A name is a `&str`, a `String`, a [`HeaderName`], or another type that converts to one. Upper and lower case make no
    /// difference.
    ///
    /// ```
    /// # use tower_request_context::HeaderPropagator;
    /// let propagator = HeaderPropagator::new(["x-tenant", "x-request-id"]);
    /// assert!(propagator.header_names().eq(["x-tenant", "x-request-id"]));
    /// ```
    ///
    /// # Panics
    ///
    /// If a name is not a valid [`HeaderName`], or if the header frames a message or belongs to one connection:
    /// `Connection`, `Content-Length`, `Host`, `Keep-Alive`, `Proxy-Connection`, `TE`, `Trailer`, `Transfer-Encoding` and
    /// `Upgrade`. The message shows the name.
    #[track_caller]
    pub fn new<N>(names: impl IntoIterator<Item = N>) -> Self
    where
        N: TryInto<HeaderName, Error: Debug> + Debug,
    {
        let mut rules = Rules::new();
        for name in names {
            rules.add(header_name(name));
        }
        Self(Arc::new(rules))
    }

    /// Creates a propagator of the headers of a trace: `traceparent` and `tracestate`, of
    /// [W3C Trace Context](https://www.w3.org/TR/trace-context/).
    ///
    /// ```
    /// # use tower_request_context::HeaderPropagator;
    /// assert!(format!("{:?}", HeaderPropagator::trace_context()).contains(r#"["traceparent", "tracestate"]"#));
    /// ```
    pub fn trace_context() -> Self {
        Self::new([TRACEPARENT.clone(), TRACESTATE.clone()])
    }

    /// Adds a header.
    ///
    /// ```
    /// # use tower_request_context::HeaderPropagator;
    /// let propagator = HeaderPropagator::trace_context().header("x-request-id");
    /// assert!(propagator.header_names().eq(["traceparent", "tracestate", "x-request-id"]));
    /// ```
    ///
    /// # Panics
    ///
    /// For the same names as [`new`](Self::new).
    #[track_caller]
    pub fn header<N>(mut self, name: N) -> Self
    where
        N: TryInto<HeaderName, Error: Debug> + Debug,
    {
        self.rules().add(header_name(name));
        self
    }

    /// Returns the names of the headers that are propagated, in the order in which they were added.
    ///
    /// ```
    /// # use tower_request_context::HeaderPropagator;
    /// assert!(HeaderPropagator::trace_context().header_names().eq(["traceparent", "tracestate"]));
    /// ```
    pub fn header_names(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.names.iter()
    }

    /// Sets a predicate for [`extract`](Self::extract), which extracts nothing from a request for which it returns `false`.
    /// Decide by the request's extensions, which hold what the server knows about the peer.
    ///
    /// The [request id](Self#request-ids) is propagated also for other requests, since it is not taken from the request.
    ///
    /// ```
    /// # use tower_request_context::HeaderPropagator;
    /// use std::net::SocketAddr;
    ///
    /// let inside = HeaderPropagator::trace_context().trust_if(|request| {
    ///     request.extensions.get::<SocketAddr>().is_some_and(|peer| peer.ip().is_loopback())
    /// });
    /// assert!(format!("{inside:?}").contains("trust_if: true"));
    /// ```
    pub fn trust_if(mut self, trusted: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.rules().trusted = Some(Arc::new(trusted));
        self
    }

    /// Sets the [limit](Self#limits) for each header, in bytes of the values of all its lines. The default is 8192.
    ///
    /// ```
    /// # use tower_request_context::HeaderPropagator;
    /// let short = HeaderPropagator::trace_context().max_header_bytes(512);
    /// assert!(format!("{short:?}").contains("max_header_bytes: 512"));
    /// ```
    pub fn max_header_bytes(mut self, bytes: usize) -> Self {
        self.rules().max_header_bytes = bytes;
        self
    }

    /// Sets the [limit](Self#limits) for all headers together, in bytes of their values. The default is 16384.
    ///
    /// ```
    /// # use tower_request_context::HeaderPropagator;
    /// let short = HeaderPropagator::trace_context().max_total_bytes(1024);
    /// assert!(format!("{short:?}").contains("max_total_bytes: 1024"));
    /// ```
    pub fn max_total_bytes(mut self, bytes: usize) -> Self {
        self.rules().max_total_bytes = bytes;
        self
    }

    fn rules(&mut self) -> &mut Rules {
        Arc::make_mut(&mut self.0)
    }
}

impl Debug for HeaderPropagator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeaderPropagator")
            .field("names", &self.0.names)
            .field("trust_if", &self.0.trusted.is_some())
            .field("max_header_bytes", &self.0.max_header_bytes)
            .field("max_total_bytes", &self.0.max_total_bytes)
            .finish()
    }
}
