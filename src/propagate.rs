//! Propagation of a request's headers to its outgoing requests.

mod rules;

use std::{
    fmt::{self, Debug},
    sync::Arc,
};

use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};

use self::rules::{Rules, STATE, TRACE};
use crate::{
    RequestId, Store,
    headers::{REQUEST_ID, carries_id, header_name, ids_under, is_hop_by_hop},
    scope,
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
/// An outgoing [`HeaderMap`] that is full, at about 24,000 names, takes a header with all its lines or not at all.
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
/// [sensitive](HeaderValue::set_sensitive), which keeps them out of `Debug` and of the compression tables of HTTP/2.
/// `Debug` of this type shows names.
///
/// [RFC 9110]: https://www.rfc-editor.org/rfc/rfc9110#name-field-lines-and-combined-fi
/// [RFC 9110, 7.6.1]: https://www.rfc-editor.org/rfc/rfc9110#name-connection
/// [W3C's test suite]: https://github.com/w3c/trace-context/blob/main/test/test.py
#[derive(Clone)]
#[must_use = "a propagator does nothing until it extracts and injects"]
pub struct HeaderPropagator(Arc<Rules>);

/// The headers that were extracted into one store: the lines of each, in their order.
#[derive(Default)]
struct Extracted(Vec<(HeaderName, HeaderValue)>);

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
        Self::new([TRACE.clone(), STATE.clone()])
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
        self.rules().per_header = bytes;
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
        self.rules().total = bytes;
        self
    }

    /// Copies the listed headers of a request into its store. Call it in the setup closure, before or after
    /// [`RequestIdPolicy::apply`](crate::RequestIdPolicy::apply).
    ///
    /// A second call adds headers, and replaces those that both calls found. A replaced `traceparent` is removed together with
    /// its `tracestate`. The store holds copies, which do not keep the request's buffers alive.
    ///
    /// ```
    /// # use tower_request_context::{HeaderPropagator, RequestContextLayer};
    /// let propagator = HeaderPropagator::trace_context();
    /// let layer = RequestContextLayer::new(move |store, request| propagator.extract(store, request));
    /// # use tower::{Layer, Service};
    /// # let inner = tower::service_fn(async |_: http::Request<()>| Ok::<_, ()>(http::Response::new(String::new())));
    /// # drop(layer.layer(inner).call(http::Request::new(())));
    /// ```
    pub fn extract(&self, store: &mut Store, request: &Parts) {
        if self.0.trusted.as_ref().is_none_or(|trusted| trusted(request)) {
            self.extract_if(store, &request.headers, |store, name| !carries_id(store, name));
        }
    }

    /// Copies the listed headers of a message into the store of a job, and restores its request id. Use it for sources that
    /// you own, such as a queue that only your services can write to.
    ///
    /// This is [`extract`](Self::extract) for headers without an HTTP request. The [limits](Self#limits) are the same, and
    /// headers that the message's `Connection` header nominates are left out. [`trust_if`](Self::trust_if) does not apply.
    ///
    /// If `x-request-id` is listed, its value becomes the [id](Store::id) of the store, unless the store has one. A value
    /// that is not a valid id, or that is repeated, is ignored: it is not propagated as another header would be. An id under
    /// another header is copied as a header, and does not become the id of the store.
    ///
    /// ```
    /// # use http::HeaderMap;
    /// # use tower_request_context::{HeaderPropagator, RequestContext, RequestId, Store};
    /// let propagator = HeaderPropagator::trace_context().header("x-request-id");
    /// let request = RequestContext::new(Store::new().with_value("id-7".parse::<RequestId>()?));
    ///
    /// let mut message = HeaderMap::new();
    /// request.sync_scope(|| propagator.inject(&mut message));
    ///
    /// let mut store = Store::new();
    /// propagator.extract_trusted(&mut store, &message);
    /// assert_eq!(store.id().unwrap().as_str(), "id-7");
    /// # Ok::<_, tower_request_context::RequestIdError>(())
    /// ```
    pub fn extract_trusted(&self, store: &mut Store, headers: &HeaderMap) {
        if self.0.names.contains(&REQUEST_ID) && store.id().is_none() && !is_hop_by_hop(headers, &REQUEST_ID) {
            if let Ok(Some(id)) = RequestId::from_headers(headers, &REQUEST_ID) {
                store.insert(id);
            }
        }
        // A copy of a valid id could differ from the store's, and an invalid one may be made to do harm in a log.
        self.extract_if(store, headers, |store, name| *name != REQUEST_ID && !carries_id(store, name));
    }

    /// Copies those of the listed headers that are wanted and not hop-by-hop.
    fn extract_if(&self, store: &mut Store, headers: &HeaderMap, is_wanted: impl Fn(&Store, &HeaderName) -> bool) {
        let is_taken = |name| is_wanted(store, name) && !is_hop_by_hop(headers, name);
        let names = self.0.admit(|name| is_taken(name).then(|| headers.get_all(name)).into_iter().flatten());
        if names.is_empty() {
            return;
        }
        let mut extracted = store.insert(Extracted::default()).unwrap_or_default();
        // The state of one trace says nothing of another.
        let is_other = names.contains(&&TRACE) && extracted.lines_of(&TRACE).ne(headers.get_all(&TRACE));
        extracted.0.retain(|(name, _)| !(names.contains(&name) || is_other && *name == STATE));
        for name in names {
            extracted.0.extend(headers.get_all(name).iter().map(|line| (name.clone(), copy(name, line))));
        }
        store.insert(extracted);
    }

    /// Adds the listed headers that the current context holds, and its [request id](Self#request-ids), to the headers of an
    /// outgoing request or message.
    ///
    /// Headers that are already present are left as they are. Where no context is current, nothing is added. A header that
    /// was not extracted into a [child](crate::RequestContext::child), or into the context of a layer that inherits, is taken
    /// from the nearest parent that holds it.
    ///
    /// ```
    /// # use tower_request_context::HeaderPropagator;
    /// use http::Request;
    /// use tower::{ServiceBuilder, service_fn};
    ///
    /// let propagator = HeaderPropagator::trace_context();
    /// let client = ServiceBuilder::new().map_request(move |mut request: Request<String>| {
    ///     propagator.inject(request.headers_mut());
    ///     request
    /// });
    /// let client = client.service(service_fn(async |request: Request<String>| Ok::<_, ()>(request.headers().len())));
    /// # let sent = tokio_test::block_on(tower::ServiceExt::oneshot(client, Request::new(String::new())));
    /// # assert_eq!(sent, Ok(0)); // no context is current
    /// ```
    pub fn inject(&self, headers: &mut HeaderMap) {
        scope::with_current(|context| {
            let Some(context) = context else { return };
            let ids = ids_under(context, &self.0.names);
            let id_under = |name: &HeaderName| ids.iter().find(|(header, _)| *header == name);
            let source = |name: &HeaderName| {
                // The state of one trace says nothing of another, be it the caller's or a parent's.
                let holder = if *name == STATE { &TRACE } else { name };
                // What was extracted under the header of an id is a client's, or a copy.
                if id_under(name).is_some() || id_under(holder).is_some() {
                    return None;
                }
                context.seeded().find(|extracted: &&Extracted| extracted.holds(holder))
            };
            let lines_of = |name| {
                let is_free = !headers.contains_key(name);
                let id = id_under(name).and_then(|(_, id)| id.as_ref());
                let extracted = source(name).into_iter().flat_map(move |extracted| extracted.lines_of(name));
                id.into_iter().chain(extracted).filter(move |_| is_free)
            };
            let admitted = self.0.admit(lines_of);
            let lines = admitted.into_iter().flat_map(|name| lines_of(name).map(move |line| (name, line.clone())));
            for (name, line) in lines.collect::<Vec<_>>() {
                // A map that is full takes no other line, and so would have but a part of this header.
                if headers.try_append(name, line).is_err() {
                    headers.remove(name);
                    return;
                }
            }
        });
    }

    fn rules(&mut self) -> &mut Rules {
        Arc::make_mut(&mut self.0)
    }
}

impl Extracted {
    fn holds(&self, name: &HeaderName) -> bool {
        self.lines_of(name).next().is_some()
    }

    fn lines_of(&self, name: &HeaderName) -> impl Iterator<Item = &HeaderValue> {
        self.0.iter().filter(move |(extracted, _)| extracted == name).map(|(_, line)| line)
    }
}

/// A copy does not keep the buffer alive that the server read the request into.
fn copy(name: &HeaderName, line: &HeaderValue) -> HeaderValue {
    let mut copy = HeaderValue::from_bytes(line.as_bytes()).expect("a header value has the bytes of one");
    let is_public = *name == TRACE || *name == STATE || *name == REQUEST_ID;
    copy.set_sensitive(line.is_sensitive() || !is_public);
    copy
}

impl Debug for HeaderPropagator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeaderPropagator")
            .field("names", &self.0.names)
            .field("trust_if", &self.0.trusted.is_some())
            .field("max_header_bytes", &self.0.per_header)
            .field("max_total_bytes", &self.0.total)
            .finish()
    }
}
