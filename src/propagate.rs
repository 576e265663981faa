//! The headers of a request that go along on the calls it makes.

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};

use crate::{Store, scope, trusted::Trusted};

/// Limits of [W3C Baggage](https://www.w3.org/TR/baggage/#limits), which hold for all lines of that header together.
const BAGGAGE_BYTES: usize = 8192;
const BAGGAGE_MEMBERS: usize = 64;

/// Headers that frame a message or belong to one connection (RFC 9110, sections 6.6, 7.2, 7.6.1 and 8.6).
const OF_ONE_MESSAGE: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

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
/// Values travel byte for byte; nothing is parsed, and so nothing is vouched for. All but `traceparent`, `tracestate` and
/// `x-request-id` are marked [sensitive](HeaderValue::set_sensitive), which keeps them out of `Debug` and of the
/// compression tables of HTTP/2. `Debug` of this type shows names.
///
/// [RFC 9110]: https://www.rfc-editor.org/rfc/rfc9110#name-field-lines-and-combined-fi
#[derive(Clone)]
#[must_use = "propagation does nothing until it captures and injects"]
pub struct HeaderPropagation(Arc<Rules>);

#[derive(Clone)]
struct Rules {
    names: Vec<HeaderName>,
    trusted: Option<Trusted>,
    per_header: usize,
    total: usize,
}

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
        let mut rules = Rules { names: Vec::new(), trusted: None, per_header: 8192, total: 16384 };
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
        Self::new(["traceparent", "tracestate"].map(HeaderName::from_static))
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
    /// A second capture adds to the first, and has the last word on a header that both found. The store holds copies: it
    /// does not keep the head of the request alive.
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
        captured.0.retain(|(name, _)| !names.contains(&name));
        for name in names {
            captured.0.extend(lines_of(name).map(|line| (name.clone(), copy(name, line))));
        }
        store.insert(captured);
    }

    /// Puts what the current context captured on the headers of a call, as far as this list names it.
    ///
    /// A header that is there already is left as it is, and so are all where no context is current. What a context lacks,
    /// a [child](crate::RequestContext::child) of it or one that inherits finds in its parents.
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
            let lines_of = |name| {
                let is_free = !headers.contains_key(name);
                let found =
                    context.seeded().find(|captured: &&Captured| is_free && captured.lines_of(name).next().is_some());
                found.into_iter().flat_map(move |captured| captured.lines_of(name))
            };
            let admitted = self.0.admit(lines_of);
            let lines =
                admitted.into_iter().flat_map(|name| lines_of(name).map(move |line| (name.clone(), line.clone())));
            for (name, line) in lines.collect::<Vec<_>>() {
                // A map that is full takes no new name, and so none of its lines.
                let _ = headers.try_append(name, line);
            }
        });
    }

    fn rules(&mut self) -> &mut Rules {
        Arc::make_mut(&mut self.0)
    }
}

impl Rules {
    #[track_caller]
    fn add(&mut self, name: HeaderName) {
        assert!(
            !OF_ONE_MESSAGE.contains(&name),
            "the header `{name}` frames one message or belongs to one connection, and cannot travel to another: leave it to \
             the client, and propagate headers that describe the request",
        );
        if !self.names.contains(&name) {
            self.names.push(name);
        }
    }

    /// The names whose headers are there and within the limits.
    fn admit<'a, L>(&'a self, lines_of: impl Fn(&'a HeaderName) -> L) -> Vec<&'a HeaderName>
    where
        L: Iterator<Item = &'a HeaderValue>,
    {
        let length = |name| self.length(name, || lines_of(name));
        let mut admitted: Vec<_> = self.names.iter().filter_map(|name| Some((length(name)?, name))).collect();
        while admitted.iter().map(|(length, _)| length).sum::<usize>() > self.total {
            let longest = admitted.iter().enumerate().max_by_key(|(_, (length, _))| *length);
            admitted.remove(longest.expect("the sum of none is zero").0);
        }
        admitted.into_iter().map(|(_, name)| name).collect()
    }

    /// The bytes of a header's lines and of the commas that would join them, if it is there and fits.
    fn length<'a, L>(&self, name: &HeaderName, lines: impl Fn() -> L) -> Option<usize>
    where
        L: Iterator<Item = &'a HeaderValue>,
    {
        let length = lines().map(|line| line.len() + 1).sum::<usize>().checked_sub(1)?;
        let fits = match name.as_str() {
            "baggage" => {
                let members = || lines().flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).count();
                length <= self.per_header.min(BAGGAGE_BYTES) && members() <= BAGGAGE_MEMBERS
            }
            _ => length <= self.per_header,
        };
        fits.then_some(length)
    }
}

impl Captured {
    fn lines_of(&self, name: &HeaderName) -> impl Iterator<Item = &HeaderValue> {
        self.0.iter().filter(move |(captured, _)| captured == name).map(|(_, line)| line)
    }
}

/// A copy does not keep the buffer alive that the server read the request into.
fn copy(name: &HeaderName, line: &HeaderValue) -> HeaderValue {
    let mut copy = HeaderValue::from_bytes(line.as_bytes()).expect("a header value has the bytes of one");
    copy.set_sensitive(line.is_sensitive() || !matches!(name.as_str(), "traceparent" | "tracestate" | "x-request-id"));
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
