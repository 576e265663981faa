//! The future of a [`RequestContextService`](crate::RequestContextService).

use std::{
    any::type_name,
    fmt, mem,
    pin::Pin,
    task::{Context, Poll},
};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::{
    RequestContext, ResponseBody,
    body::Kind,
    delivery::{Asked, Remaining, Tracked},
    end::{End, Ending},
    setup::Refusal,
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
        answer: Ending<Answer<F, R>>,
        asked: Asked,
    }
}

pin_project! {
    #[project = AnswerProjection]
    enum Answer<F, R> {
        Called { #[pin] future: F },
        Refused { refusal: R },
    }
}

impl<F, R> ResponseFuture<F, R> {
    #[inline]
    pub(crate) fn called(context: Option<RequestContext>, is_new: bool, asked: Asked, future: F) -> Self {
        Self { answer: Ending::new(context, is_new, Answer::Called { future }), asked }
    }

    pub(crate) fn refused(context: RequestContext, asked: Asked, refusal: R) -> Self {
        Self { answer: Ending::new(Some(context), true, Answer::Refused { refusal }), asked }
    }
}

impl<F, B, E, R> Future for ResponseFuture<F, R>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    R: Refusal<Body: Body>,
{
    type Output = Result<Response<ResponseBody<B, R::Body>>, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let (mut inner, entered, unwinding) = this.answer.as_mut().enter();
        match inner.as_mut().as_pin_mut().expect("future polled after completion").project() {
            AnswerProjection::Called { future } => {
                let mut polled = future.poll(cx);
                if polled.is_ready() {
                    inner.set(None);
                }
                mem::forget(unwinding);
                drop(entered);
                this.answer.as_mut().end(matches!(polled, Poll::Ready(Err(_))).then_some(End::Failed));
                this.answer.as_mut().show(&mut polled);
                polled.map_ok(|response| deliver(response, Kind::inner, this.answer, *this.asked))
            }
            AnswerProjection::Refused { refusal } => {
                let mut polled = Poll::Ready(Ok(refusal.take()));
                inner.set(None);
                mem::forget(unwinding);
                drop(entered);
                this.answer.as_mut().show(&mut polled);
                polled.map_ok(|response| deliver(response, Kind::refusal, this.answer, *this.asked))
            }
        }
    }
}

/// Leaves the end to the body.
#[inline]
fn deliver<B, I, R, A>(
    response: Response<B>,
    kind: fn(B) -> Kind<I, R>,
    answer: Pin<&mut Ending<A>>,
    asked: Asked,
) -> Response<ResponseBody<I, R>>
where
    B: Body,
    I: Body,
    R: Body,
{
    // The header comes before `size_hint`: hyper sends it unchanged, and clients check it.
    let remaining = Remaining::announced(&response, asked);
    let at_drop = |tracked: &Tracked<Kind<I, R>>| tracked.at_drop(Kind::is_end_stream);
    response.map(|body| {
        let mut body = ResponseBody::new(answer.hand_over(Tracked::new(kind(body), remaining), at_drop));
        if remaining == Remaining::UNKNOWN {
            body.set_size();
        }
        body
    })
}

impl<F, R> fmt::Debug for ResponseFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scoped = self.answer.get_ref();
        let mut fields = f.debug_struct("ResponseFuture");
        match scoped.get_ref() {
            Some(Answer::Refused { .. }) => fields.field("refused", &scoped.named(type_name::<R>())),
            Some(Answer::Called { .. }) | None => fields.field("called", &scoped.named(type_name::<F>())),
        };
        fields.finish_non_exhaustive()
    }
}
