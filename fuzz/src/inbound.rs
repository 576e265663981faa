//! An inbound id is adopted as it was sent, or everything is as if none had been sent.

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

/// The input is the headers of a request. Returns whether its id was adopted.
pub fn check(input: &[u8]) -> bool {
    let came_in = headers(input);
    let seen = Seen::of(came_in.clone());

    let adoptable = end_to_end(&came_in);
    let mut lines = adoptable.get_all(&ID).iter();
    let only = lines.next().filter(|line| lines.next().is_none() && is_id(line.as_bytes())).cloned();
    let is_adopted = only.is_some();
    propagates(&came_in, &seen.id);
    if let Some(id) = only {
        assert_eq!(seen.id, id);
        assert_eq!(seen.headers, came_in);
        assert_eq!(seen.echoed, HeaderMap::from_iter([(ID, id)]));
        assert_eq!(seen.context, Seen::of(HeaderMap::new()).context);
    } else {
        assert_eq!(seen.id, MADE_HERE);
        let mut without = came_in;
        without.remove(ID);
        assert_eq!(seen, Seen::of(without));
    }
    is_adopted
}

/// An outgoing request carries the id and nothing else of its header, whether that was captured before, after or not at all.
fn propagates(came_in: &HeaderMap, id: &HeaderValue) {
    let propagation = HeaderPropagator::new([ID]);
    for (before, after) in [(false, false), (true, false), (false, true), (true, true)] {
        let (mut store, mut request) = (Store::new(), Request::new(()).into_parts().0);
        request.headers = came_in.clone();
        if before {
            propagation.extract(&mut store, &request);
        }
        policy().apply(&mut store, &mut request);
        if after {
            propagation.extract(&mut store, &request);
        }
        let sent = injected(&propagation, &store.into(), &HeaderMap::new());
        assert_eq!(sent, HeaderMap::from_iter([(ID, id.clone())]));
    }
}

fn policy() -> RequestIdPolicy {
    RequestIdPolicy::new().accept_inbound().generate(|request| {
        assert!(!request.headers.contains_key(ID), "the generator is shown what was refused");
        RequestId::try_from(MADE_HERE).expect("letters and a hyphen")
    })
}

/// What code at any depth, the client and a reader of logs see of a request.
#[derive(Debug, PartialEq)]
struct Seen {
    id: HeaderValue,
    headers: HeaderMap,
    echoed: HeaderMap,
    context: String,
}

impl Seen {
    fn of(came_in: HeaderMap) -> Self {
        let policy = policy();
        let (sender, inside) = mpsc::channel();
        let layer = RequestContextLayer::new(|store, request| {
            let id = policy.apply(store, request);
            assert_eq!(store.id(), Some(id));
        });
        let mut service = layer.layer(service_fn(async |request: Request<()>| {
            let id = RequestContext::id().expect("each request has one");
            let printed = format!("{:?} {policy:?}", RequestContext::current());
            let _ = sender.send((id, request.into_parts().0.headers, printed));
            Ok::<_, ()>(Response::new(String::new()))
        }));
        let mut request = Request::new(());
        *request.headers_mut() = came_in;
        let response = service.call(request).now_or_never().expect("nothing waits").expect("nothing fails");
        let (id, headers, context) = inside.recv().expect("the service was called");
        Self { id: id.into(), headers, echoed: response.into_parts().0.headers, context }
    }
}
