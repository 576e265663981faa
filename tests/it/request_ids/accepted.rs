//! Inbound ids that a policy accepts: those of trusted proxies.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::{HeaderName, Request, request::Parts};
use tower_request_context::{RequestId, RequestIdPolicy, Store};

use super::{app, consistent_id, is_new, send};
use crate::support::VERSIONS;

async fn is_accepted(header: &'static str, id: &str) {
    for version in VERSIONS {
        let accepting = RequestIdPolicy::new().header(HeaderName::from_static(header)).accept_inbound();
        let response = send(app(accepting), version, header, &[id.as_bytes()]).await;
        assert_eq!(consistent_id(&response).as_str(), id);
        assert!(response.headers().contains_key(header));
    }
}

async fn is_replaced(policy: RequestIdPolicy, id: &str) {
    for version in VERSIONS {
        let response = send(app(policy.clone()), version, "x-request-id", &[id.as_bytes()]).await;
        assert!(is_new(consistent_id(&response).as_str()));
    }
}

#[tokio::test]
async fn ids_are_replaced_by_default() {
    is_replaced(RequestIdPolicy::new(), "00000000-0000-4000-8000-000000000000").await;
    is_replaced(RequestIdPolicy::default(), "job-7").await;
}

#[tokio::test]
async fn heroku_ids_are_accepted_up_to_the_limit() {
    let base64 = "Zm9vYmFyYmF6+/cXV4IQ==";
    let hex = "0123456789abcdefABCDEF-".repeat(6);
    for id in ["01234567-89ab-cdef-0123-456789abcdef", base64, &hex[..20], &hex[..128]] {
        is_accepted("x-request-id", id).await;
    }
    is_replaced(RequestIdPolicy::new().accept_inbound(), &"a".repeat(200)).await;
}

#[tokio::test]
async fn aws_load_balancer_ids_are_accepted() {
    let root = "Root=1-63441c4a-abcdef012345678912345678";
    is_accepted("x-amzn-trace-id", root).await;
    is_accepted("x-amzn-trace-id", &format!("Self=1-63441c4b-0123456789abcdef01234567;{root}")).await;
    is_accepted("x-amzn-trace-id", &format!("{root};Parent=53995c3f42cd8ad8;Sampled=1")).await;
}

#[tokio::test]
async fn allowed_bytes_are_accepted_unchanged() {
    is_accepted("x-request-id", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=:;").await;
}

/// Returns the parts of a request with these ids, from this peer.
fn from(peer: Option<SocketAddr>, lines: &[&str]) -> Parts {
    let mut request = Request::builder().uri("/cats");
    for line in lines {
        request = request.header("x-request-id", *line);
    }
    let (mut head, ()) = request.body(()).unwrap().into_parts();
    if let Some(peer) = peer {
        head.extensions.insert(peer);
    }
    head
}

const PROXY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 4711);
const STRANGER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)), 4711);

#[test]
fn ids_are_accepted_only_from_trusted_requests() {
    let ids = RequestIdPolicy::new().accept_inbound_if(|head| {
        assert_eq!(head.uri, "/cats");
        head.extensions.get() == Some(&PROXY)
    });
    let id_of = |peer| ids.apply(&mut Store::new(), &mut from(peer, &["theirs"]));
    assert_eq!(id_of(Some(PROXY)).as_str(), "theirs");
    for peer in [Some(STRANGER), None] {
        assert!(is_new(id_of(peer).as_str()));
    }
}

#[test]
fn trust_predicate_runs_at_most_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let ids = RequestIdPolicy::new().accept_inbound_if(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        true
    });
    let calls_for = |lines: &[&str], store: &mut Store| {
        ids.apply(store, &mut from(None, lines));
        calls.swap(0, Ordering::Relaxed)
    };
    assert_eq!(calls_for(&["theirs"], &mut Store::new()), 1);
    for lines in [&[][..], &["one", "two"], &["not one"], &[""]] {
        assert!(calls_for(lines, &mut Store::new()) <= 1, "{lines:?}");
    }
    let known = RequestId::try_from("theirs").unwrap();
    assert!(calls_for(&["theirs"], &mut Store::new().with_value(known)) <= 1);
}

#[test]
fn last_trust_setting_wins() {
    let none = RequestIdPolicy::new().accept_inbound().accept_inbound_if(|_| false);
    assert!(is_new(none.apply(&mut Store::new(), &mut from(None, &["theirs"])).as_str()));
    let all = RequestIdPolicy::new().accept_inbound_if(|_| false).accept_inbound();
    assert_eq!(all.apply(&mut Store::new(), &mut from(None, &["theirs"])).as_str(), "theirs");
}
