//! Header names: which ones can be propagated, and which ones are hop-by-hop.

use std::fmt::Debug;

use http::{HeaderMap, HeaderName, header};

/// The header of the request id, unless a policy sets another one.
pub(super) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

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

/// Converts to the name of a header that can be propagated or carry a request id.
///
/// # Panics
///
/// Panics if the name is invalid, or is in [`NOT_FORWARDABLE`]. The message shows the name.
#[track_caller]
pub(super) fn forwardable_header<N>(name: N) -> HeaderName
where
    N: TryInto<HeaderName, Error: Debug> + Debug,
{
    let given = format!("{name:?}"); // `try_into` consumes the name
    let name = match name.try_into() {
        Ok(name) => name,
        Err(error) => panic!(
            "{given} is not a valid header name ({error:?}): a name consists of ASCII letters, digits and symbols \
             like `-`, such as \"x-request-id\"",
        ),
    };
    assert!(
        !NOT_FORWARDABLE.contains(&name),
        "the header `{name}` frames one message or belongs to one connection, so it cannot be propagated or carry a \
         request id: leave it to the server and the client, and name a header that describes the request",
    );
    name
}

/// Returns whether the `Connection` header of a message nominates a header as hop-by-hop (RFC 9110, section 7.6.1).
pub(super) fn is_hop_by_hop(headers: &HeaderMap, name: &HeaderName) -> bool {
    let values = headers.get_all(header::CONNECTION).iter();
    let mut options = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    options.any(|option| option.trim_ascii().eq_ignore_ascii_case(name.as_str().as_bytes()))
}
