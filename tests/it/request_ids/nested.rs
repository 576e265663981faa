//! Nested layers with a policy each, and nested requests.

use axum::{Router, body::Body, extract::Request};
use http::{HeaderName, HeaderValue, Version};
use tower::{ServiceBuilder, ServiceExt};
use tower_request_context::{Nesting, RequestContext, RequestId, RequestIdPolicy, Store};

use super::{app, consistent_id, echoed_line, id, ids, is_new, report_ids, send};
use crate::support::{VERSIONS, text};

/// Creates a policy that generates this id.
fn named(name: &'static str) -> RequestIdPolicy {
    RequestIdPolicy::new().generate(move |_| name.parse().unwrap())
}

#[tokio::test]
async fn inner_layer_keeps_the_outer_id() {
    let policies =
        [named("inner"), named("inner").accept_inbound(), named("inner").accept_inbound_if(|_| false).echo(false)];
    for inner in policies {
        for nesting in [Nesting::Override, Nesting::Inherit, Nesting::Reuse] {
            for version in VERSIONS {
                let stack = ServiceBuilder::new().layer(ids(named("outer"))).layer(ids(inner.clone()).nesting(nesting));
                let app = Router::new().fallback(report_ids).layer(stack);
                let response = send(app, version, "x-request-id", &[b"forged"]).await;
                assert_eq!(consistent_id(&response).as_str(), "outer", "{inner:?} {nesting:?}");
            }
        }
    }
}

#[tokio::test]
async fn inner_layer_keeps_an_id_accepted_outside() {
    let stack = ServiceBuilder::new().layer(ids(named("outer").accept_inbound())).layer(ids(named("inner")));
    let response =
        send(Router::new().fallback(report_ids).layer(stack), Version::HTTP_11, "x-request-id", &[b"theirs"]).await;
    assert_eq!(consistent_id(&response).as_str(), "theirs");
}

#[tokio::test]
async fn inner_layer_replaces_an_id_changed_between_the_layers() {
    let change = |mut request: Request| {
        request.headers_mut().insert("x-request-id", HeaderValue::from_static("changed"));
        request
    };
    let repeat = |mut request: Request| {
        request.headers_mut().append("x-request-id", HeaderValue::from_static("outer"));
        request
    };
    for between in [change, repeat] {
        let stack = ServiceBuilder::new().layer(ids(named("outer"))).map_request(between).layer(ids(named("inner")));
        let response =
            send(Router::new().fallback(report_ids).layer(stack), Version::HTTP_11, "x-request-id", &[]).await;
        assert_eq!(response.headers()["found-in-context"], "inner");
        assert_eq!(response.headers()["found-on-request"], "x-request-idinner");
        assert_eq!(echoed_line(&response).1, b"outer");
    }
}

#[tokio::test]
async fn in_process_request_has_its_own_id_unless_propagated() {
    let inner = app(named("inner"));
    let handler = async move || {
        let call = async |request: http::request::Builder| {
            let request = request.body(Body::empty()).unwrap();
            consistent_id(&inner.clone().oneshot(request).await.unwrap()).to_string()
        };
        let propagated = call(Request::builder().header("x-request-id", id())).await;
        let own = call(Request::builder()).await;
        let forged = call(Request::builder().header("x-request-id", "forged")).await;
        [propagated, own, forged, id()].join(" ")
    };
    let app = Router::new().fallback(handler).layer(ids(named("outer")));
    let response = send(app, Version::HTTP_11, "x-request-id", &[]).await;
    assert_eq!(text(response).await, "outer inner inner outer");
}

#[test]
fn policy_applied_twice_yields_one_id() {
    let (mut store, (mut head, ())) = (Store::new(), http::Request::new(()).into_parts());
    let first = RequestIdPolicy::new().apply(&mut store, &mut head);
    assert_eq!(RequestIdPolicy::new().apply(&mut store, &mut head), first);
    assert_eq!(store.id(), Some(first));
}

#[test]
fn two_policies_set_one_id_each_and_the_last_is_current() {
    let (mut store, (mut head, ())) = (Store::new(), http::Request::new(()).into_parts());
    let one = RequestIdPolicy::new().apply(&mut store, &mut head);
    let two = named("two").header(HeaderName::from_static("x-correlation-id")).apply(&mut store, &mut head);
    assert_eq!(head.headers["x-request-id"], one.as_str());
    assert_eq!((head.headers["x-correlation-id"].as_bytes(), store.id()), (two.as_str().as_bytes(), Some(two.clone())));
}

#[tokio::test]
async fn child_and_run_inherit_the_id_and_exit_hides_it() {
    let given = RequestId::new_v4();
    let outer = RequestContext::new(Store::new().with_value(given.clone()));
    assert_eq!(outer.id().as_ref(), Some(&given));
    assert_eq!(outer.child(Store::new()).id().as_ref(), Some(&given));
    outer
        .scope(async {
            assert_eq!(Store::new().run(async { RequestContext::id() }).await.as_ref(), Some(&given));
            assert_eq!(RequestContext::exit(async { RequestContext::id() }).await, None);
            assert!(is_new(&id()));
        })
        .await;
}

#[tokio::test]
async fn inner_layer_keeps_an_outer_id_nominated_by_the_client() {
    let nominate = |mut request: Request| {
        request.headers_mut().insert("connection", HeaderValue::from_static("x-request-id"));
        request
    };
    let inner = named("inner").accept_inbound();
    let stack = ServiceBuilder::new().map_request(nominate).layer(ids(named("outer"))).layer(ids(inner));
    let response = send(Router::new().fallback(report_ids).layer(stack), Version::HTTP_11, "x-request-id", &[]).await;
    assert_eq!(consistent_id(&response).as_str(), "outer");
}
