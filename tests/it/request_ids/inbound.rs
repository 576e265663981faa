//! `inbound_id`: the id that a policy would accept, before it is applied.

use axum::{Router, body::Body};
use http::{HeaderValue, Request, Response, StatusCode, Version, header::CONNECTION, request::Parts};
use tower_request_context::{RequestContextLayer, RequestId, RequestIdError, RequestIdPolicy, Store};

use super::{id, is_new, lines_of, send};
use crate::support::{VERSIONS, text};

const HEADER: &str = "x-request-id";

pub(super) fn parts(lines: &[(&'static str, &[u8])]) -> Parts {
    let mut parts = Request::new(()).into_parts().0;
    for (name, line) in lines {
        parts.headers.append(*name, HeaderValue::from_bytes(line).unwrap());
    }
    parts
}

/// Returns the policy's inbound id, after checking that [`RequestIdPolicy::apply`] agrees with it.
#[track_caller]
pub(super) fn inbound(policy: &RequestIdPolicy, mut request: Parts) -> Result<Option<RequestId>, RequestIdError> {
    let before = format!("{request:?}");
    let inbound = policy.inbound_id(&request);
    assert_eq!(format!("{request:?}"), before);
    let applied = policy.apply(&mut Store::new(), &mut request);
    match &inbound {
        Ok(Some(id)) => assert_eq!(&applied, id),
        Ok(None) | Err(_) => assert!(is_new(applied.as_str()), "{applied}"),
    }
    inbound
}

pub(super) fn error_of(id: &str) -> RequestIdError {
    id.parse::<RequestId>().unwrap_err()
}

fn with_lines(lines: &[&[u8]]) -> Parts {
    let mut parts = parts(&[]);
    parts.headers = lines_of(HEADER, lines);
    parts
}

#[test]
fn inbound_id_and_apply_agree() {
    let too_long = "a".repeat(129);
    let cases: [(&[&[u8]], _); 10] = [
        (&[], Ok(None)),
        (&[b"theirs"], Ok(Some("theirs".parse().unwrap()))),
        (&[b""], Err(RequestIdError::Empty)),
        (&[b"one", b"two"], Err(RequestIdError::Repeated)),
        (&[b"same", b"same"], Err(RequestIdError::Repeated)),
        (&[b"", b""], Err(RequestIdError::Repeated)),
        (&[too_long.as_bytes()], Err(error_of(&too_long))),
        (&[b"two words"], Err(error_of("two words"))),
        (&[b"one,two"], Err(error_of("one,two"))),
        (&[b"caf\xe9"], Err(error_of("caf\u{e9}"))),
    ];
    for (lines, expected) in cases {
        for accepting in [RequestIdPolicy::new().accept_inbound(), RequestIdPolicy::new().accept_inbound_if(|_| true)] {
            assert_eq!(inbound(&accepting, with_lines(lines)), expected, "{lines:?}");
        }
        for rejecting in [RequestIdPolicy::new(), RequestIdPolicy::new().accept_inbound_if(|_| false)] {
            assert_eq!(inbound(&rejecting, with_lines(lines)), Ok(None), "{lines:?}");
        }
    }
}

#[test]
fn id_nominated_by_the_connection_header_is_none() {
    for lines in [&[b"theirs".as_slice()][..], &[b"two words"], &[b"one", b"two"]] {
        let mut request = with_lines(lines);
        request.headers.insert(CONNECTION, HeaderValue::from_static("close, X-Request-Id"));
        assert_eq!(inbound(&RequestIdPolicy::new().accept_inbound(), request), Ok(None));
    }
}

#[test]
fn repeated_id_has_its_own_error_message() {
    assert_eq!(RequestIdError::Repeated.to_string(), "a request id must be the only value of its header");
}

#[tokio::test]
async fn setup_can_reject_an_invalid_id() {
    let policy = RequestIdPolicy::new().accept_inbound();
    #[expect(clippy::result_large_err, reason = "a rejection is a whole response")]
    let layer = RequestContextLayer::new(move |store, request| {
        if let Err(error) = policy.inbound_id(request) {
            let mut rejection = Response::new(Body::from(error.to_string()));
            *rejection.status_mut() = StatusCode::BAD_REQUEST;
            return Err(rejection);
        }
        policy.apply(store, request);
        Ok(())
    });
    let app = Router::new().fallback(async || id()).layer(layer);
    for version in VERSIONS {
        let response = send(app.clone(), version, HEADER, &[b"two words"]).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(text(response).await, error_of("two words").to_string());
        assert_eq!(text(send(app.clone(), version, HEADER, &[b"theirs"]).await).await, "theirs");
    }
    assert!(is_new(&text(send(app, Version::HTTP_11, HEADER, &[]).await).await));
}
