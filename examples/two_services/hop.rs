//! Shared by both services: the propagated headers, the layers for incoming and outgoing requests, and the line that
//! each hop prints.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName, Request, request::Parts};
use tower_request_context::{HeaderPropagator, RequestContextLayer, RequestIdPolicy, Store};

use crate::shared;

/// The propagated headers, in the order of the columns.
const NAMES: [&str; 4] = ["x-request-id", "x-tenant", "tracestate", "traceparent"];

static PROPAGATOR: LazyLock<HeaderPropagator> =
    LazyLock::new(|| HeaderPropagator::new(NAMES.map(HeaderName::from_static)));

/// Returns the layer for incoming requests. The id is propagated too, in whichever order `apply` and `extract` are
/// called.
pub(crate) fn context(ids: RequestIdPolicy) -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) + Clone> {
    RequestContextLayer::new(move |store, request| {
        ids.apply(store, request);
        // Trusts the tenant header only because this is a demo: see `recipes::security` in the crate's docs.
        PROPAGATOR.extract(store, request);
    })
}

/// Adds the headers to an outgoing request, for a `MapRequestLayer` around any client.
pub(crate) fn inject<B>(mut request: Request<B>) -> Request<B> {
    PROPAGATOR.inject(request.headers_mut());
    request
}

/// Prints the headers that outgoing requests of the current request have.
pub(crate) fn print(hop: &str) {
    let mut headers = HeaderMap::new();
    PROPAGATOR.inject(&mut headers);
    let seen = NAMES.map(|name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-"));
    // A closed standard output must not fail the request.
    let _ = shared::print(line(hop, seen));
}

pub(crate) fn heading() -> String {
    line("hop", NAMES)
}

fn line(hop: &str, [id, tenant, state, trace]: [&str; 4]) -> String {
    format!("{hop:<7}  {id:<36}  {tenant:<11}  {state:<10}  {trace}")
}
