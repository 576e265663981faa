//! When the body of a response counts as delivered: what a server has been handed, and what it will ask for.

use std::pin::Pin;

use bytes::Buf;
use http::{HeaderMap, Method, Response, StatusCode, header::CONTENT_LENGTH};
use http_body::{Body, Frame};
use pin_project_lite::pin_project;

pin_project! {
    /// A body, and what of it the server has still to be handed.
    pub(crate) struct Delivery<B> {
        #[pin]
        body: B,
        unsent: Unsent,
    }
}

impl<B> Delivery<B> {
    #[inline]
    pub(crate) fn new(body: B, unsent: Unsent) -> Self {
        Self { body, unsent }
    }

    #[inline]
    pub(crate) fn get_ref(&self) -> &B {
        &self.body
    }

    #[inline]
    pub(crate) fn body(self: Pin<&mut Self>) -> Pin<&mut B> {
        self.project().body
    }

    /// Takes off what a frame hands on. Trailers are the last.
    #[inline]
    pub(crate) fn hand_on<D: Buf>(self: Pin<&mut Self>, frame: &Frame<D>) {
        let unsent = self.project().unsent;
        match frame.data_ref() {
            Some(data) => unsent.0 = unsent.0.saturating_sub(data.remaining() as u64),
            None if frame.is_trailers() => *unsent = Unsent::NOTHING,
            _ => {}
        }
    }

    /// Whether the server has all that it will send, whatever the body says.
    pub(crate) fn is_sent(&self) -> bool {
        self.unsent == Unsent::NOTHING
    }
}

/// What of a request decides whether its answer has a body.
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

/// So many bytes, which a server has still to be handed before it has all that it will send.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unsent(u64);

impl Unsent {
    const NOTHING: Self = Self(0);

    /// Only the body can tell. What is sent is taken off this too: no body is so long that it would reach 0.
    pub(crate) const UNKNOWN: Self = Self(u64::MAX);

    #[inline]
    pub(crate) fn of<B: Body>(response: &Response<B>, asked: Asked) -> Self {
        if asked.forbids_body(response.status()) {
            return Self::NOTHING;
        }
        if response.body().size_hint().exact().is_some() {
            return Self::UNKNOWN;
        }
        Self::by(response.headers())
    }

    #[inline(never)]
    fn by(headers: &HeaderMap) -> Self {
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        length.map_or(Self::UNKNOWN, Self)
    }
}
