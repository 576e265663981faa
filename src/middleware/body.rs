//! The response body of a [`RequestContextService`](crate::RequestContextService).

use std::{
    any::type_name,
    fmt, mem,
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{remaining_bytes::RemainingBytes, tracked_body::TrackedBody};
use crate::{End, context::EndReporter};

pin_project! {
    /// Response body for [`RequestContextService`](crate::RequestContextService).
    ///
    /// Wraps the inner service's body, or the body of a rejection. That body is polled and dropped in the request's
    /// context. When it ends or is dropped, the request ends: see [`End`](crate::End). If
    /// [`Nesting::Reuse`](crate::Nesting::Reuse) kept an outer context, the body of the layer that created that context
    /// ends the request.
    ///
    /// ```
    /// use http_body::Body;
    /// use tower_request_context::ResponseBody;
    ///
    /// let body = ResponseBody::<String>::default();
    /// assert!(body.is_end_stream());
    /// ```
    ///
    /// Frames, trailers, `size_hint` and `is_end_stream` pass unchanged. So do errors of the inner service's body. An
    /// error of a rejection's body is converted. After an error the body is complete and returns `None`. `size_hint`
    /// and `is_end_stream` are called outside the context. This crate itself calls each at most once:
    ///
    /// * `size_hint` when it wraps the body, unless the method, the status or a `Content-Length` determines the length.
    /// * `is_end_stream` when the body is dropped early, unless the bytes so far show how the request ended.
    ///
    /// It is `Send`, `Sync` and `Unpin` if the types `B` and `R` both are, and `Default` if `B` is. A default body has
    /// no context.
    pub struct ResponseBody<B, R = B> {
        #[pin]
        reporter: EndReporter<TrackedBody<EitherBody<B, R>>>,
    }
}

pin_project! {
    #[project = EitherBodyProjection]
    pub(super) enum EitherBody<B, R> {
        Inner { #[pin] body: B },
        Rejection { #[pin] body: R },
    }
}

impl<B, R> ResponseBody<B, R> {
    #[inline]
    pub(super) fn new(reporter: EndReporter<TrackedBody<EitherBody<B, R>>>) -> Self {
        Self { reporter }
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
        let mut reporter = self.project().reporter;
        let (mut inner, entered, mut panic_guard) = reporter.as_mut().enter();
        let mut end = None;
        let polled = match inner.as_mut().as_pin_mut() {
            Some(mut tracked) => {
                let polled = tracked.as_mut().get_pin_mut().poll_frame(cx);
                match &polled {
                    Poll::Ready(None) => end = Some(tracked.at_end()),
                    Poll::Ready(Some(Err(_))) => end = Some(End::Failed),
                    Poll::Ready(Some(Ok(frame))) => tracked.record_frame(frame),
                    Poll::Pending => {}
                }
                polled
            }
            None => Poll::Ready(None),
        };
        if end.is_some() {
            panic_guard.report_on_panic();
            inner.set(None);
        }
        mem::forget(panic_guard);
        drop(entered);
        reporter.end(end);
        polled
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        self.reporter.call(|tracked| tracked.get_ref().is_end_stream()).unwrap_or(true)
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        self.inner_size_hint()
    }
}

// Here the bodies need not have the same `Data`: `ResponseFuture`, which calls this, has no such bound.
impl<B: Body, R: Body> ResponseBody<B, R> {
    /// Sets the length from the body's `size_hint`. Called after the body was wrapped: if `size_hint`
    /// panics, unwinding drops the wrapper, which drops the body in its context.
    #[inline]
    pub(super) fn set_size(&mut self) {
        let size = self.inner_size_hint();
        if let Some(tracked) = self.reporter.get_mut() {
            tracked.set_size(&size);
        }
    }

    #[inline]
    fn inner_size_hint(&self) -> SizeHint {
        self.reporter.call(|tracked| tracked.get_ref().size_hint()).unwrap_or_else(|| SizeHint::with_exact(0))
    }
}

impl<B: Default, R> Default for ResponseBody<B, R> {
    fn default() -> Self {
        Self::new(EndReporter::detached(TrackedBody::new(EitherBody::inner(B::default()), RemainingBytes::UNKNOWN)))
    }
}

impl<B, R> fmt::Debug for ResponseBody<B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scoped = self.reporter.get_ref();
        let mut fields = f.debug_struct("ResponseBody");
        match scoped.get_ref().map(TrackedBody::get_ref) {
            Some(EitherBody::Rejection { .. }) => fields.field("rejection", &scoped.named(type_name::<R>())),
            Some(EitherBody::Inner { .. }) | None => fields.field("inner", &scoped.named(type_name::<B>())),
        };
        fields.finish()
    }
}

impl<B, R> EitherBody<B, R> {
    #[inline]
    pub(super) fn inner(body: B) -> Self {
        Self::Inner { body }
    }

    #[inline]
    pub(super) fn rejection(body: R) -> Self {
        Self::Rejection { body }
    }
}

impl<B: Body, R: Body> EitherBody<B, R> {
    #[inline]
    pub(super) fn is_end_stream(&self) -> bool {
        match self {
            Self::Inner { body } => body.is_end_stream(),
            Self::Rejection { body } => body.is_end_stream(),
        }
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Inner { body } => body.size_hint(),
            Self::Rejection { body } => body.size_hint(),
        }
    }
}

impl<B, R> EitherBody<B, R>
where
    B: Body,
    R: Body<Data = B::Data>,
    R::Error: Into<B::Error>,
{
    #[inline]
    #[expect(clippy::type_complexity, reason = "this is the return type of `Body::poll_frame`")]
    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match self.project() {
            EitherBodyProjection::Inner { body } => body.poll_frame(cx),
            EitherBodyProjection::Rejection { body } => body.poll_frame(cx).map_err(Into::into),
        }
    }
}
