//! The propagator, which copies headers of a request to its outgoing requests.

// rustdoc lists methods in the order of these modules. The blank lines keep rustfmt from sorting the modules.
mod builder;

mod transfer;

mod config;

use std::{
    fmt::{self, Debug},
    sync::Arc,
};

use self::config::PropagatorConfig;

/// Propagates listed headers of a request to its outgoing requests.
///
/// ```
/// use http::HeaderMap;
/// use tower_request_context::{HeaderPropagator, RequestContext, Store};
///
/// let propagator = HeaderPropagator::trace_context().header("x-tenant");
///
/// let request = http::Request::builder();
/// let request = request.header("x-tenant", "cats & co").header("cookie", "private");
/// let (request, ()) = request.body(()).unwrap().into_parts();
/// let mut store = Store::new();
/// propagator.extract(&mut store, &request);
///
/// let mut headers = HeaderMap::new();
/// RequestContext::new(store).sync_scope(|| propagator.inject(&mut headers));
/// assert_eq!(headers.len(), 1);
/// assert_eq!(headers["x-tenant"], "cats & co");
/// ```
///
/// Only headers that you list by name are propagated.
///
/// * [`extract`](Self::extract) copies them from a request into its store, in the setup closure.
/// * [`inject`](Self::inject) adds them to an outgoing request. Call it where your client lets you change headers: in
///   `tower::util::MapRequestLayer` around hyper-util's client or tonic's `Channel`, in an interceptor, or in
///   middleware.
/// * [`extract_trusted`](Self::extract_trusted) copies them from a message of a queue into the store of a job.
///
/// # Request ids
///
/// If the list names the header of the [`RequestIdPolicy`](crate::RequestIdPolicy) that was applied,
/// [`inject`](Self::inject) writes the current id under that header. The current id is what
/// [`RequestContext::id`](crate::RequestContext::id) returns. A value that `extract` copied from that header is
/// ignored. For the id it makes no difference in which order `apply` and `extract` are called, whether `extract` is
/// called at all, and what the predicate of [`trust_if`](Self::trust_if) returns.
///
/// * An id that is set later, or in a child, is written under the same header.
/// * If several policies were applied to a store, the header of the last policy carries the current id, also if that
///   was set later. The header of an earlier policy carries the id that the store had when the next policy was applied.
///   This is the id that the earlier policy assigned, unless it was replaced in between. With
///   [`Nesting::Inherit`](crate::Nesting::Inherit), an inner and an outer layer may both apply policies. The current id
///   is then written under the header of the inner layer's last policy, and the header of the outer layer's last policy
///   carries the id of the outer context. With `Nesting::Override`, the header of the outer policy is propagated like
///   any other header.
/// * If no policy was applied to the context or to one of its parents, the id is written under `x-request-id`. An
///   example is the id of a job outside any request.
/// * If no policy uses `x-request-id`, `extract` copies its value like that of any other header. `inject` writes that
///   value, unless the rule above puts an id under `x-request-id`.
///
/// # Limits
///
/// The length of a header is that of all its values, as if they were joined by commas ([RFC 9110]).
///
/// * A header that is longer than [`max_header_bytes`](Self::max_header_bytes) is left out.
/// * If the other headers together exceed [`max_total_bytes`](Self::max_total_bytes), the longest are left out until
///   the rest fits.
/// * `baggage` is also left out above the limits of its specification, 8192 bytes and 64 members.
///
/// No header is truncated. The limits are checked before anything is copied, at each `extract` and again at each
/// `inject`. At `inject`, a request id counts like any other header. If `extract` runs before `apply`, it counts the
/// value that the client sent under the header of the id.
///
/// A [`HeaderMap`](http::HeaderMap) is full at about 24,000 names. A header is injected with all its values or not at
/// all, and `inject` stops at the first header that does not fit.
///
/// # Values
///
/// Values are propagated byte for byte. They are not parsed or validated, with these exceptions:
///
/// * A `tracestate` is propagated only with its own `traceparent`, since it has no meaning alone.
/// * If a request has several `traceparent` values, neither they nor its `tracestate` are extracted. [W3C's test suite]
///   requires this of all readers.
/// * The members of `baggage` are counted.
/// * [`extract_trusted`](Self::extract_trusted) validates `x-request-id`.
///
/// A header that the request's `Connection` header nominates is meant for one connection, and is not extracted
/// ([RFC 9110, 7.6.1]). So a client can prevent the propagation of a listed header, but not of
/// the request id.
///
/// Injected values are marked [sensitive](http::HeaderValue::set_sensitive), which keeps them out of `Debug` output and
/// of HTTP/2's compression tables. The exceptions are `traceparent`, `tracestate` and `x-request-id`, which keep the
/// mark that they have. A request id is never marked.
///
/// `Debug` of a propagator shows the names of the headers.
///
/// [RFC 9110]: https://www.rfc-editor.org/rfc/rfc9110#name-field-lines-and-combined-fi
/// [RFC 9110, 7.6.1]: https://www.rfc-editor.org/rfc/rfc9110#name-connection
/// [W3C's test suite]: https://github.com/w3c/trace-context/blob/main/test/test.py
#[derive(Clone)]
#[must_use = "a propagator does nothing until it extracts and injects"]
pub struct HeaderPropagator {
    config: Arc<PropagatorConfig>,
}

impl Debug for HeaderPropagator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeaderPropagator")
            .field("names", &self.config.names)
            .field("trust_if", &self.config.trusted.is_some())
            .field("max_header_bytes", &self.config.max_header_bytes)
            .field("max_total_bytes", &self.config.max_total_bytes)
            .finish()
    }
}
