//! An inbound id is adopted unchanged, or the request is treated as if it had no id.

use std::sync::mpsc;

use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tower::{Layer, Service, service_fn};
use tower_request_context::{HeaderPropagator, RequestContext, RequestContextLayer, RequestId, RequestIdPolicy, Store};

use super::{
    ids::is_id,
    message::{end_to_end, headers},
    propagation::injected,
};

const ID: HeaderName = HeaderName::from_static("x-request-id");
const MADE_HERE: &str = "made-here";

/// Checks a request with these headers. Returns whether its id was adopted.
pub fn check(input: &[u8]) -> bool {
    let inbound = headers(input);
    let seen = Seen::of(inbound.clone());

    let adoptable = end_to_end(&inbound);
    let mut lines = adoptable.get_all(&ID).iter();
    let only = lines.next().filter(|line| lines.next().is_none() && is_id(line.as_bytes())).cloned();
    let is_adopted = only.is_some();
    check_propagated(&inbound, &seen.id);
    if let Some(id) = only {
        assert_eq!(seen.id, id);
        assert_eq!(seen.headers, inbound);
        assert_eq!(seen.echoed, HeaderMap::from_iter([(ID, id)]));
        assert_eq!(seen.context, Seen::of(HeaderMap::new()).context);
    } else {
        assert_eq!(seen.id, MADE_HERE);
        let mut without = inbound;
        without.remove(ID);
        assert_eq!(seen, Seen::of(without));
    }
    is_adopted
}

/// Checks that an outgoing request carries the id and no other value of its header, whether that header was extracted
/// before, after or not at all.
fn check_propagated(inbound: &HeaderMap, id: &HeaderValue) {
    let propagator = HeaderPropagator::new([ID]);
    for (before, after) in [(false, false), (true, false), (false, true), (true, true)] {
        let (mut store, mut request) = (Store::new(), Request::new(()).into_parts().0);
        request.headers = inbound.clone();
        if before {
            propagator.extract(&mut store, &request);
        }
        policy().apply(&mut store, &mut request);
        if after {
            propagator.extract(&mut store, &request);
        }
        let sent = injected(&propagator, &store.into(), &HeaderMap::new());
        assert_eq!(sent, HeaderMap::from_iter([(ID, id.clone())]));
    }
}

fn policy() -> RequestIdPolicy {
    RequestIdPolicy::new().accept_inbound().generate(|request| {
        assert!(!request.headers.contains_key(ID), "the generator sees the rejected id");
        RequestId::try_from(MADE_HERE).expect("the id is valid")
    })
}

/// What the service, the client and a reader of logs see of a request.
#[derive(Debug, PartialEq)]
struct Seen {
    id: HeaderValue,
    headers: HeaderMap,
    echoed: HeaderMap,
    context: String,
}

impl Seen {
    fn of(inbound: HeaderMap) -> Self {
        let policy = policy();
        let (sender, inside) = mpsc::channel();
        let layer = RequestContextLayer::new(|store, request| {
            let id = policy.apply(store, request);
            assert_eq!(store.id(), Some(id));
        });
        let mut service = layer.layer(service_fn(async |request: Request<()>| {
            let id = RequestContext::id().expect("each request has an id");
            let printed = format!("{:?} {policy:?}", RequestContext::current());
            let _ = sender.send((id, request.into_parts().0.headers, printed));
            Ok::<_, ()>(Response::new(String::new()))
        }));
        let mut request = Request::new(());
        *request.headers_mut() = inbound;
        let response = service
            .call(request)
            .now_or_never()
            .expect("the service does not wait")
            .expect("the service does not fail");
        let (id, headers, context) = inside.recv().expect("the service was called");
        Self { id: id.into(), headers, echoed: response.into_parts().0.headers, context }
    }
}
