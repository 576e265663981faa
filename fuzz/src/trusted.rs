//! Headers of a message are extracted like those of a request, but only a valid request id is restored.

use http::{HeaderMap, HeaderName, HeaderValue};
use tower_request_context::{HeaderPropagator, RequestContext, RequestId, Store};

use super::{
    ids::is_id,
    message::{agree, end_to_end, headers, length, split},
    propagation::{Rules, extracted, injected},
};

const ID: HeaderName = HeaderName::from_static("x-request-id");

/// Checks the extraction of headers from a message. Returns whether its request id was restored.
///
/// The input is a line of rules, as for [`propagation`](super::propagation::check), and the headers of the message.
pub fn check(input: &[u8]) -> bool {
    let (rules, message) = split(input, b'\n').unwrap_or((input, b""));
    let (rules, message) = (Rules::read(rules), headers(message));

    let id = rules.names.contains(&ID).then(|| valid_id(&message)).flatten();
    let context = restored(&rules.propagator, Store::new(), &message);
    assert_eq!(context.id().map(HeaderValue::from), id);
    rules.check_outbound(&with_id(&message, id.as_ref()), &injected(&rules.propagator, &context, &HeaderMap::new()));

    check_existing_id(&rules, &message);
    check_trust(&rules, &message);
    check_other_headers(&rules, &message);
    id.is_some()
}

/// Returns the id of a message, unless it is invalid or repeated, or nominated by the `Connection` header.
fn valid_id(message: &HeaderMap) -> Option<HeaderValue> {
    let message = end_to_end(message);
    let mut values = message.get_all(&ID).iter();
    values.next().filter(|value| values.next().is_none() && is_id(value.as_bytes())).cloned()
}

/// Returns the headers that may be propagated, with this id in place of the message's.
fn with_id(message: &HeaderMap, id: Option<&HeaderValue>) -> HeaderMap {
    let mut expected = end_to_end(message);
    expected.remove(ID);
    expected.extend(id.map(|id| (ID, id.clone())));
    expected
}

/// Checks that a store with an id keeps it, whatever the message contains.
fn check_existing_id(rules: &Rules, message: &HeaderMap) {
    let own = RequestId::try_from("own-id").expect("the id is valid");
    let context = restored(&rules.propagator, Store::new().with_value(own.clone()), message);
    assert_eq!(context.id(), Some(own.clone()));
    let outbound = injected(&rules.propagator, &context, &HeaderMap::new());
    rules.check_outbound(&with_id(message, Some(&own.into())), &outbound);
}

/// Checks that the trust predicate, which is for requests, changes nothing.
fn check_trust(rules: &Rules, message: &HeaderMap) {
    let distrusting = rules.propagator.clone().trust_if(|_| false);
    let contexts = [&rules.propagator, &distrusting].map(|propagator| restored(propagator, Store::new(), message));
    assert_eq!(contexts[0].id(), contexts[1].id());
    let [trusted, distrusted] = contexts.map(|context| injected(&rules.propagator, &context, &HeaderMap::new()));
    assert_eq!(trusted, distrusted);
}

/// Checks that without its id, a message is extracted exactly like a request.
fn check_other_headers(rules: &Rules, message: &HeaderMap) {
    let mut message = message.clone();
    message.remove(ID);
    let of_request = injected(&rules.propagator, &extracted(&rules.propagator, &message), &HeaderMap::new());
    let of_message =
        injected(&rules.propagator, &restored(&rules.propagator, Store::new(), &message), &HeaderMap::new());
    assert_eq!(of_request, of_message);
    for name in of_message.keys() {
        assert!(agree(&message, &of_message, name), "{name} differs from the message's");
        assert!(length(&of_message, name) <= rules.per_header, "{name} is too long");
    }
}

/// Returns the context of a job whose message has these headers.
fn restored(propagator: &HeaderPropagator, mut store: Store, message: &HeaderMap) -> RequestContext {
    propagator.extract_trusted(&mut store, message);
    store.into()
}
