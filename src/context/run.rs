//! Background jobs: work with a context and a completion, but without an HTTP request.

use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::EndReporter;
use crate::{End, Store, lifecycle::ContextKind};

/// # Background jobs
impl Store {
    /// Runs a future in a context with these values, without an HTTP request: a job, a message of a queue, a test.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let job = Store::new().with_value(7_u8).run(async { RequestContext::get::<u8>() });
    /// assert_eq!(job.await, Some(7));
    /// # }
    /// ```
    ///
    /// The context ends with the future. It ends as [`Completed`](End::Completed) when the future is ready, whatever
    /// the output is. If the future is dropped before that, the context ends as [`Cancelled`](End::Cancelled). If the
    /// future panics, also in its drop, the context ends as [`Panicked`](End::Panicked). If the job runs inside a
    /// request, the completion of that request is not affected.
    ///
    /// The context becomes a child of the one that is current when the returned future is *first polled*. So a job that
    /// is awaited in a request inherits from the request. A job that is passed to `tokio::spawn`, or wrapped in
    /// [`RequestContext::exit`](crate::RequestContext::exit), inherits nothing. Neither does a job that is dropped
    /// before it is polled.
    pub fn run<T>(self, future: T) -> Run<T>
    where
        T: Future,
    {
        Run::new(self, future)
    }
}

pin_project! {
    /// The future that [`Store::run`](crate::Store::run) returns. It runs the inner future in a context that ends with
    /// it.
    ///
    /// # Panics
    ///
    /// Panics if polled after completion.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Run<T> {
        #[pin]
        future: EndReporter<T>,
        was_polled: bool,
    }
}

impl<T> Run<T> {
    pub(crate) fn new(store: Store, future: T) -> Self {
        let context = store.into_context(ContextKind::Run, None);
        Self { future: EndReporter::new(Some(context), true, future), was_polled: false }
    }
}

impl<T: Future> Future for Run<T> {
    type Output = T::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut future = this.future;
        // The parent is set at the first poll, not in `new`. The code that polls the job decides whether it is part of
        // a request.
        if !mem::replace(this.was_polled, true) {
            future.as_mut().inherit();
        }
        let (mut inner, entered, mut panic_guard) = future.as_mut().enter();
        let polled = inner.as_mut().as_pin_mut().expect("future polled after completion").poll(cx);
        let end = polled.is_ready().then_some(End::Completed);
        if end.is_some() {
            panic_guard.report_on_panic();
            inner.set(None);
        }
        mem::forget(panic_guard);
        drop(entered);
        future.end(end);
        polled
    }
}

impl<T> fmt::Debug for Run<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Run").field(self.future.get_ref()).finish()
    }
}
