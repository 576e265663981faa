//! The body of a response.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::delivery::Delivery;

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
        kind: Kind<B, R>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B, R> {
        Inner { #[pin] body: Delivery<B> },
        Refusal { #[pin] body: Delivery<R> },
    }
}

impl<B, R> ResponseBody<B, R> {
    #[inline]
    pub(crate) fn inner(body: Delivery<B>) -> Self {
        Self { kind: Kind::Inner { body } }
    }

    pub(crate) fn refusal(body: Delivery<R>) -> Self {
        Self { kind: Kind::Refusal { body } }
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
        match self.project().kind.project() {
            KindProjection::Inner { body } => body.poll_frame(cx),
            KindProjection::Refusal { body } => body.poll_frame(cx).map_err(Into::into),
        }
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Refusal { body } => body.is_end_stream(),
        }
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body } => body.size_hint(),
            Kind::Refusal { body } => body.size_hint(),
        }
    }
}

impl<B: Default, R> Default for ResponseBody<B, R> {
    fn default() -> Self {
        Self::inner(Delivery::detached(B::default()))
    }
}

impl<B, R> fmt::Debug for ResponseBody<B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("ResponseBody");
        match &self.kind {
            Kind::Inner { body } => fields.field("inner", body.get_ref()),
            Kind::Refusal { body } => fields.field("refusal", body.get_ref()),
        };
        fields.finish()
    }
}
