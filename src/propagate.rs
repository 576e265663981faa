//! The headers of a request that go along on the calls it makes.

mod rules;

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};

use self::rules::{Rules, STATE, TRACE};
use crate::{Store, scope};

/// Carries some headers of a request over to the calls that are made for it, so that the next service knows it too.
///
/// It is a list of names, and there is no way to say "all". [`capture`](Self::capture) takes those headers from a request,
/// in the setup of a layer; [`inject`](Self::inject) puts them on a call, wherever a client lets headers be changed:
/// `tower::util::MapRequestLayer` around hyper-util's client or tonic's `Channel`, an interceptor, a middleware.
///
/// ```
/// use http::{HeaderMap, HeaderName};
/// use tower_request_context::{HeaderPropagation, RequestContext, Store};
///
/// let travelling = HeaderPropagation::trace_context().and(HeaderName::from_static("x-tenant"));
///
/// let request = http::Request::builder().header("x-tenant", "cats & co").header("cookie", "private").body(()).unwrap();
/// let mut store = Store::new();
/// travelling.capture(&mut store, &request.into_parts().0);
///
/// let mut headers = HeaderMap::new();
/// RequestContext::new(store).sync_scope(|| travelling.inject(&mut headers));
/// assert_eq!(headers.len(), 1);
/// assert_eq!(headers["x-tenant"], "cats & co");
/// ```
///
/// # Limits
///
/// A header counts with all its lines, as if they were joined by commas ([RFC 9110]). One that is longer than the limit for
/// each is left out, and of what together exceeds the limit for all, the longest are, until the rest fits: no header is cut,
/// and none is left out for another that is longer. Both are checked before anything is copied, at each capture and again
/// at each injection. `baggage`, which is in no preset, is also left out above the 8192 bytes and 64 members of its
/// specification.
///
/// # What travels
///
/// Values travel byte for byte; nothing is parsed, and so nothing is vouched for. A `tracestate` goes with its own
/// `traceparent` or not at all, since alone it means nothing. All but `traceparent`, `tracestate` and
/// `x-request-id` are marked [sensitive](HeaderValue::set_sensitive), which keeps them out of `Debug` and of the
/// compression tables of HTTP/2. `Debug` of this type shows names.
///
/// [RFC 9110]: https://www.rfc-editor.org/rfc/rfc9110#name-field-lines-and-combined-fi
#[derive(Clone)]
#[must_use = "propagation does nothing until it captures and injects"]
pub struct HeaderPropagation(Arc<Rules>);

/// What was captured in one store: the lines of each header, in their order.
#[derive(Default)]
struct Captured(Vec<(HeaderName, HeaderValue)>);

impl HeaderPropagation {
    /// Lets these headers travel.
    ///
    /// ```
    /// # use tower_request_context::HeaderPropagation;
    /// let tenant = HeaderPropagation::new([http::HeaderName::from_static("x-tenant")]);
    /// assert!(format!("{tenant:?}").contains("x-tenant"));
    /// ```
    ///
    /// # Panics
    ///
    /// On the name of a header that frames a message or belongs to one connection: `Connection`, `Content-Length`, `Host`,
    /// `Keep-Alive`, `Proxy-Connection`, `TE`, `Trailer`, `Transfer-Encoding` and `Upgrade`.
    #[track_caller]
    pub fn new(names: impl IntoIterator<Item = HeaderName>) -> Self {
        let mut rules = Rules::new();
        for name in names {
            rules.add(name);
        }
        Self(Arc::new(rules))
    }

    /// Lets a trace travel: `traceparent` and `tracestate`, of [W3C Trace Context](https://www.w3.org/TR/trace-context/).
    ///
    /// ```
    /// # use tower_request_context::HeaderPropagation;
    /// assert!(format!("{:?}", HeaderPropagation::trace_context()).contains(r#"["traceparent", "tracestate"]"#));
    /// ```
    pub fn trace_context() -> Self {
        Self::new([TRACE.clone(), STATE.clone()])
    }

    /// Lets one more header travel.
    ///
    /// ```
    /// # use tower_request_context::HeaderPropagation;
    /// let travelling = HeaderPropagation::trace_context().and(http::HeaderName::from_static("x-request-id"));
    /// assert!(format!("{travelling:?}").contains("x-request-id"));
    /// ```
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new) does.
    #[track_caller]
    pub fn and(mut self, name: HeaderName) -> Self {
        self.rules().add(name);
        self
    }

    /// Captures nothing from a request unless `trusted` says that it may: by what its extensions say of the peer.
    ///
    /// That goes for an id made by [`RequestIdPolicy`](crate::RequestIdPolicy) too, which the request carries like any other
    /// header. Where the id of a stranger's request is to travel and its trace is not, let one list capture the id and
    /// another the trace, and a third that names both inject them: see [`recipes::trust`](crate::recipes::trust).
    ///
    /// ```
    /// # use tower_request_context::HeaderPropagation;
    /// use std::net::SocketAddr;
    ///
    /// let inside = HeaderPropagation::trace_context().trust_if(|request| {
    ///     request.extensions.get::<SocketAddr>().is_some_and(|peer| peer.ip().is_loopback())
    /// });
    /// assert!(format!("{inside:?}").contains("trust_if: true"));
    /// ```
    pub fn trust_if(mut self, trusted: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.rules().trusted = Some(Arc::new(trusted));
        self
    }

    /// Sets the [limits](Self#limits), in bytes of values: for each header with all its lines, and for all together.
    /// Without it they are 8192 and 16384.
    ///
    /// ```
    /// # use tower_request_context::HeaderPropagation;
    /// let short = HeaderPropagation::trace_context().max_bytes(512, 1024);
    /// assert!(format!("{short:?}").contains("max_bytes: (512, 1024)"));
    /// ```
    pub fn max_bytes(mut self, per_header: usize, total: usize) -> Self {
        let rules = self.rules();
        (rules.per_header, rules.total) = (per_header, total);
        self
    }

    /// Takes the headers that are to travel from a request into its store. Called in the setup of a layer, after
    /// [`RequestIdPolicy::apply`](crate::RequestIdPolicy::apply) where the id travels too.
    ///
    /// A second capture adds to the first, and has the last word on a header that both found; the `tracestate` of another
    /// `traceparent` goes with it. The store holds copies: it does not keep the head of the request alive.
    ///
    /// ```
    /// # use tower_request_context::{HeaderPropagation, RequestContextLayer};
    /// let travelling = HeaderPropagation::trace_context();
    /// let layer = RequestContextLayer::new(move |store, request| travelling.capture(store, request));
    /// # use tower::{Layer, Service};
    /// # let inner = tower::service_fn(async |_: http::Request<()>| Ok::<_, ()>(http::Response::new(String::new())));
    /// # drop(layer.layer(inner).call(http::Request::new(())));
    /// ```
    pub fn capture(&self, store: &mut Store, request: &Parts) {
        if self.0.trusted.as_ref().is_some_and(|trusted| !trusted(request)) {
            return;
        }
        let lines_of = |name| request.headers.get_all(name).iter();
        let names = self.0.admit(lines_of);
        if names.is_empty() {
            return;
        }
        let mut captured = store.insert(Captured::default()).unwrap_or_default();
        // The state of one trace says nothing of another.
        let is_other = names.contains(&&TRACE) && captured.lines_of(&TRACE).ne(request.headers.get_all(&TRACE));
        captured.0.retain(|(name, _)| !(names.contains(&name) || is_other && *name == STATE));
        for name in names {
            captured.0.extend(lines_of(name).map(|line| (name.clone(), copy(name, line))));
        }
        store.insert(captured);
    }

    /// Puts what the current context captured on the headers of a call, as far as this list names it.
    ///
    /// A header that is there already is left as it is, and so are all where no context is current. What a
    /// [child](crate::RequestContext::child), or a layer that inherits, has not captured itself, it finds in its parents, the
    /// nearest first.
    ///
    /// ```
    /// # use tower_request_context::HeaderPropagation;
    /// use http::Request;
    /// use tower::{ServiceBuilder, service_fn};
    ///
    /// let travelling = HeaderPropagation::trace_context();
    /// let client = ServiceBuilder::new().map_request(move |mut request: Request<String>| {
    ///     travelling.inject(request.headers_mut());
    ///     request
    /// });
    /// let client = client.service(service_fn(async |request: Request<String>| Ok::<_, ()>(request.headers().len())));
    /// # let sent = tokio_test::block_on(tower::ServiceExt::oneshot(client, Request::new(String::new())));
    /// # assert_eq!(sent, Ok(0)); // no context is current
    /// ```
    pub fn inject(&self, headers: &mut HeaderMap) {
        scope::with_current(|context| {
            let Some(context) = context else { return };
            let nearest = |name: &HeaderName| context.seeded().find(|captured: &&Captured| captured.holds(name));
            // The state of one trace says nothing of another, be it the caller's or a parent's.
            let holder = |name: &HeaderName| nearest(if *name == STATE { &TRACE } else { name });
            let source = |name: &HeaderName| holder(name).filter(|_| !headers.contains_key(name));
            let lines_of = |name| source(name).into_iter().flat_map(move |captured| captured.lines_of(name));
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

impl Captured {
    fn holds(&self, name: &HeaderName) -> bool {
        self.lines_of(name).next().is_some()
    }

    fn lines_of(&self, name: &HeaderName) -> impl Iterator<Item = &HeaderValue> {
        self.0.iter().filter(move |(captured, _)| captured == name).map(|(_, line)| line)
    }
}

/// A copy does not keep the buffer alive that the server read the request into.
fn copy(name: &HeaderName, line: &HeaderValue) -> HeaderValue {
    let mut copy = HeaderValue::from_bytes(line.as_bytes()).expect("a header value has the bytes of one");
    let is_public = *name == TRACE || *name == STATE || name == "x-request-id";
    copy.set_sensitive(line.is_sensitive() || !is_public);
    copy
}

impl fmt::Debug for HeaderPropagation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeaderPropagation")
            .field("names", &self.0.names)
            .field("trust_if", &self.0.trusted.is_some())
            .field("max_bytes", &(self.0.per_header, self.0.total))
            .finish()
    }
}
