//! Where the id of a request comes from, and where it is put.

use std::{
    fmt::{self, Debug},
    sync::Arc,
};

use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};

use super::{RequestId, RequestIdError};
use crate::{
    RequestContext, Store,
    headers::{REQUEST_ID, Trusted, assert_free, header_name, insert_id, is_hop_by_hop},
};

/// Gives each request an id: in the store, on the request's header, and on the response.
///
/// [`apply`](Self::apply) is called in the setup of a layer. By default the header is `x-request-id` and the id is made
/// anew, whatever the client sent: that is right at the edge, where clients are strangers. Behind a proxy or in a mesh,
/// [`accept_inbound`](Self::accept_inbound).
///
/// ```
/// # use http::{Request, Response};
/// # use tower::{Layer, ServiceExt, service_fn};
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use tower_request_context::{RequestContext, RequestContextLayer, RequestIdPolicy};
///
/// let ids = RequestIdPolicy::new();
/// let layer = RequestContextLayer::new(move |store, request| {
///     ids.apply(store, request);
/// });
/// let service = layer.layer(service_fn(async |_: Request<()>| {
///     let id = RequestContext::id().expect("each request has one");
///     Ok::<_, ()>(Response::new(id.to_string()))
/// }));
/// let response = service.oneshot(Request::new(())).await.unwrap();
/// let echoed = response.headers()["x-request-id"].clone();
/// assert_eq!(http_body_util::BodyExt::collect(response).await.unwrap().to_bytes(), echoed.as_bytes());
/// # }
/// ```
///
/// A policy is cheap to clone. Its closures are called through a pointer, each at most once for an `apply`.
///
/// # Outgoing requests
///
/// A [`HeaderPropagator`](crate::HeaderPropagator) that lists the policy's header propagates the id to the services that
/// are called. It writes the id that [`RequestContext::id`] returns, whatever the request's header says.
#[derive(Clone)]
#[must_use = "a policy does nothing until it is applied in a setup"]
pub struct RequestIdPolicy {
    header: HeaderName,
    fallback: Option<HeaderName>,
    generate: Arc<dyn Fn(&mut Parts) -> RequestId + Send + Sync>,
    trusted: Option<Trusted>,
    echo: Option<Echo>,
}

/// How the id is written on a response.
#[derive(Clone, Copy)]
enum Echo {
    Replace,
    IfAbsent,
}

impl RequestIdPolicy {
    /// Creates the policy for an edge: `x-request-id`, always a new [`RequestId::new_v4`], echoed on the response.
    ///
    /// ```
    /// # use tower_request_context::RequestIdPolicy;
    /// let ids = RequestIdPolicy::new();
    /// assert!(format!("{ids:?}").contains("x-request-id"));
    /// ```
    pub fn new() -> Self {
        Self {
            header: REQUEST_ID.clone(),
            fallback: None,
            generate: Arc::new(|_| RequestId::new_v4()),
            trusted: None,
            echo: Some(Echo::Replace),
        }
    }

    /// Sets the header that carries the id, on the request and on the response. The default is `x-request-id`.
    ///
    /// ```
    /// # use tower_request_context::RequestIdPolicy;
    /// let ids = RequestIdPolicy::new().header("x-correlation-id");
    /// assert_eq!(ids.header_name(), "x-correlation-id");
    /// ```
    ///
    /// # Panics
    ///
    /// For the same names as [`HeaderPropagator::new`](crate::HeaderPropagator::new).
    #[track_caller]
    pub fn header<N>(mut self, name: N) -> Self
    where
        N: TryInto<HeaderName, Error: Debug> + Debug,
    {
        self.header = free_header(name);
        self
    }

    /// Sets a second header from which an inbound id is adopted, if [the first](Self::header) has no valid one.
    ///
    /// It is read only where [`accept_inbound`](Self::accept_inbound) or [`accept_inbound_if`](Self::accept_inbound_if)
    /// trusts the request, and the predicate is called once for both headers. The id is written to the first header, on the
    /// request and on the response. The second header stays on the request as it is.
    ///
    /// ```
    /// # use tower_request_context::{RequestIdPolicy, Store};
    /// let ids = RequestIdPolicy::new().accept_inbound().fallback_header("x-correlation-id");
    /// let request = http::Request::builder().header("x-correlation-id", "from-the-proxy").body(()).unwrap();
    /// let id = ids.apply(&mut Store::new(), &mut request.into_parts().0);
    /// assert_eq!(id.as_str(), "from-the-proxy");
    /// ```
    ///
    /// # Panics
    ///
    /// For the same names as [`header`](Self::header).
    #[track_caller]
    pub fn fallback_header<N>(mut self, name: N) -> Self
    where
        N: TryInto<HeaderName, Error: Debug> + Debug,
    {
        self.fallback = Some(free_header(name));
        self
    }

    /// Returns the name of the header that carries the id.
    ///
    /// ```
    /// # use tower_request_context::RequestIdPolicy;
    /// assert_eq!(RequestIdPolicy::new().header_name(), "x-request-id");
    /// ```
    #[must_use]
    pub const fn header_name(&self) -> &HeaderName {
        &self.header
    }

    /// Sets the closure that creates ids. The request that it gets lacks the header that was rejected.
    ///
    /// ```
    /// # use tower_request_context::{RequestId, RequestIdPolicy, Store};
    /// let ids = RequestIdPolicy::new().generate(|_| RequestId::new_v7());
    /// # let (mut request, ()) = http::Request::new(()).into_parts();
    /// let id = ids.apply(&mut Store::new(), &mut request);
    /// assert_eq!(id.as_str().as_bytes()[14], b'7');
    /// ```
    pub fn generate(mut self, f: impl Fn(&Parts) -> RequestId + Send + Sync + 'static) -> Self {
        self.generate = Arc::new(move |request| f(request));
        self
    }

    /// Creates ids with a generator written for the `SetRequestIdLayer` of tower-http 0.6.
    ///
    /// The generator is cloned for each request, as that layer does it. A counter has to be shared between its clones, as an
    /// `Arc` of an atomic. The request that it gets lacks the header that was rejected, and has an empty body. If it returns
    /// no id or an invalid one, the id is a [`RequestId::new_v4`].
    ///
    /// ```
    /// use tower_http_06::request_id::MakeRequestUuid;
    /// # use tower_request_context::{RequestIdPolicy, Store};
    ///
    /// let ids = RequestIdPolicy::new().generate_with_tower_http_06(MakeRequestUuid);
    /// # let (mut request, ()) = http::Request::new(()).into_parts();
    /// assert_eq!(ids.apply(&mut Store::new(), &mut request).as_str().len(), 36);
    /// ```
    #[cfg(feature = "tower-http-06")]
    pub fn generate_with_tower_http_06<M>(mut self, generator: M) -> Self
    where
        M: tower_http_06::request_id::MakeRequestId + Clone + Send + Sync + 'static,
    {
        self.generate = Arc::new(move |parts| {
            let id = with_request(parts, |request| generator.clone().make_request_id(request));
            id.and_then(|id| id.header_value().try_into().ok()).unwrap_or_else(RequestId::new_v4)
        });
        self
    }

    /// Creates ids with a generator written for the `SetRequestIdLayer` of tower-http 0.7.
    ///
    /// The generator is cloned for each request, as that layer does it. A counter has to be shared between its clones, as an
    /// `Arc` of an atomic. The request that it gets lacks the header that was rejected, and has an empty body. If it returns
    /// no id or an invalid one, the id is a [`RequestId::new_v4`].
    ///
    /// ```
    /// use tower_http::request_id::MakeRequestUuid;
    /// # use tower_request_context::{RequestIdPolicy, Store};
    ///
    /// let ids = RequestIdPolicy::new().generate_with_tower_http_07(MakeRequestUuid);
    /// # let (mut request, ()) = http::Request::new(()).into_parts();
    /// assert_eq!(ids.apply(&mut Store::new(), &mut request).as_str().len(), 36);
    /// ```
    #[cfg(feature = "tower-http-07")]
    pub fn generate_with_tower_http_07<M>(mut self, generator: M) -> Self
    where
        M: tower_http::request_id::MakeRequestId + Clone + Send + Sync + 'static,
    {
        self.generate = Arc::new(move |parts| {
            let id = with_request(parts, |request| generator.clone().make_request_id(request));
            id.and_then(|id| id.header_value().try_into().ok()).unwrap_or_else(RequestId::new_v4)
        });
        self
    }

    /// Adopts the id that a request comes with, if there is exactly one and it is valid. For a server that only a proxy or
    /// a mesh can reach, which sets the header or checks it.
    ///
    /// An id is not adopted when the request's `Connection` header nominates its header: then it is meant for one
    /// connection, and not for this server's logs ([RFC 9110, 7.6.1]).
    ///
    /// [RFC 9110, 7.6.1]: https://www.rfc-editor.org/rfc/rfc9110#name-connection
    ///
    /// ```
    /// # use tower_request_context::{RequestIdPolicy, Store};
    /// let ids = RequestIdPolicy::new().accept_inbound();
    /// let request = http::Request::builder().header("x-request-id", "from-the-proxy").body(()).unwrap();
    /// let id = ids.apply(&mut Store::new(), &mut request.into_parts().0);
    /// assert_eq!(id.as_str(), "from-the-proxy");
    /// ```
    pub fn accept_inbound(self) -> Self {
        self.accept_inbound_if(|_| true)
    }

    /// Adopts the id that a request comes with, if there is exactly one, it is valid, and `trusted` says that this request
    /// may: by what its extensions say of the peer, not by another header, which is a client's too.
    ///
    /// ```
    /// # use tower_request_context::{RequestIdPolicy, Store};
    /// use std::net::SocketAddr;
    ///
    /// let ids = RequestIdPolicy::new().accept_inbound_if(|request| {
    ///     request.extensions.get::<SocketAddr>().is_some_and(|peer| peer.ip().is_loopback())
    /// });
    /// # let request = http::Request::builder().header("x-request-id", "forged").body(()).unwrap();
    /// # assert_ne!(ids.apply(&mut Store::new(), &mut request.into_parts().0).as_str(), "forged");
    /// ```
    pub fn accept_inbound_if(mut self, trusted: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.trusted = Some(Arc::new(trusted));
        self
    }

    /// Sets whether the response carries the id, which it does by default.
    ///
    /// The id replaces all lines that the response has under that name, so that it carries the id of the logs. A response
    /// that comes from another server may have an id of its own: see [`echo_if_absent`](Self::echo_if_absent).
    ///
    /// ```
    /// # use tower_request_context::RequestIdPolicy;
    /// let silent = RequestIdPolicy::new().echo(false);
    /// assert!(format!("{silent:?}").contains("echo: false"));
    /// ```
    pub fn echo(mut self, echo: bool) -> Self {
        self.echo = echo.then_some(Echo::Replace);
        self
    }

    /// Sets the id on responses that have no such header, and leaves the others as they are.
    ///
    /// For a reverse proxy whose clients should see the id of the upstream's response, as tower-http's
    /// `PropagateRequestIdLayer` does it. That header is not validated, and it may differ from the id in the logs of this
    /// server. The last call of this method and of [`echo`](Self::echo) counts.
    ///
    /// ```
    /// # use http::{Request, Response};
    /// # use tower::{Layer, ServiceExt, service_fn};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # use tower_request_context::{RequestContextLayer, RequestIdPolicy};
    /// let ids = RequestIdPolicy::new().echo_if_absent();
    /// let layer = RequestContextLayer::new(move |store, request| {
    ///     ids.apply(store, request);
    /// });
    /// let proxy = layer.layer(service_fn(async |_: Request<()>| {
    ///     Response::builder().header("x-request-id", "of-the-upstream").body(String::new())
    /// }));
    /// let response = proxy.oneshot(Request::new(())).await.unwrap();
    /// assert_eq!(response.headers()["x-request-id"], "of-the-upstream");
    /// # }
    /// ```
    pub fn echo_if_absent(mut self) -> Self {
        self.echo = Some(Echo::IfAbsent);
        self
    }

    /// Gives a request its id, and returns it. Called in the setup of a layer.
    ///
    /// The id is then in the store, for [`RequestContext::id`]; alone on the request's header, in place of all that stood
    /// there, for the services inside; and on the response, whoever makes that: the handler, or a setup that refuses. With
    /// the features `tower-http-06` and `tower-http-07` it is also in the request's extensions, as the `RequestId` of that
    /// version of tower-http.
    ///
    /// The id that the request comes with is kept if it is trusted, or if it is already that of the store or of the current
    /// context, as it is for a layer inside a layer. It is never repaired, and what is not kept is neither echoed nor
    /// logged. Of two policies with different headers the one that is applied last gives the id. The header of the other
    /// keeps the id that it was given, also on outgoing requests.
    ///
    /// A [`HeaderMap`] has room for about 24,000 names. The id is left off a request or a response whose map is full, and a
    /// client's id is removed from it even then. The id in the store, and on outgoing requests, does not depend on that.
    ///
    /// ```
    /// # use tower_request_context::{RequestIdPolicy, Store};
    /// let forged = http::Request::builder().header("x-request-id", "forged").body(()).unwrap();
    /// let (mut store, (mut request, ())) = (Store::new(), forged.into_parts());
    /// let id = RequestIdPolicy::new().apply(&mut store, &mut request);
    /// assert_ne!(id.as_str(), "forged");
    /// assert_eq!(request.headers["x-request-id"], id.as_str());
    /// assert_eq!(store.id(), Some(id));
    /// ```
    pub fn apply(&self, store: &mut Store, request: &mut Parts) -> RequestId {
        let id = self.inbound(store, request).unwrap_or_else(|| {
            request.headers.remove(&self.header);
            (self.generate)(request)
        });
        insert_id(store, &self.header, id.clone());
        if request.headers.try_insert(self.header.clone(), id.clone().into()).is_err() {
            // The map is full, and does not even replace a header. It has room once that is removed.
            request.headers.remove(&self.header);
            let _ = request.headers.try_insert(self.header.clone(), id.clone().into());
        }
        #[cfg(feature = "tower-http-06")]
        request.extensions.insert(tower_http_06::request_id::RequestId::new(id.clone().into()));
        #[cfg(feature = "tower-http-07")]
        request.extensions.insert(tower_http::request_id::RequestId::new(id.clone().into()));
        if let Some(echo) = self.echo {
            let (name, value) = (self.header.clone(), id.clone().into());
            store.on_response(move |head| echo.write(&mut head.headers, name, value));
        }
        id
    }

    /// Returns the id that [`apply`](Self::apply) would adopt from a request, or `None` if there is none or the request is
    /// not trusted.
    ///
    /// [`apply`](Self::apply) replaces an invalid id. Call this first to reject the request instead. It does not look at the
    /// id of an outer layer, which [`apply`](Self::apply) keeps.
    ///
    /// ```
    /// # use axum::response::IntoResponse;
    /// # use http::StatusCode;
    /// # use tower_request_context::{RequestContextLayer, RequestIdPolicy, Store};
    /// let ids = RequestIdPolicy::new().accept_inbound();
    /// # let (policy, (mut request, ())) = (ids.clone(), http::Request::new(()).into_parts());
    /// let setup = move |store: &mut Store, request: &mut http::request::Parts| {
    ///     if let Err(error) = ids.inbound_id(request) {
    ///         return Err((StatusCode::BAD_REQUEST, error.to_string()).into_response());
    ///     }
    ///     ids.apply(store, request);
    ///     Ok(())
    /// };
    /// # request.headers.insert("x-request-id", http::HeaderValue::from_static("two words"));
    /// # assert!(policy.inbound_id(&request).is_err());
    /// # assert_eq!(setup(&mut Store::new(), &mut request).unwrap_err().status(), StatusCode::BAD_REQUEST);
    /// ```
    ///
    /// # Errors
    ///
    /// A [`RequestIdError`] if a trusted request has an invalid id. With a [`fallback_header`](Self::fallback_header) this is
    /// an error only if neither header has a valid id. If both are invalid, it is the error of the first.
    pub fn inbound_id(&self, request: &Parts) -> Result<Option<RequestId>, RequestIdError> {
        if self.trusted.as_ref().is_none_or(|trusted| !trusted(request)) {
            return Ok(None);
        }
        let read = |header| {
            if is_hop_by_hop(&request.headers, header) {
                return Ok(None);
            }
            RequestId::from_headers(&request.headers, header)
        };
        let first = read(&self.header);
        match (&first, &self.fallback) {
            (Ok(None) | Err(_), Some(fallback)) => match read(fallback) {
                Ok(Some(id)) => Ok(Some(id)),
                second => first.and(second),
            },
            _ => first,
        }
    }

    fn inbound(&self, store: &Store, request: &Parts) -> Option<RequestId> {
        // The id of an outer layer, or of an earlier policy, is kept whatever the request's peer.
        if let Ok(Some(id)) = RequestId::from_headers(&request.headers, &self.header) {
            if store.id().or_else(RequestContext::id).is_some_and(|known| known == id) {
                return Some(id);
            }
        }
        self.inbound_id(request).ok().flatten()
    }
}

/// Converts to the name of a header that may carry an id, and panics on others.
#[track_caller]
fn free_header<N>(name: N) -> HeaderName
where
    N: TryInto<HeaderName, Error: Debug> + Debug,
{
    let name = header_name(name);
    assert_free(&name);
    name
}

/// Calls `f` with the parts of a request as a request.
#[cfg(any(feature = "tower-http-06", feature = "tower-http-07"))]
fn with_request<R>(parts: &mut Parts, f: impl FnOnce(&http::Request<()>) -> R) -> R {
    let (empty, ()) = http::Request::new(()).into_parts();
    let request = http::Request::from_parts(std::mem::replace(parts, empty), ());
    let output = f(&request);
    *parts = request.into_parts().0;
    output
}

impl Echo {
    #[inline]
    fn write(self, headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
        // A map that is full does not even replace a header, but has room once that is removed.
        if headers.contains_key(&name) {
            match self {
                Self::Replace => drop(headers.remove(&name)),
                Self::IfAbsent => return,
            }
        }
        // It fails if the map is full: the response goes out without the id.
        let _ = headers.try_insert(name, value);
    }
}

impl Default for RequestIdPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl Debug for RequestIdPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let echo = match self.echo {
            None => "false",
            Some(Echo::Replace) => "true",
            Some(Echo::IfAbsent) => "if_absent",
        };
        f.debug_struct("RequestIdPolicy")
            .field("header", &self.header)
            .field("fallback_header", &self.fallback)
            .field("accept_inbound", &self.trusted.is_some())
            .field("echo", &format_args!("{echo}"))
            .finish_non_exhaustive()
    }
}
