//! A valid id equals its input. An error shows no part of its input.

use http::HeaderValue;
use tower_request_context::{RequestId, RequestIdError};

/// Checks a potential id. Returns whether it is valid.
pub fn check(input: &[u8]) -> bool {
    let verdict = verdict(input);
    if let Ok(text) = str::from_utf8(input) {
        for result in [text.parse(), RequestId::try_from(text), RequestId::try_from(text.to_owned())] {
            check_result(input, &verdict, result);
        }
    }
    if let Ok(line) = HeaderValue::from_bytes(input) {
        check_result(input, &verdict, RequestId::try_from(&line));
    }
    verdict.is_ok()
}

fn check_result(input: &[u8], verdict: &Result<(), Rejection>, result: Result<RequestId, RequestIdError>) {
    match (verdict, result) {
        (Ok(()), Ok(id)) => {
            assert_eq!(id.as_str().as_bytes(), input);
            assert_eq!(id.to_string().as_bytes(), input);
            assert_eq!(HeaderValue::from(id), input);
        }
        (Err(rejection), Err(error)) => {
            assert_eq!(format!("{error:?}"), rejection.debug);
            assert_eq!(error.to_string(), rejection.display);
        }
        (_, result) => panic!("{result:?} for {}", input.escape_ascii()),
    }
}

/// The expected texts of an error.
struct Rejection {
    debug: String,
    display: String,
}

fn verdict(input: &[u8]) -> Result<(), Rejection> {
    let rejection = |debug, display| Err(Rejection { debug, display });
    match (input.len(), input.iter().position(|byte| !is_allowed(*byte))) {
        (0, _) => rejection("Empty".into(), "a request id must not be empty".into()),
        (length @ 129.., _) => rejection(
            format!("TooLong {{ length: {length} }}"),
            format!("a request id has at most 128 bytes, not {length}"),
        ),
        (_, Some(position)) => rejection(
            format!("InvalidCharacter {{ position: {position} }}"),
            format!(
                "byte {position} of the id, counted from 0, is not allowed: a request id consists of ASCII letters, \
                 digits and `-._~+/=:;`"
            ),
        ),
        (_, None) => Ok(()),
    }
}

/// Returns whether this is an id according to the documentation.
pub(super) fn is_id(input: &[u8]) -> bool {
    (1..=128).contains(&input.len()) && input.iter().copied().all(is_allowed)
}

fn is_allowed(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9')
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=' | b':' | b';')
}
