//! The future of a [`RequestContextService`](crate::RequestContextService).

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use pin_project_lite::pin_project;

use crate::{RequestContext, ResponseBody, Scoped};

pin_project! {
    /// The inner service's future in the request's context, or the response of a setup that refused.
    ///
    /// Its type parameters are not part of the promise of this crate; name it through `Service::Future`.
    ///
    /// # Panics
    ///
    /// When it is polled after completion.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct ResponseFuture<F, R> {
        #[pin]
        state: State<F, R>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, R> {
        Called { #[pin] future: Scoped<F> },
        Refused { response: Scoped<Response<R>> },
    }
}

impl<F, R> ResponseFuture<F, R> {
    #[inline]
    pub(crate) fn called(context: RequestContext, call: impl FnOnce() -> F) -> Self {
        let future = Scoped::made(context, call);
        Self { state: State::Called { future } }
    }

    pub(crate) fn refused(context: RequestContext, response: Response<R>) -> Self {
        let response = Scoped::new(Some(context), response);
        Self { state: State::Refused { response } }
    }
}

impl<F, B, E, R> Future for ResponseFuture<F, R>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B, R>>, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Called { mut future } => {
                let result = ready!(future.as_mut().poll(cx));
                let context = future.take_context();
                Poll::Ready(result.map(|response| response.map(|body| ResponseBody::inner(context, body))))
            }
            StateProjection::Refused { response } => {
                let (context, response) = response.take().expect("future polled after completion");
                Poll::Ready(Ok(response.map(|body| ResponseBody::refusal(context, body))))
            }
        }
    }
}

impl<F, R> fmt::Debug for ResponseFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("ResponseFuture");
        match &self.state {
            State::Called { future } => fields.field("called", future),
            State::Refused { response } => fields.field("refused", response),
        };
        fields.finish()
    }
}
