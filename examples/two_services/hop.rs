//! What the hops have in common: the headers that travel, the way in, the way out, and the line that each hop prints.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName, Request, request::Parts};
use tower_request_context::{HeaderPropagator, RequestContextLayer, RequestIdPolicy, Store};

use crate::shared::say;

/// In the order of the columns.
const NAMES: [&str; 4] = ["x-request-id", "x-tenant", "tracestate", "traceparent"];

static PROPAGATOR: LazyLock<HeaderPropagator> =
    LazyLock::new(|| HeaderPropagator::new(NAMES.map(HeaderName::from_static)));

/// The way in. The id is propagated too, in whichever order the two are called.
pub(crate) fn context(ids: RequestIdPolicy) -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) + Clone> {
    RequestContextLayer::new(move |store, request| {
        ids.apply(store, request);
        // The tenant is taken as it comes only because this is a demo: see `recipes::trust` in the crate's docs.
        PROPAGATOR.extract(store, request);
    })
}

/// The way out, for a `MapRequestLayer` around any client.
pub(crate) fn inject<B>(mut call: Request<B>) -> Request<B> {
    PROPAGATOR.inject(call.headers_mut());
    call
}

/// Prints what the current request came with, which is what its calls take along.
pub(crate) fn print(hop: &str) {
    let mut headers = HeaderMap::new();
    PROPAGATOR.inject(&mut headers);
    let seen = NAMES.map(|name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-"));
    // A request is answered also when nobody reads the lines any more.
    let _ = say(line(hop, seen));
}

pub(crate) fn heading() -> String {
    line("hop", NAMES)
}

fn line(hop: &str, [id, tenant, state, trace]: [&str; 4]) -> String {
    format!("{hop:<10}  {id:<36}  {tenant:<11}  {state:<10}  {trace}")
}
