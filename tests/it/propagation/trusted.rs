//! `extract_trusted`: headers of messages that are not HTTP requests, among them the request id.

use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue};
use hyper::body::Bytes;
use tower_request_context::{HeaderPropagator, RequestContext, RequestId, RequestIdPolicy, Store};

use super::{OTHER_TRACEPARENT, TRACEPARENT, extracted, head, headers, injected, lines, listing};

const ID: &str = "x-request-id";

fn restored(propagator: &HeaderPropagator, message: &HeaderMap) -> Store {
    let mut store = Store::new();
    propagator.extract_trusted(&mut store, message);
    store
}

/// Returns the headers of the outgoing requests of a job whose message had these headers.
fn sent(propagator: &HeaderPropagator, message: &HeaderMap) -> HeaderMap {
    injected(propagator, &RequestContext::new(restored(propagator, message)))
}

fn id_of(text: &str) -> RequestId {
    text.parse().unwrap()
}

#[test]
fn headers_and_id_of_a_message_are_restored() {
    let propagator = HeaderPropagator::trace_context().header("x-tenant").header(ID);
    let mut store = Store::new().with_value(id_of("id-7"));
    let inbound = [("traceparent", TRACEPARENT), ("tracestate", "cats=1"), ("x-tenant", "cats"), ("x-tenant", "dogs")];
    propagator.extract(&mut store, &head(lines(&inbound)));
    let message = injected(&propagator, &RequestContext::new(store));
    assert_eq!(message.len(), 5);

    let job = restored(&propagator, &message).run(async { RequestContext::current().unwrap() });
    let context = job.now_or_never().unwrap();
    assert_eq!(context.id(), Some(id_of("id-7")));
    assert_eq!(injected(&propagator, &context), message);
}

#[test]
fn messages_have_the_rules_and_limits_of_requests() {
    let names = ["traceparent", "tracestate", "x-tenant", "x-zone", "baggage"];
    let long = "v".repeat(8192);
    let too_long = "v".repeat(8193);
    let members = vec!["k=v"; 65].join(",");
    let messages: [&[(&'static str, &str)]; 14] = [
        &[],
        &[("x-tenant", "cats"), ("cookie", "private")],
        &[("x-tenant", ""), ("x-tenant", "cats"), ("x-zone", "eu")],
        &[("x-tenant", &long), ("x-zone", &long)],
        &[("x-tenant", &too_long), ("x-zone", "eu")],
        &[("x-tenant", &long), ("x-zone", &long), ("baggage", "k=v")],
        &[("baggage", &members)],
        &[("traceparent", TRACEPARENT), ("tracestate", "cats=1")],
        &[("tracestate", "cats=1")],
        &[("traceparent", TRACEPARENT), ("traceparent", OTHER_TRACEPARENT), ("tracestate", "cats=1")],
        &[("traceparent", &too_long), ("tracestate", "cats=1")],
        &[
            ("connection", "x-tenant, traceparent"),
            ("x-tenant", "cats"),
            ("x-zone", "eu"),
            ("traceparent", TRACEPARENT),
        ],
        &[("connection", "close"), ("x-tenant", "cats")],
        &[("host", "cats.example"), ("x-tenants", "cats")],
    ];
    for propagator in [listing(names), listing(names).max_header_bytes(4), listing(names).max_total_bytes(5)] {
        for message in messages.map(lines) {
            let of_request = injected(&propagator, &RequestContext::new(extracted(&propagator, message.clone())));
            let of_message = sent(&propagator, &message);
            assert_eq!(of_message, of_request, "{message:?}");
            let is_sensitive = |(name, value): (&HeaderName, &HeaderValue)| (name.clone(), value.is_sensitive());
            assert!(of_message.iter().map(is_sensitive).eq(of_request.iter().map(is_sensitive)));
        }
    }
}

#[test]
fn trust_if_does_not_apply_to_a_message() {
    let propagator = listing(["x-tenant", ID]).trust_if(|_| unreachable!("there is no request"));
    let message = lines(&[("x-tenant", "cats"), (ID, "id-7")]);
    assert_eq!(sent(&propagator, &message), message);
}

#[test]
fn an_invalid_id_is_neither_accepted_nor_propagated() {
    let list = listing(["x-tenant", ID]);
    let too_long = "a".repeat(129);
    let invalid: [&[&[u8]]; 9] = [
        &[b""],
        &[b"two words"],
        &[b"${jndi:ldap://evil}"],
        &[b"caf\xe9"],
        &[too_long.as_bytes()],
        &[b"one,two"],
        &[b"one", b"two"],
        &[b"same", b"same"],
        &[b"one", b""],
    ];
    for ids in invalid {
        let mut message = headers(ids.iter().map(|id| (ID, id)));
        message.insert("x-tenant", HeaderValue::from_static("cats"));
        let store = restored(&list, &message);
        assert_eq!(store.id(), None, "{ids:?}");
        assert_eq!(injected(&list, &RequestContext::new(store)), lines(&[("x-tenant", "cats")]), "{ids:?}");
    }
    assert_eq!(restored(&list, &lines(&[("x-tenant", "cats")])).id(), None);
}

#[test]
fn an_id_is_restored_only_if_its_header_is_listed() {
    assert_eq!(restored(&listing(["x-tenant"]), &lines(&[(ID, "id-7")])).id(), None);
    assert_eq!(restored(&listing([]), &lines(&[(ID, "id-7")])).id(), None);
}

#[test]
fn id_nominated_by_the_connection_header_is_ignored() {
    let list = listing([ID]);
    for connection in [ID, "close, X-Request-ID"] {
        let store = restored(&list, &headers([("connection", connection), (ID, "id-7")]));
        assert_eq!(store.id(), None);
        assert_eq!(injected(&list, &RequestContext::new(store)), HeaderMap::new());
    }
    assert_eq!(restored(&list, &lines(&[("connection", "close"), (ID, "id-7")])).id(), Some(id_of("id-7")));
}

#[test]
fn existing_id_is_kept() {
    let list = listing([ID, "x-correlation-id"]);
    let message = lines(&[(ID, "theirs"), ("x-correlation-id", "theirs-too")]);
    let mut store = Store::new().with_value(id_of("own"));
    list.extract_trusted(&mut store, &message);
    assert_eq!(store.id(), Some(id_of("own")));
    let own = lines(&[(ID, "own"), ("x-correlation-id", "theirs-too")]);
    assert_eq!(injected(&list, &RequestContext::new(store)), own);

    for header in [ID, "x-correlation-id"] {
        let (mut store, mut request) = (Store::new(), head(HeaderMap::new()));
        RequestIdPolicy::new().header(header).generate(|_| id_of("own")).apply(&mut store, &mut request);
        list.extract_trusted(&mut store, &message);
        assert_eq!(store.id(), Some(id_of("own")));
        let sent = injected(&list, &RequestContext::new(store));
        assert_eq!(sent[header], "own");
        // If a policy uses another header, the message's id is not propagated.
        assert_eq!(sent.contains_key(ID), header == ID);
    }
}

#[test]
fn a_restored_id_is_stored_once() {
    let list = listing([ID]);
    let store = restored(&list, &lines(&[(ID, "id-7")]));
    assert!(!format!("{store:?}").contains("Extracted"), "{store:?}");

    // The same holds if a request header of that name was extracted before.
    let mut store = extracted(&list, lines(&[(ID, "forged")]));
    list.extract_trusted(&mut store, &lines(&[(ID, "id-7")]));
    let context = RequestContext::new(store);
    assert_eq!(injected(&list, &context), lines(&[(ID, "id-7")]));
    context.set(id_of("later"));
    assert_eq!(injected(&list, &context), lines(&[(ID, "later")]));
}

#[test]
fn id_does_not_count_towards_the_message_limits() {
    let list = listing([ID, "x-tenant"]).max_total_bytes(4);
    let id = "a".repeat(128);
    let store = restored(&list, &headers([(ID, id.as_str()), ("x-tenant", "cats")]));
    assert_eq!(store.id(), Some(id_of(&id)));
    assert_eq!(injected(&listing(["x-tenant"]), &RequestContext::new(store)), lines(&[("x-tenant", "cats")]));
}

#[test]
fn restored_headers_do_not_retain_the_message() {
    let buffer = Bytes::from(b"id-7 the cats of ada".to_vec());
    let value = |range| HeaderValue::from_maybe_shared(buffer.slice(range)).unwrap();
    let message: HeaderMap =
        [(HeaderName::from_static(ID), value(0..4)), (HeaderName::from_static("x-tenant"), value(5..20))]
            .into_iter()
            .collect();
    let store = restored(&listing([ID, "x-tenant"]), &message);
    drop(message);
    assert!(buffer.is_unique());
    assert_eq!(store.id(), Some(id_of("id-7")));
}
