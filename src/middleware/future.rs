//! The response future of a [`RequestContextService`](crate::RequestContextService).

use std::{
    any::type_name,
    fmt, mem,
    pin::Pin,
    task::{Context, Poll},
};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::{
    body::{EitherBody, ResponseBody},
    remaining_bytes::{MethodInfo, RemainingBytes},
    setup::Rejection,
    tracked_body::TrackedBody,
};
use crate::{End, RequestContext, context::EndReporter};

pin_project! {
    /// Response future for [`RequestContextService`](crate::RequestContextService).
    ///
    /// Wraps the inner service's future, which is polled and dropped in the request's context. If the setup rejected
    /// the request, this future returns the response of the rejection.
    ///
    /// ```
    /// # use {http::{Request, Response}, std::convert::Infallible, tower::{Layer, Service, service_fn}};
    /// # use tower_request_context::RequestContextLayer;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let inner = service_fn(async |_: Request<()>| {
    ///     Ok::<_, Infallible>(Response::new(String::new()))
    /// });
    /// let mut service = RequestContextLayer::default().layer(inner);
    /// let future = service.call(Request::new(()));
    /// assert!(future.await.is_ok());
    /// # }
    /// ```
    ///
    /// The type parameters may change in any version. Do not write them. Refer to this type as
    /// `<S as Service<R>>::Future`, where `S` is the service and `R` the request.
    ///
    /// # Panics
    ///
    /// Panics if polled after completion.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct ResponseFuture<F, R> {
        #[pin]
        reporter: EndReporter<State<F, R>>,
        method: MethodInfo,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, R> {
        Running { #[pin] future: F },
        Rejected { rejection: R },
    }
}

impl<F, R> ResponseFuture<F, R> {
    #[inline]
    pub(super) fn running(context: Option<RequestContext>, is_new: bool, method: MethodInfo, future: F) -> Self {
        Self { reporter: EndReporter::new(context, is_new, State::Running { future }), method }
    }

    pub(super) fn rejected(context: RequestContext, method: MethodInfo, rejection: R) -> Self {
        Self { reporter: EndReporter::new(Some(context), true, State::Rejected { rejection }), method }
    }
}

impl<F, B, E, R> Future for ResponseFuture<F, R>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    R: Rejection<Body: Body>,
{
    type Output = Result<Response<ResponseBody<B, R::Body>>, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let (mut inner, entered, panic_guard) = this.reporter.as_mut().enter();
        match inner.as_mut().as_pin_mut().expect("future polled after completion").project() {
            StateProjection::Running { future } => {
                let mut polled = future.poll(cx);
                if polled.is_ready() {
                    inner.set(None);
                }
                mem::forget(panic_guard);
                drop(entered);
                this.reporter.as_mut().end(matches!(polled, Poll::Ready(Err(_))).then_some(End::Failed));
                this.reporter.as_mut().run_response_callbacks(&mut polled);
                polled.map_ok(|response| wrap_body(response, EitherBody::inner, this.reporter, *this.method))
            }
            StateProjection::Rejected { rejection } => {
                let mut polled = Poll::Ready(Ok(rejection.take()));
                inner.set(None);
                mem::forget(panic_guard);
                drop(entered);
                this.reporter.as_mut().run_response_callbacks(&mut polled);
                polled.map_ok(|response| wrap_body(response, EitherBody::rejection, this.reporter, *this.method))
            }
        }
    }
}

/// Wraps the body of a response. If the future had to report the end of the request, the body reports it from now on.
#[inline]
fn wrap_body<B, I, R, T>(
    response: Response<B>,
    into_either: fn(B) -> EitherBody<I, R>,
    reporter: Pin<&mut EndReporter<T>>,
    method: MethodInfo,
) -> Response<ResponseBody<I, R>>
where
    B: Body,
    I: Body,
    R: Body,
{
    // `Content-Length` has precedence over `size_hint`: hyper sends it unchanged, and clients check the body against
    // it.
    let remaining = RemainingBytes::for_response(&response, method);
    let at_drop = |tracked: &TrackedBody<EitherBody<I, R>>| tracked.at_drop(EitherBody::is_end_stream);
    response.map(|body| {
        let mut body = ResponseBody::new(reporter.transfer_to(TrackedBody::new(into_either(body), remaining), at_drop));
        if remaining == RemainingBytes::UNKNOWN {
            body.set_size();
        }
        body
    })
}

impl<F, R> fmt::Debug for ResponseFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scoped = self.reporter.get_ref();
        let mut fields = f.debug_struct("ResponseFuture");
        match scoped.get_ref() {
            Some(State::Rejected { .. }) => fields.field("rejection", &scoped.named(type_name::<R>())),
            Some(State::Running { .. }) | None => fields.field("inner", &scoped.named(type_name::<F>())),
        };
        fields.finish_non_exhaustive()
    }
}
