//! What request ids and propagation have in common: whose headers are believed, and which are left alone.

use std::sync::Arc;

use http::{HeaderName, header, request::Parts};

/// Decides by the head of a request, to which servers add what they know of the peer.
pub(crate) type Trusted = Arc<dyn Fn(&Parts) -> bool + Send + Sync>;

/// Headers that frame a message or belong to one connection (RFC 9110, sections 6.6, 7.2, 7.6.1 and 8.6).
static OF_ONE_MESSAGE: [HeaderName; 9] = [
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
pub(crate) fn assert_free(name: &HeaderName) {
    assert!(
        !OF_ONE_MESSAGE.contains(name),
        "the header `{name}` frames one message or belongs to one connection, and cannot travel to another or carry an id: \
         leave it to server and client, and name a header that describes the request",
    );
}
