//! The number of bytes that a response body has not returned yet.

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header::CONTENT_LENGTH};
use http_body::SizeHint;

use crate::End;

/// The facts of a request's method that decide whether its response has content.
#[derive(Clone, Copy)]
pub(super) struct MethodInfo {
    is_head: bool,
    is_connect: bool,
}

impl MethodInfo {
    #[inline]
    pub(super) fn from_method(method: &Method) -> Self {
        Self { is_head: *method == Method::HEAD, is_connect: *method == Method::CONNECT }
    }

    /// Returns whether the server sends no content for a response with this status, even if its body is not empty
    /// ([RFC 9110, section 6.4.1](https://www.rfc-editor.org/rfc/rfc9110#section-6.4.1)).
    #[inline]
    fn forbids_body(self, status: StatusCode) -> bool {
        self.is_head
            || self.is_connect && status.is_success()
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    }
}

/// The number of bytes that a body has not returned yet, or one of three states.
///
/// The three largest numbers encode the states, so that this has the size of a `u64`. No body is that long.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct RemainingBytes(u64);

impl RemainingBytes {
    /// The response is complete. Frames that follow make no difference.
    const COMPLETE: Self = Self(u64::MAX);

    /// The length is not known. The response is complete when the body returns `None`.
    pub(super) const UNKNOWN: Self = Self(u64::MAX - 1);

    /// The body returned more or fewer bytes than were announced, or the `Content-Length` is not valid.
    const MISMATCH: Self = Self(u64::MAX - 2);

    const MAX_LENGTH: u64 = u64::MAX - 3;

    /// Returns the number of bytes that the status and headers of a response announce.
    #[inline]
    pub(super) fn for_response<B>(response: &Response<B>, method: MethodInfo) -> Self {
        if method.forbids_body(response.status()) {
            return Self::COMPLETE;
        }
        match response.headers().get(CONTENT_LENGTH) {
            Some(length) => Self::from_content_length(length, response.headers()),
            None => Self::UNKNOWN,
        }
    }

    /// Reads `Content-Length` as hyper does: it is valid if each value is a number and all are equal.
    #[inline(never)]
    fn from_content_length(first: &HeaderValue, headers: &HeaderMap) -> Self {
        let length = parse(first);
        let is_valid = headers.get_all(CONTENT_LENGTH).iter().all(|value| parse(value) == length);
        length.filter(|_| is_valid).map_or(Self::MISMATCH, Self::from_length)
    }

    #[inline]
    pub(super) fn from_size_hint(size: &SizeHint) -> Self {
        size.exact().map_or(Self::UNKNOWN, Self::from_length)
    }

    #[inline]
    fn from_length(length: u64) -> Self {
        Self(length.min(Self::MAX_LENGTH))
    }

    /// Records bytes that the body returned.
    #[inline]
    pub(super) fn subtract(&mut self, bytes: u64) {
        if self.0 <= Self::MAX_LENGTH {
            *self = self.0.checked_sub(bytes).map_or(Self::MISMATCH, Self);
        }
    }

    /// Records trailers. They are the last frame that a server sends.
    #[inline]
    pub(super) fn record_trailers(&mut self) {
        *self = if self.at_end() == End::Completed { Self::COMPLETE } else { Self::MISMATCH };
    }

    /// Returns how the request ends if its response body returns nothing more.
    #[inline]
    pub(super) fn at_end(self) -> End {
        match self {
            Self(0) | Self::COMPLETE | Self::UNKNOWN => End::Completed,
            _ => End::Failed,
        }
    }

    /// Returns how the request ends if its response body is dropped now. Calls `is_end_stream` only if the count does
    /// not decide.
    pub(super) fn at_drop(self, is_end_stream: impl FnOnce() -> bool) -> End {
        match self {
            Self(0) | Self::COMPLETE => End::Completed,
            Self::MISMATCH => End::Failed,
            _ if is_end_stream() => self.at_end(),
            _ => End::Cancelled,
        }
    }
}

/// Parses a number that consists of digits only. `str::parse` also accepts a leading `+`.
fn parse(length: &HeaderValue) -> Option<u64> {
    let length = length.to_str().ok()?;
    if length.bytes().all(|byte| byte.is_ascii_digit()) { length.parse().ok() } else { None }
}
