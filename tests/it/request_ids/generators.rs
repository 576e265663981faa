//! Generators: how a new id is created, and which parts of the request they see.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use axum::body::Body;
use futures_util::future::join_all;
use http::{Method, Request, Version, request::Parts};
use tower_request_context::{RequestId, RequestIdPolicy, Store};

use super::{app, consistent_id, send_any};
use crate::support::{client, in_time, request, serve};

/// Creates a policy that counts from 1. Clones share the counter.
fn counting() -> RequestIdPolicy {
    let last = AtomicU64::new(0);
    RequestIdPolicy::new().generate(move |_| numbered(last.fetch_add(1, Ordering::Relaxed) + 1))
}

fn numbered(number: u64) -> RequestId {
    format!("request-{number}").parse().unwrap()
}

#[tokio::test]
async fn generator_sees_the_request_without_the_rejected_id() {
    let seen = Arc::new(Mutex::new(None));
    let record = Arc::clone(&seen);
    let ids = RequestIdPolicy::new().generate(move |head| {
        *record.lock().unwrap() = Some((head.method.clone(), head.uri.to_string(), head.headers.clone()));
        numbered(7)
    });
    let mut request = request(serve(app(ids)).await, "/cats?page=2", None);
    *request.method_mut() = Method::PUT;
    request.headers_mut().append("x-request-id", "one".parse().unwrap());
    request.headers_mut().append("x-request-id", "two".parse().unwrap());
    request.headers_mut().insert("accept", "image/*".parse().unwrap());
    let response = send_any(Version::HTTP_11, request).await;
    assert_eq!(response.headers()["x-request-id"], "request-7");

    let (method, uri, headers) = seen.lock().unwrap().take().unwrap();
    assert_eq!((method, uri.as_str()), (Method::PUT, "/cats?page=2"));
    assert_eq!(headers["accept"], "image/*");
    assert!(!headers.contains_key("x-request-id"));
}

#[test]
fn generator_runs_once_for_each_new_id() {
    let ids = counting().accept_inbound();
    let id_of = |request: Request<()>| ids.apply(&mut Store::new(), &mut request.into_parts().0);
    assert_eq!(id_of(Request::new(())), numbered(1));
    let theirs = Request::builder().header("x-request-id", "theirs").body(()).unwrap();
    assert_eq!(id_of(theirs).as_str(), "theirs");
    assert_eq!(id_of(Request::new(())), numbered(2));
}

/// Else the last request would drop the application's closures, in its context and within its `on_response` callbacks.
#[test]
fn request_does_not_keep_the_closures_of_the_policy() {
    let (generator, predicate) = (Arc::new(()), Arc::new(()));
    let (kept, kept_too) = (Arc::clone(&generator), Arc::clone(&predicate));
    let policy = RequestIdPolicy::new()
        .generate(move |_| {
            let _ = &kept;
            RequestId::new_v4()
        })
        .accept_inbound_if(move |_| Arc::strong_count(&kept_too) == 0);
    let mut store = Store::new();
    let (mut request, ()) = Request::new(()).into_parts();
    let id = policy.apply(&mut store, &mut request);
    let counts = || (Arc::strong_count(&generator), Arc::strong_count(&predicate));
    assert_eq!(counts(), (2, 2));
    drop(policy);
    assert_eq!(counts(), (1, 1));
    assert_eq!(store.id(), Some(id));
}

#[tokio::test]
async fn clones_of_policy_and_service_share_the_generator() {
    let ids = counting();
    let (one, two) = (serve(app(ids.clone())).await, serve(app(ids)).await);
    let clients = [client(Version::HTTP_11), client(Version::HTTP_2)];
    let ask = async |number: usize| {
        let request = request([one, two][number % 2], "/", None);
        consistent_id(&clients[number / 2 % 2].request(request).await.unwrap())
    };
    let mut given = in_time(join_all((0..20).map(ask))).await;
    given.sort_unstable();
    let mut expected: Vec<_> = (1..=20).map(numbered).collect();
    expected.sort_unstable();
    assert_eq!(given, expected);
}

#[test]
fn policy_changes_only_the_id_header() {
    let head = || {
        let request = Request::builder().method(Method::PUT).uri("/cats").version(Version::HTTP_2).extension(7_u8);
        let request = request.header("cookie", "one").header("x-request-id", "forged").header("cookie", "two");
        request.body(Body::empty()).unwrap().into_parts().0
    };
    for policy in policies() {
        let (before, mut after) = (head(), head());
        let id = policy.apply(&mut Store::new(), &mut after);
        assert_eq!(after.headers.remove("x-request-id").unwrap(), id.as_str());
        let without = |mut head: Parts| {
            head.headers.remove("x-request-id");
            (head.method, head.uri, head.version, head.headers, head.extensions.get::<u8>().copied())
        };
        assert_eq!(without(after), without(before));
    }
}

fn policies() -> [RequestIdPolicy; 4] {
    [
        RequestIdPolicy::new(),
        RequestIdPolicy::new().accept_inbound(),
        counting(),
        RequestIdPolicy::new().generate_with_tower_http_07(tower_http::request_id::MakeRequestUuid),
    ]
}

#[test]
fn debug_shows_headers_and_options() {
    let printed = |policy: &RequestIdPolicy| format!("{policy:?}");
    let default =
        r#"RequestIdPolicy { header: "x-request-id", fallback_header: None, accept_inbound: false, echo: true, .. }"#;
    assert_eq!(printed(&RequestIdPolicy::new()), default);
    assert_eq!(printed(&RequestIdPolicy::default()), default);
    let other = RequestIdPolicy::new().header("x-id").fallback_header("x-other").accept_inbound().echo(false);
    let text = r#"RequestIdPolicy { header: "x-id", fallback_header: Some("x-other"), accept_inbound: true, echo: false, .. }"#;
    assert_eq!(printed(&other), text);
    let if_absent = r#"RequestIdPolicy { header: "x-request-id", fallback_header: None, accept_inbound: false, echo: if_absent, .. }"#;
    assert_eq!(printed(&RequestIdPolicy::new().echo_if_absent()), if_absent);
}
