//! The future of a [`RequestContextService`](crate::RequestContextService).

use std::{
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::{
    RequestContext, ResponseBody,
    delivery::{Asked, Delivery, Unsent},
    end::{End, Ending, respond},
};

pin_project! {
    /// The inner service's future in the request's context, or the response of a setup that refused.
    ///
    /// Its type parameters are not part of the promise of this crate; name it through `Service::Future`.
    ///
    /// ```
    /// # use {http::{Request, Response}, std::convert::Infallible, tower::{Layer, Service, service_fn}};
    /// # use tower_request_context::RequestContextLayer;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let inner = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new())));
    /// let mut service = RequestContextLayer::default().layer(inner);
    /// let future = service.call(Request::new(()));
    /// assert!(future.await.is_ok());
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// When it is polled after completion.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct ResponseFuture<F, R> {
        #[pin]
        state: State<F, R>,
        asked: Asked,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, R> {
        Called { #[pin] future: Ending<F> },
        Refused { #[pin] future: Ending<Ready<Result<Response<R>, Infallible>>> },
    }
}

impl<F, R> ResponseFuture<F, R> {
    #[inline]
    pub(crate) fn called(future: Ending<F>, asked: Asked) -> Self {
        Self { state: State::Called { future }, asked }
    }

    pub(crate) fn refused(context: RequestContext, response: Response<R>, asked: Asked) -> Self {
        let future = Ending::made(context, true, || ready(Ok(response)));
        Self { state: State::Refused { future }, asked }
    }
}

impl<F, B, E, R> Future for ResponseFuture<F, R>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    R: Body,
{
    type Output = Result<Response<ResponseBody<B, R>>, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.state.project() {
            StateProjection::Called { future } => {
                let response = ready!(poll_response(future, *this.asked, cx))?;
                Poll::Ready(Ok(response.map(ResponseBody::inner)))
            }
            StateProjection::Refused { future } => {
                let Ok(response) = ready!(poll_response(future, *this.asked, cx));
                Poll::Ready(Ok(response.map(ResponseBody::refusal)))
            }
        }
    }
}

/// Polls for the response, shows its head to those who wait for it, and leaves the end to its body.
#[inline]
fn poll_response<F, B, E>(
    mut future: Pin<&mut Ending<F>>,
    asked: Asked,
    cx: &mut Context<'_>,
) -> Poll<Result<Response<Delivery<B>>, E>>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    let response = ready!(future.as_mut().run(|mut inner, owed| {
        let polled = inner.as_mut().as_pin_mut().expect("future polled after completion").poll(cx);
        let Poll::Ready(result) = polled else {
            return (Poll::Pending, None);
        };
        inner.set(None);
        match result {
            Ok(response) if owed => (Poll::Ready(Ok(respond(response))), None),
            Ok(response) => (Poll::Ready(Ok(response)), None),
            Err(error) => (Poll::Ready(Err(error)), Some(End::Failed)),
        }
    }))?;
    let unsent = Unsent::of(&response, asked);
    Poll::Ready(Ok(response.map(|body| Delivery::new(future, body, unsent))))
}

impl<F, R> fmt::Debug for ResponseFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("ResponseFuture");
        match &self.state {
            State::Called { future } => fields.field("called", future.get_ref()),
            State::Refused { future } => fields.field("refused", future.get_ref()),
        };
        fields.finish_non_exhaustive()
    }
}
