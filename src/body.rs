//! The body of a response.

use std::{
    any::type_name,
    fmt, mem,
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{
    delivery::{Delivery, Unsent},
    end::{End, Ending},
};

pin_project! {
    /// The body of the inner service's response, or that of a refusal, polled and dropped in the request's context.
    ///
    /// Frames, trailers, errors, `size_hint` and `is_end_stream` pass unchanged, up to the first error: nothing comes after
    /// it. It is `Send`, `Sync`, `Unpin` and `Default` where the inner body is; by default it is in no context.
    ///
    /// The request ends with it: see [`End`](crate::End).
    ///
    /// ```
    /// use http_body::Body;
    /// use tower_request_context::ResponseBody;
    ///
    /// let body = ResponseBody::<String>::default();
    /// assert!(body.is_end_stream());
    /// ```
    pub struct ResponseBody<B, R = B> {
        #[pin]
        delivery: Ending<Delivery<Kind<B, R>>>,
    }
}

pin_project! {
    #[project = KindProjection]
    pub(crate) enum Kind<B, R> {
        Inner { #[pin] body: B },
        Refusal { #[pin] body: R },
    }
}

impl<B, R> ResponseBody<B, R> {
    #[inline]
    pub(crate) fn new(delivery: Ending<Delivery<Kind<B, R>>>) -> Self {
        Self { delivery }
    }
}

impl<B, R> Body for ResponseBody<B, R>
where
    B: Body,
    R: Body<Data = B::Data>,
    R::Error: Into<B::Error>,
{
    type Data = B::Data;
    type Error = B::Error;

    #[inline]
    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut ending = self.project().delivery;
        let (mut inner, entered, mut unwinding) = ending.as_mut().enter();
        let polled = match inner.as_mut().as_pin_mut() {
            Some(delivery) => delivery.body().poll_frame(cx),
            None => Poll::Ready(None),
        };
        let mut end = None;
        match &polled {
            Poll::Ready(None) => end = Some(End::Completed),
            Poll::Ready(Some(Err(_))) => end = Some(End::Failed),
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(delivery) = inner.as_mut().as_pin_mut() {
                    delivery.hand_on(frame);
                }
            }
            Poll::Pending => {}
        }
        if end.is_some() {
            unwinding.ends();
            inner.set(None);
        }
        mem::forget(unwinding);
        drop(entered);
        ending.end(end);
        polled
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        self.kind().is_none_or(Kind::is_end_stream)
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        self.kind().map_or_else(|| SizeHint::with_exact(0), Kind::size_hint)
    }
}

impl<B, R> ResponseBody<B, R> {
    /// None once it is over.
    #[inline]
    fn kind(&self) -> Option<&Kind<B, R>> {
        self.delivery.get_ref().get_ref().map(Delivery::get_ref)
    }
}

impl<B: Default, R> Default for ResponseBody<B, R> {
    fn default() -> Self {
        Self::new(Ending::detached(Delivery::new(Kind::inner(B::default()), Unsent::UNKNOWN)))
    }
}

impl<B, R> fmt::Debug for ResponseBody<B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scoped = self.delivery.get_ref();
        let mut fields = f.debug_struct("ResponseBody");
        match self.kind() {
            Some(Kind::Refusal { .. }) => fields.field("refusal", &scoped.named(type_name::<R>())),
            Some(Kind::Inner { .. }) | None => fields.field("inner", &scoped.named(type_name::<B>())),
        };
        fields.finish()
    }
}

impl<B, R> Kind<B, R> {
    #[inline]
    pub(crate) fn inner(body: B) -> Self {
        Self::Inner { body }
    }

    #[inline]
    pub(crate) fn refusal(body: R) -> Self {
        Self::Refusal { body }
    }
}

// What can be asked of it without knowing that the two have the same data.
impl<B: Body, R: Body> Kind<B, R> {
    #[inline]
    fn is_end_stream(&self) -> bool {
        match self {
            Self::Inner { body } => body.is_end_stream(),
            Self::Refusal { body } => body.is_end_stream(),
        }
    }

    #[inline]
    pub(crate) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Inner { body } => body.size_hint(),
            Self::Refusal { body } => body.size_hint(),
        }
    }

    /// What a server looks at before it drops a body that it has not polled to the end.
    pub(crate) fn is_done(&self) -> bool {
        self.is_end_stream() || self.size_hint().exact() == Some(0)
    }
}

impl<B, R> Kind<B, R>
where
    B: Body,
    R: Body<Data = B::Data>,
    R::Error: Into<B::Error>,
{
    #[inline]
    #[expect(clippy::type_complexity, reason = "it is that of `Body::poll_frame`")]
    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match self.project() {
            KindProjection::Inner { body } => body.poll_frame(cx),
            KindProjection::Refusal { body } => body.poll_frame(cx).map_err(Into::into),
        }
    }
}
