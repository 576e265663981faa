//! Header names given as text, for propagators and request id policies.

use http::HeaderName;
use tower_request_context::{HeaderPropagator, RequestIdPolicy};

use crate::support::{NOT_FORWARDABLE, panic_file, panic_text};

const NAME: &str = "x-tenant";

/// Returns the header names of both types.
fn names_of<'a>(propagator: &'a HeaderPropagator, policy: &'a RequestIdPolicy) -> [Vec<&'a HeaderName>; 2] {
    [propagator.header_names().collect(), vec![policy.header_name()]]
}

macro_rules! is_accepted {
    ($($name:expr),+ $(,)?) => {
        $(
            let policy = RequestIdPolicy::new().header($name);
            for propagator in [HeaderPropagator::new([$name]), HeaderPropagator::new([""; 0]).header($name)] {
                assert_eq!(names_of(&propagator, &policy), [[NAME]; 2], "{:?}", $name);
            }
            let fallback = format!("{:?}", RequestIdPolicy::new().fallback_header($name));
            assert!(fallback.contains(r#"fallback_header: Some("x-tenant")"#), "{fallback}");
        )+
    };
}

#[test]
fn name_may_be_text_or_a_header_name() {
    let (text, name) = (String::from(NAME), HeaderName::from_static(NAME));
    is_accepted!(NAME, NAME.to_owned(), &text, name.clone(), &name, NAME.as_bytes(), NAME.as_bytes().to_vec());
}

#[test]
fn upper_case_name_is_converted() {
    is_accepted!("X-Tenant", String::from("X-TENANT"), "x-TENANT");
    assert!(HeaderPropagator::new([NAME, "X-Tenant"]).header("X-TENANT").header_names().eq([NAME]), "listed once");
}

#[test]
fn names_keep_their_order() {
    let propagator = HeaderPropagator::new(["x-zone", "x-tenant", "x-zone"]).header("x-a").header("x-tenant");
    assert!(propagator.header_names().eq(["x-zone", "x-tenant", "x-a"]));
}

const FUNCTIONS: [fn(String); 4] = [
    |name| drop(HeaderPropagator::new([String::from(NAME), name])),
    |name| drop(HeaderPropagator::trace_context().header(name)),
    |name| drop(RequestIdPolicy::new().header(name)),
    |name| drop(RequestIdPolicy::new().fallback_header(name)),
];

#[test]
fn panic_message_shows_an_invalid_name() {
    for name in ["", "two words", "x-tenant:", "x-t\u{e9}nant", "x-tenant\r\nx-forged", "\"x-tenant\"", "x,y"] {
        for function in FUNCTIONS {
            let message = panic_text(|| function(name.to_owned()));
            let expected = format!("{name:?} is not a valid header name (InvalidHeaderName): a name consists of ASCII");
            assert!(message.starts_with(&expected), "{message}");
            assert!(message.ends_with(r#"such as "x-request-id""#), "{message}");
        }
    }
}

#[test]
fn panic_message_shows_a_name_that_frames_a_message() {
    for (name, function) in NOT_FORWARDABLE.iter().flat_map(|name| FUNCTIONS.map(|function| (name, function))) {
        for name in [(*name).to_owned(), name.to_uppercase()] {
            let message = panic_text(|| function(name.clone()));
            assert!(
                message.starts_with(&format!("the header `{}` frames one message", name.to_lowercase())),
                "{message}"
            );
        }
    }
}

#[test]
fn panic_location_is_that_of_the_caller() {
    for (name, function) in ["two words", "connection"].into_iter().flat_map(|name| FUNCTIONS.map(|f| (name, f))) {
        assert_eq!(panic_file(|| function(name.to_owned())), file!());
    }
}
