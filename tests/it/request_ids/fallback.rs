//! `fallback_header`: a second header for an inbound id.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::Router;
use http::{HeaderMap, HeaderValue, Request, request::Parts};
use tower::{ServiceBuilder, ServiceExt};
use tower_request_context::{
    Nesting, RequestContext, RequestContextLayer, RequestId, RequestIdError, RequestIdPolicy, Store,
};

use super::{
    id, ids,
    inbound::{error_of, inbound, parts},
    is_new, send_any,
};
use crate::support::{VERSIONS, request, serve, text};

const FIRST: &str = "x-request-id";
const SECOND: &str = "x-correlation-id";

type Inbound = Result<Option<RequestId>, RequestIdError>;
type Lines = Vec<(&'static str, &'static [u8])>;

fn accepting() -> RequestIdPolicy {
    RequestIdPolicy::new().accept_inbound().fallback_header(SECOND)
}

/// Returns each state of one header: its lines, whether `Connection` nominates it, and the inbound id that it yields.
fn states(name: &'static str, valid: &'static str) -> Vec<(Lines, Inbound)> {
    vec![
        (vec![(name, valid.as_bytes())], Ok(Some(valid.parse().unwrap()))),
        (vec![], Ok(None)),
        (vec![(name, b"")], Err(RequestIdError::Empty)),
        (vec![(name, b"two words")], Err(error_of("two words"))),
        (vec![(name, b"same"), (name, b"same")], Err(RequestIdError::Repeated)),
        (vec![(name, valid.as_bytes()), ("connection", name.as_bytes())], Ok(None)),
        (vec![(name, b"two words"), ("connection", name.as_bytes())], Ok(None)),
    ]
}

/// Returns each pair of states, with the inbound id that both headers yield together.
fn pairs() -> Vec<(Parts, Inbound)> {
    let mut pairs = Vec::new();
    for (first_lines, first) in states(FIRST, "first") {
        for (second_lines, second) in states(SECOND, "second") {
            let together = match (&first, second) {
                (Ok(Some(_)), _) => first.clone(),
                (_, Ok(Some(second))) => Ok(Some(second)),
                (Err(_), _) => first.clone(),
                (Ok(None), second) => second,
            };
            pairs.push((parts(&[&first_lines[..], &second_lines].concat()), together));
        }
    }
    pairs
}

#[test]
fn both_headers_yield_one_id() {
    for (request, expected) in pairs() {
        let case = format!("{:?}", request.headers);
        assert_eq!(inbound(&accepting(), request), expected, "{case}");
    }
}

#[test]
fn without_trust_neither_header_is_read() {
    let without = [RequestIdPolicy::new(), RequestIdPolicy::new().accept_inbound_if(|_| false)];
    for policy in without.map(|policy| policy.fallback_header(SECOND)) {
        for (request, _) in pairs() {
            assert_eq!(inbound(&policy, request), Ok(None));
        }
    }
}

#[test]
fn fallback_header_is_read_only_if_configured() {
    let request = || parts(&[(FIRST, b"two words"), (SECOND, b"second")]);
    assert_eq!(inbound(&RequestIdPolicy::new().accept_inbound(), request()), Err(error_of("two words")));
    let other = accepting().fallback_header("x-other-id");
    assert_eq!(inbound(&other, request()), Err(error_of("two words")), "the last call wins");
    let swapped = accepting().header(SECOND).fallback_header(FIRST);
    assert_eq!(inbound(&swapped, request()), Ok(Some("second".parse().unwrap())));
}

#[test]
fn trust_is_decided_once_for_both_headers() {
    let calls = Arc::new(AtomicUsize::new(0));
    for is_trusted in [true, false] {
        let count = Arc::clone(&calls);
        let policy = RequestIdPolicy::new().fallback_header(SECOND).accept_inbound_if(move |request| {
            count.fetch_add(1, Ordering::Relaxed);
            assert!(!request.headers.contains_key("x-new"));
            is_trusted
        });
        for (mut request, _) in pairs() {
            assert_eq!(policy.inbound_id(&request).is_ok_and(|id| id.is_some()), {
                assert_eq!(calls.swap(0, Ordering::Relaxed), 1);
                let id = policy.apply(&mut Store::new(), &mut request);
                ["first", "second"].contains(&id.as_str())
            });
            assert_eq!(calls.swap(0, Ordering::Relaxed), 1);
        }
    }
}

#[test]
fn accepted_id_is_set_on_the_first_header_only() {
    for (mut request, _) in pairs() {
        let second = lines(&request.headers, SECOND);
        let mut store = Store::new();
        let id = accepting().apply(&mut store, &mut request);
        assert_eq!(lines(&request.headers, FIRST), [id.as_str()]);
        assert_eq!(lines(&request.headers, SECOND), second);
        assert_eq!(store.id(), Some(id));
    }
}

fn lines(headers: &HeaderMap, name: &str) -> Vec<HeaderValue> {
    headers.get_all(name).iter().cloned().collect()
}

#[tokio::test]
async fn id_from_the_fallback_is_echoed_on_the_first_header() {
    for version in VERSIONS {
        let app = Router::new().fallback(async || id()).layer(ids(accepting()));
        let mut request = request(serve(app).await, "/", None);
        request.headers_mut().insert(FIRST, HeaderValue::from_static("two words"));
        request.headers_mut().insert(SECOND, HeaderValue::from_static("second"));
        let response = send_any(version, request).await;
        assert_eq!(lines(response.headers(), FIRST), ["second"]);
        assert!(!response.headers().contains_key(SECOND));
        assert_eq!(text(response).await, "second");
    }
}

/// Returns the id below two layers. The outer one's id is `outer`, the inner one has a fallback header.
async fn below(outer: RequestIdPolicy, nesting: Nesting, request: Parts) -> String {
    let innermost = tower::service_fn(async |request: Request<()>| {
        let id = RequestContext::id().unwrap();
        assert_eq!(lines(request.headers(), FIRST), [id.as_str()]);
        Ok::<_, std::convert::Infallible>(http::Response::new(id.to_string()))
    });
    let stack = ServiceBuilder::new()
        .layer(RequestContextLayer::new(move |store, request| {
            outer.clone().generate(|_| "outer".parse().unwrap()).apply(store, request);
        }))
        .layer(ids(accepting()).nesting(nesting))
        .service(innermost);
    text(stack.oneshot(Request::from_parts(request, ())).await.unwrap()).await
}

#[tokio::test]
async fn outer_id_is_preferred_to_the_fallback_header() {
    for nesting in [Nesting::Override, Nesting::Inherit, Nesting::Reuse] {
        for (request, _) in pairs() {
            assert_eq!(below(RequestIdPolicy::new(), nesting, request).await, "outer");
        }
    }
}

#[tokio::test]
async fn outer_id_in_the_fallback_header_is_accepted() {
    for nesting in [Nesting::Override, Nesting::Inherit] {
        let outer = || RequestIdPolicy::new().header(SECOND);
        assert_eq!(below(outer(), nesting, parts(&[])).await, "outer");
        assert_eq!(below(outer(), nesting, parts(&[(FIRST, b"two words")])).await, "outer");
        assert_eq!(below(outer(), nesting, parts(&[(FIRST, b"first")])).await, "first");
    }
}

#[test]
fn request_without_a_valid_id_gets_a_new_one() {
    let mut request = parts(&[(FIRST, b"two words"), (SECOND, b"")]);
    assert!(is_new(accepting().apply(&mut Store::new(), &mut request).as_str()));
}
