//! Header names: which may be forwarded, and which a request marks as hop-by-hop.

use std::{fmt::Debug, sync::Arc};

use http::{HeaderMap, HeaderName, header, request::Parts};

/// The header of a request's id, unless a policy names another.
pub(super) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Decides by the parts of a request, whose extensions hold what the server knows about the peer.
pub(super) type TrustPredicate = Arc<dyn Fn(&Parts) -> bool + Send + Sync>;

/// Headers that frame a message or belong to one connection (RFC 9110, sections 6.6, 7.2, 7.6.1 and 8.6).
static NOT_FORWARDABLE: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Panics on the name of a header that HTTP itself needs.
#[track_caller]
pub(super) fn assert_forwardable(name: &HeaderName) {
    assert!(
        !NOT_FORWARDABLE.contains(name),
        "the header `{name}` frames one message or belongs to one connection, and cannot travel to another or carry an id: \
         leave it to server and client, and name a header that describes the request",
    );
}

/// Returns whether the `Connection` header of a message nominates a header as hop-by-hop (RFC 9110, section 7.6.1).
pub(super) fn is_hop_by_hop(headers: &HeaderMap, name: &HeaderName) -> bool {
    let lines = headers.get_all(header::CONNECTION).iter();
    let mut options = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    options.any(|option| option.trim_ascii().eq_ignore_ascii_case(name.as_str().as_bytes()))
}

/// Converts to a header name, and panics with a message that shows an invalid one.
#[track_caller]
pub(super) fn header_name<N>(name: N) -> HeaderName
where
    N: TryInto<HeaderName, Error: Debug> + Debug,
{
    let text = format!("{name:?}");
    match name.try_into() {
        Ok(name) => name,
        Err(error) => panic!(
            "{text} is not a valid header name ({error:?}): a name consists of ASCII letters, digits and `-`, such as \
             \"x-request-id\"",
        ),
    }
}
