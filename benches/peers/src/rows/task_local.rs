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
    type Response = Response<Scoped<ResBody>>;
    type Error = S::Error;
    type Future = Scoped<TaskLocalFuture<Arc<Extensions>, S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let values = Arc::new(Extensions::new());
        let future = EXTENSIONS.sync_scope(Arc::clone(&values), || self.0.call(request));
        Scoped { inner: EXTENSIONS.scope(Arc::clone(&values), future), values }
    }
}

pin_project! {
    pub(crate) struct Scoped<T> {
        #[pin]
        inner: T,
        values: Arc<Extensions>,
    }
}

impl<F, B, E> Future for Scoped<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<Scoped<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx));
        Poll::Ready(response.map(|response| response.map(|inner| Scoped { inner, values: Arc::clone(this.values) })))
    }
}

impl<B: Body> Body for Scoped<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        EXTENSIONS.sync_scope(Arc::clone(this.values), || this.inner.poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
