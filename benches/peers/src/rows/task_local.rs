//! The layer as it would be on `tokio::task_local!`, without callbacks and without completion.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Extensions, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::task::futures::TaskLocalFuture;
use tower::Service;

use super::values::EXTENSIONS;

#[derive(Clone)]
pub(crate) struct TaskLocalService<S>(pub(crate) S);

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for TaskLocalService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<ScopedBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let values = Arc::new(Extensions::new());
        let future = EXTENSIONS.sync_scope(Arc::clone(&values), || self.0.call(request));
        ResponseFuture { inner: EXTENSIONS.scope(Arc::clone(&values), future), values }
    }
}

pin_project! {
    pub(crate) struct ResponseFuture<F> {
        #[pin]
        inner: TaskLocalFuture<Arc<Extensions>, F>,
        values: Arc<Extensions>,
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ScopedBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx));
        let scoped = |inner| ScopedBody { inner: Some(inner), values: Arc::clone(this.values) };
        Poll::Ready(response.map(|response| response.map(scoped)))
    }
}

pin_project! {
    pub(crate) struct ScopedBody<B> {
        // `None` once it has been dropped.
        #[pin]
        inner: Option<B>,
        values: Arc<Extensions>,
    }

    impl<B> PinnedDrop for ScopedBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            EXTENSIONS.sync_scope(Arc::clone(this.values), || this.inner.set(None));
        }
    }
}

impl<B: Body> Body for ScopedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else { return Poll::Ready(None) };
        EXTENSIONS.sync_scope(Arc::clone(this.values), || inner.poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}
