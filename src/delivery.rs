//! How much of a response body is still to be handed to the server, and what that says about its completion.

use std::pin::Pin;

use bytes::Buf;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header::CONTENT_LENGTH};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::End;

pin_project! {
    /// A response body and the bytes that it has still to hand to the server.
    pub(crate) struct Tracked<B> {
        #[pin]
        body: B,
        remaining: Remaining,
    }
}

impl<B> Tracked<B> {
    #[inline]
    pub(crate) fn new(body: B, remaining: Remaining) -> Self {
        Self { body, remaining }
    }

    #[inline]
    pub(crate) fn get_ref(&self) -> &B {
        &self.body
    }

    #[inline]
    pub(crate) fn body(self: Pin<&mut Self>) -> Pin<&mut B> {
        self.project().body
    }

    /// Counts down from the exact size of the body, if it has one.
    #[inline]
    pub(crate) fn set_size(&mut self, size: &SizeHint) {
        self.remaining = size.exact().map_or(Remaining::UNKNOWN, Remaining::bytes);
    }

    /// Records a frame that is handed on.
    #[inline]
    pub(crate) fn record<D: Buf>(self: Pin<&mut Self>, frame: &Frame<D>) {
        let remaining = self.project().remaining;
        match frame.data_ref() {
            Some(data) => remaining.subtract(data.remaining() as u64),
            // A server sends nothing after trailers.
            None if frame.is_trailers() => {
                *remaining =
                    if remaining.at_end() == End::Completed { Remaining::COMPLETE } else { Remaining::MISMATCH }
            }
            None => {}
        }
    }

    /// Returns the completion of a body that has no more frames.
    #[inline]
    pub(crate) fn at_end(&self) -> End {
        self.remaining.at_end()
    }

    /// Returns the completion of a body that is dropped before it returned `None`. `is_end_stream` is called only where
    /// the count does not decide.
    pub(crate) fn at_drop(&self, is_end_stream: impl FnOnce(&B) -> bool) -> End {
        match self.remaining {
            Remaining(0) | Remaining::COMPLETE => End::Completed,
            Remaining::MISMATCH => End::Failed,
            remaining if is_end_stream(&self.body) => remaining.at_end(),
            _ => End::Cancelled,
        }
    }
}

/// The facts of a request that decide whether its response has a body.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    is_head: bool,
    is_connect: bool,
}

impl Asked {
    #[inline]
    pub(crate) fn by(method: &Method) -> Self {
        Self { is_head: *method == Method::HEAD, is_connect: *method == Method::CONNECT }
    }

    /// [RFC 9110, section 6.4.1](https://www.rfc-editor.org/rfc/rfc9110#section-6.4.1): which responses have no content,
    /// whatever their body holds.
    #[inline]
    fn forbids_body(self, status: StatusCode) -> bool {
        self.is_head
            || self.is_connect && status.is_success()
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    }
}

/// The number of bytes that a body has still to hand on, or one of three states that need no number.
///
/// The states are the largest numbers, so that this is as small as a number. No body is that long.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Remaining(u64);

impl Remaining {
    /// The response is complete, whatever the body does from here on.
    const COMPLETE: Self = Self(u64::MAX);

    /// The length is not known: the response is complete when the body ends.
    pub(crate) const UNKNOWN: Self = Self(u64::MAX - 1);

    /// The body does not match its length, or the length is not valid.
    const MISMATCH: Self = Self(u64::MAX - 2);

    const MAX_LENGTH: u64 = u64::MAX - 3;

    /// Returns what the status and the headers of a response say of its length.
    #[inline]
    pub(crate) fn announced<B>(response: &Response<B>, asked: Asked) -> Self {
        if asked.forbids_body(response.status()) {
            return Self::COMPLETE;
        }
        match response.headers().get(CONTENT_LENGTH) {
            Some(length) => Self::parsed(length, response.headers()),
            None => Self::UNKNOWN,
        }
    }

    /// Reads the length as hyper does: each line is a number, and all lines are the same one.
    #[inline(never)]
    fn parsed(first: &HeaderValue, all: &HeaderMap) -> Self {
        let length = parse(first);
        let is_valid = all.get_all(CONTENT_LENGTH).iter().all(|line| parse(line) == length);
        length.filter(|_| is_valid).map_or(Self::MISMATCH, Self::bytes)
    }

    #[inline]
    fn bytes(length: u64) -> Self {
        Self(length.min(Self::MAX_LENGTH))
    }

    #[inline]
    fn subtract(&mut self, bytes: u64) {
        if self.0 <= Self::MAX_LENGTH {
            *self = self.0.checked_sub(bytes).map_or(Self::MISMATCH, Self);
        }
    }

    #[inline]
    fn at_end(self) -> End {
        match self {
            Self(0) | Self::COMPLETE | Self::UNKNOWN => End::Completed,
            _ => End::Failed,
        }
    }
}

/// Parses digits and nothing else: `u64` would take a `+` too.
fn parse(length: &HeaderValue) -> Option<u64> {
    let length = length.to_str().ok()?;
    if length.bytes().all(|byte| byte.is_ascii_digit()) { length.parse().ok() } else { None }
}
