//! A policy inside of a policy, and a request inside of a request.

use axum::{Router, body::Body, extract::Request};
use http::{HeaderName, HeaderValue, Version};
use tower::{ServiceBuilder, ServiceExt};
use tower_request_context::{Nesting, RequestContext, RequestId, RequestIdPolicy, Store};

use super::{app, id, ids, is_new, send, tell, the_id, the_line};
use crate::support::{VERSIONS, text};

/// A policy whose ids are told from those of others.
fn named(name: &'static str) -> RequestIdPolicy {
    RequestIdPolicy::new().generate(move |_| name.parse().unwrap())
}

#[tokio::test]
async fn an_inner_layer_keeps_the_id_of_the_outer_one_whatever_its_policy_and_nesting() {
    let policies =
        [named("inner"), named("inner").accept_inbound(), named("inner").accept_inbound_if(|_| false).echo(false)];
    for inner in policies {
        for nesting in [Nesting::Override, Nesting::Inherit, Nesting::Reuse] {
            for version in VERSIONS {
                let stack = ServiceBuilder::new().layer(ids(named("outer"))).layer(ids(inner.clone()).nesting(nesting));
                let app = Router::new().fallback(tell).layer(stack);
                let response = send(app, version, "x-request-id", &[b"forged"]).await;
                assert_eq!(the_id(&response).as_str(), "outer", "{inner:?} {nesting:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_id_that_an_outer_layer_adopted_is_kept_by_an_inner_one_that_would_not() {
    let stack = ServiceBuilder::new().layer(ids(named("outer").accept_inbound())).layer(ids(named("inner")));
    let response =
        send(Router::new().fallback(tell).layer(stack), Version::HTTP_11, "x-request-id", &[b"theirs"]).await;
    assert_eq!(the_id(&response).as_str(), "theirs");
}

#[tokio::test]
async fn an_inner_layer_replaces_what_was_changed_in_between_and_the_answer_has_one_id() {
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
        let response = send(Router::new().fallback(tell).layer(stack), Version::HTTP_11, "x-request-id", &[]).await;
        assert_eq!(response.headers()["found-in-context"], "inner");
        assert_eq!(response.headers()["found-on-request"], "x-request-idinner");
        assert_eq!(the_line(&response).1, b"outer");
    }
}

#[tokio::test]
async fn a_call_in_the_same_process_has_the_id_of_its_caller_if_it_says_so_and_else_its_own() {
    let inner = app(named("inner"));
    let calling = async move || {
        let call = async |request: http::request::Builder| {
            let request = request.body(Body::empty()).unwrap();
            the_id(&inner.clone().oneshot(request).await.unwrap()).to_string()
        };
        let carried = call(Request::builder().header("x-request-id", id())).await;
        let own = call(Request::builder()).await;
        let forged = call(Request::builder().header("x-request-id", "forged")).await;
        [carried, own, forged, id()].join(" ")
    };
    let app = Router::new().fallback(calling).layer(ids(named("outer")));
    let response = send(app, Version::HTTP_11, "x-request-id", &[]).await;
    assert_eq!(text(response).await, "outer inner inner outer");
}

#[test]
fn applied_twice_in_a_setup_a_policy_gives_one_id() {
    let (mut store, (mut head, ())) = (Store::new(), http::Request::new(()).into_parts());
    let first = RequestIdPolicy::new().apply(&mut store, &mut head);
    assert_eq!(RequestIdPolicy::new().apply(&mut store, &mut head), first);
    assert_eq!(store.id(), Some(first));
}

#[test]
fn two_headers_that_are_given_ids_have_one_each_and_the_last_is_the_request_s() {
    let (mut store, (mut head, ())) = (Store::new(), http::Request::new(()).into_parts());
    let one = RequestIdPolicy::new().apply(&mut store, &mut head);
    let two = named("two").header(HeaderName::from_static("x-correlation-id")).apply(&mut store, &mut head);
    assert_eq!(head.headers["x-request-id"], one.as_str());
    assert_eq!((head.headers["x-correlation-id"].as_bytes(), store.id()), (two.as_str().as_bytes(), Some(two.clone())));
}

#[tokio::test]
async fn a_child_and_a_run_have_the_id_of_the_context_around_them_and_an_exit_has_none() {
    let given = RequestId::new_v4();
    let around = RequestContext::new(Store::new().with_value(given.clone()));
    assert_eq!(around.id().as_ref(), Some(&given));
    assert_eq!(around.child(Store::new()).id().as_ref(), Some(&given));
    around
        .scope(async {
            assert_eq!(Store::new().run(async { RequestContext::id() }).await.as_ref(), Some(&given));
            assert_eq!(RequestContext::exit(async { RequestContext::id() }).await, None);
            assert!(is_new(&id()));
        })
        .await;
}

#[tokio::test]
async fn an_inner_layer_keeps_an_outer_id_that_the_client_nominates() {
    let nominate = |mut request: Request| {
        request.headers_mut().insert("connection", HeaderValue::from_static("x-request-id"));
        request
    };
    let inner = named("inner").accept_inbound();
    let stack = ServiceBuilder::new().map_request(nominate).layer(ids(named("outer"))).layer(ids(inner));
    let response = send(Router::new().fallback(tell).layer(stack), Version::HTTP_11, "x-request-id", &[]).await;
    assert_eq!(the_id(&response).as_str(), "outer");
}
