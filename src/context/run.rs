//! A unit of work that is no HTTP request.

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
    /// Runs a future in this store's context, as work without an HTTP request: a job, a message of a queue, a test.
    ///
    /// The context ends with the future: as `Completed` when the future is ready, whatever its output, else as `Cancelled`
    /// or `Panicked`. The completion of a request around it is not affected.
    ///
    /// The context inherits from the one that is current when the returned future is *first polled*. So a job that is
    /// awaited in a request inherits from the request. One that is passed to `tokio::spawn`, or wrapped in
    /// [`RequestContext::exit`](crate::RequestContext::exit), inherits nothing, and neither does one that is dropped before
    /// it is polled.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let job = Store::new().with_value(7_u8).run(async { RequestContext::get::<u8>() });
    /// assert_eq!(job.await, Some(7));
    /// # }
    /// ```
    pub fn run<T>(self, future: T) -> Run<T>
    where
        T: Future,
    {
        Run::new(self, future)
    }
}

pin_project! {
    /// A future in a context of its own that ends with it. Made by [`Store::run`](crate::Store::run).
    ///
    /// # Panics
    ///
    /// When it is polled after completion.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Run<T> {
        #[pin]
        future: EndReporter<T>,
        has_parent: bool,
    }
}

impl<T> Run<T> {
    pub(crate) fn new(store: Store, future: T) -> Self {
        let context = store.into_context(ContextKind::Run, None);
        Self { future: EndReporter::new(Some(context), true, future), has_parent: false }
    }
}

impl<T: Future> Future for Run<T> {
    type Output = T::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut future = this.future;
        // Not when it is made: whatever polls it decides whether it is part of a request.
        if !mem::replace(this.has_parent, true) {
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
