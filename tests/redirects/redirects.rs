//! `recipes::propagation`: redirects of outgoing requests.

#![cfg(test)] // so that clippy allows `unwrap` in helper functions too

use std::{
    convert::Infallible,
    sync::mpsc::{Receiver, Sender, channel},
};

use futures_executor::block_on;
use http::{HeaderMap, Request, Response, StatusCode, header};
use tower::{Layer, Service, ServiceExt, service_fn, util::MapRequestLayer};
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_request_context::{HeaderPropagator, RequestContext, Store};

const SOURCE: &str = "stock.internal";
const TARGET: &str = "stock.example";

#[test]
fn a_header_injected_above_redirects_reaches_other_hosts() {
    let (hosts, received) = hosts();
    let propagator = propagator();
    let context = context(&propagator);
    let inject = MapRequestLayer::new(move |mut request: Request<String>| {
        propagator.inject(request.headers_mut());
        request
    });
    context.sync_scope(|| send(inject.layer(FollowRedirectLayer::new().layer(hosts))));
    let with_both = Headers { tenant: true, authorization: true };
    let tenant_only = Headers { tenant: true, authorization: false };
    assert_eq!(received.iter().collect::<Vec<_>>(), [(SOURCE, with_both), (TARGET, tenant_only)]);
}

#[test]
fn an_allow_list_below_redirects_keeps_headers_from_other_hosts() {
    let (hosts, received) = hosts();
    let propagator = propagator();
    let context = context(&propagator);
    let inject = MapRequestLayer::new(move |mut request: Request<String>| {
        if request.uri().host().is_some_and(|host| host.ends_with(".internal")) {
            propagator.inject(request.headers_mut());
        }
        request
    });
    context.sync_scope(|| send(FollowRedirectLayer::new().layer(inject.layer(hosts))));
    let with_both = Headers { tenant: true, authorization: true };
    let neither = Headers { tenant: false, authorization: false };
    assert_eq!(received.iter().collect::<Vec<_>>(), [(SOURCE, with_both), (TARGET, neither)]);
}

fn propagator() -> HeaderPropagator {
    HeaderPropagator::new(["x-tenant"])
}

/// Returns the context of a request from a trusted sender, with a tenant.
fn context(propagator: &HeaderPropagator) -> RequestContext {
    let mut store = Store::new();
    let inbound = HeaderMap::from_iter([("x-tenant".parse().unwrap(), "7".parse().unwrap())]);
    propagator.extract_trusted(&mut store, &inbound);
    RequestContext::new(store)
}

/// A host, and which headers it received.
type Received = (&'static str, Headers);

#[derive(Debug, PartialEq)]
struct Headers {
    tenant: bool,
    authorization: bool,
}

/// Returns a client, and the hosts that it sent requests to. The first host redirects to the second.
fn hosts()
-> (impl Service<Request<String>, Response = Response<String>, Error = Infallible> + Clone, Receiver<Received>) {
    let (sender, received) = channel();
    let client = service_fn(move |request: Request<String>| {
        let response = respond(&request, &sender);
        async { Ok(response) }
    });
    (client, received)
}

fn respond(request: &Request<String>, received: &Sender<Received>) -> Response<String> {
    let headers = Headers {
        tenant: request.headers().contains_key("x-tenant"),
        authorization: request.headers().contains_key(header::AUTHORIZATION),
    };
    let mut response = Response::new(String::new());
    if request.uri().host() == Some(SOURCE) {
        received.send((SOURCE, headers)).unwrap();
        *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
        response.headers_mut().insert(header::LOCATION, format!("http://{TARGET}/").parse().unwrap());
    } else {
        assert_eq!(request.uri().host(), Some(TARGET));
        received.send((TARGET, headers)).unwrap();
    }
    response
}

fn send<S>(client: S)
where
    S: Service<Request<String>, Response = Response<String>, Error = Infallible>,
{
    let request = Request::get(format!("http://{SOURCE}/")).header(header::AUTHORIZATION, "secret");
    let response = block_on(client.oneshot(request.body(String::new()).unwrap())).unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}
