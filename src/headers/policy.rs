//! The policy that gives each request an id.

mod apply;
#[cfg(any(feature = "tower-http-06", feature = "tower-http-07"))]
mod tower_http_generators;

use std::{
    fmt::{self, Debug},
    sync::Arc,
};

use http::{HeaderName, request::Parts};

use self::apply::Echo;
use super::{
    RequestId,
    names::{REQUEST_ID, TrustPredicate, assert_forwardable, header_name},
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
/// are called. It writes the id that [`RequestContext::id`](crate::RequestContext::id) returns, whatever the request's header says.
#[derive(Clone)]
#[must_use = "a policy does nothing until it is applied in a setup"]
pub struct RequestIdPolicy {
    header: HeaderName,
    fallback: Option<HeaderName>,
    generate: Arc<dyn Fn(&mut Parts) -> RequestId + Send + Sync>,
    trusted: Option<TrustPredicate>,
    echo: Option<Echo>,
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
        self.header = forwardable_header(name);
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
        self.fallback = Some(forwardable_header(name));
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
}

/// Converts to the name of a header that may carry an id, and panics on others.
#[track_caller]
fn forwardable_header<N>(name: N) -> HeaderName
where
    N: TryInto<HeaderName, Error: Debug> + Debug,
{
    let name = header_name(name);
    assert_forwardable(&name);
    name
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
