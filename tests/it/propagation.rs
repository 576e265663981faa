//! Which headers are propagated, within which limits, and what arrives at the next service.

mod extract;
mod hop_by_hop;
mod ids;
mod inject;
mod limits;
mod opentelemetry;
mod parents;
pub(crate) mod relay;
mod rules;
mod trusted;
mod wire;

use http::{HeaderMap, HeaderName, HeaderValue, Request, request::Parts};
use tower_request_context::{HeaderPropagator, RequestContext, Store};

/// Header names and values, as they would appear in a message.
pub(crate) type Lines<'a> = &'a [(&'static str, &'a str)];

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER_TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

pub(crate) fn listing<const N: usize>(names: [&'static str; N]) -> HeaderPropagator {
    HeaderPropagator::new(names.map(HeaderName::from_static))
}

pub(crate) fn headers<V: AsRef<[u8]>>(lines: impl IntoIterator<Item = (&'static str, V)>) -> HeaderMap {
    let value = |value: V| HeaderValue::from_bytes(value.as_ref()).unwrap();
    lines.into_iter().map(|(name, line)| (HeaderName::from_static(name), value(line))).collect()
}

pub(crate) fn lines(lines: Lines<'_>) -> HeaderMap {
    headers(lines.iter().copied())
}

pub(crate) fn head(headers: HeaderMap) -> Parts {
    let mut head = Request::new(()).into_parts().0;
    head.headers = headers;
    head
}

fn extracted(propagator: &HeaderPropagator, headers: HeaderMap) -> Store {
    let mut store = Store::new();
    propagator.extract(&mut store, &head(headers));
    store
}

/// Returns the headers that are injected into an empty header map in this context.
fn injected(propagator: &HeaderPropagator, context: &RequestContext) -> HeaderMap {
    let mut headers = HeaderMap::new();
    context.sync_scope(|| propagator.inject(&mut headers));
    headers
}

/// Returns the headers that are propagated for these inbound headers.
pub(crate) fn sent_on(propagator: &HeaderPropagator, inbound: HeaderMap) -> HeaderMap {
    injected(propagator, &RequestContext::new(extracted(propagator, inbound)))
}
