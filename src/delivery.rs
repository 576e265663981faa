//! A body on its way out: when it counts as delivered, and what its end means.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Buf;
use http::{Method, Response, StatusCode, header::CONTENT_LENGTH};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{
    Scoped,
    end::{End, Ending},
};

pin_project! {
    /// A body that ends its request.
    pub(crate) struct Delivery<B> {
        #[pin]
        body: Ending<B>,
        unsent: Unsent,
    }
}

impl<B> Delivery<B> {
    pub(crate) fn detached(body: B) -> Self {
        Self { body: Ending::detached(body), unsent: Unsent::Unknown }
    }

    pub(crate) fn get_ref(&self) -> &Scoped<B> {
        self.body.get_ref()
    }
}

impl<B: Body> Delivery<B> {
    /// Takes over from the future that made the response.
    #[inline]
    pub(crate) fn new<F>(future: Pin<&mut Ending<F>>, body: B, unsent: Unsent) -> Self {
        let is_done = if unsent == Unsent::Nothing { |_: &B| true } else { is_done };
        Self { body: future.hand_over(body, is_done), unsent }
    }
}

/// What a server looks at before it drops a body that it has not polled to the end.
fn is_done<B: Body>(body: &B) -> bool {
    body.is_end_stream() || body.size_hint().exact() == Some(0)
}

impl<B: Body> Body for Delivery<B> {
    type Data = B::Data;
    type Error = B::Error;

    #[inline]
    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let polled = this.body.as_mut().run(|inner, _| {
            let Some(body) = inner.as_pin_mut() else {
                return (Poll::Ready(None), None);
            };
            let polled = body.poll_frame(cx);
            let end = match &polled {
                Poll::Ready(None) => Some(End::Completed),
                Poll::Ready(Some(Err(_))) => Some(End::Failed),
                Poll::Ready(Some(Ok(_))) | Poll::Pending => None,
            };
            (polled, end)
        });
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            if this.unsent.shrinks_to_nothing(frame) {
                this.body.set_done();
            }
        }
        polled
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        self.get_ref().is_end_stream()
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        self.get_ref().size_hint()
    }
}

/// What of a request decides whether its answer has a body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Head,
    Connect,
    Other,
}

impl Asked {
    #[inline]
    pub(crate) fn by(method: &Method) -> Self {
        match *method {
            Method::HEAD => Self::Head,
            Method::CONNECT => Self::Connect,
            _ => Self::Other,
        }
    }

    /// [RFC 9110, section 6.4.1](https://www.rfc-editor.org/rfc/rfc9110#section-6.4.1): which responses have no content,
    /// whatever their body holds.
    fn forbids_body(self, status: StatusCode) -> bool {
        match self {
            Self::Head => true,
            Self::Connect if status.is_success() => true,
            _ => status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED),
        }
    }
}

/// What a server has still to be handed before it has all that it will send.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsent {
    Nothing,
    /// So many bytes of the Content-Length.
    Bytes(u64),
    /// Only the body can tell.
    Unknown,
}

impl Unsent {
    #[inline]
    pub(crate) fn of<B: Body>(response: &Response<B>, asked: Asked) -> Self {
        if asked.forbids_body(response.status()) {
            return Self::Nothing;
        }
        if response.body().size_hint().exact().is_some() {
            return Self::Unknown;
        }
        let length = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        length.map_or(Self::Unknown, Self::after)
    }

    #[inline]
    fn after(bytes: u64) -> Self {
        if bytes == 0 { Self::Nothing } else { Self::Bytes(bytes) }
    }

    /// Takes a frame off. Trailers are the last.
    #[inline]
    fn shrinks_to_nothing<D: Buf>(&mut self, frame: &Frame<D>) -> bool {
        *self = match (*self, frame.data_ref()) {
            (Self::Bytes(bytes), Some(data)) => Self::after(bytes.saturating_sub(data.remaining() as u64)),
            (_, None) if frame.is_trailers() => Self::Nothing,
            (unsent, _) => unsent,
        };
        *self == Self::Nothing
    }
}
