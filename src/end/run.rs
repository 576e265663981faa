//! A unit of work that is no HTTP request.

use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::{End, Ending};
use crate::RequestContext;

pin_project! {
    /// A future in a context of its own that ends with it. Made by [`Store::run`](crate::Store::run).
    ///
    /// # Panics
    ///
    /// When it is polled after completion.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Run<T> {
        #[pin]
        future: Ending<T>,
    }
}

impl<T> Run<T> {
    pub(crate) fn new(context: RequestContext, future: T) -> Self {
        Self { future: Ending::new(Some(context), true, future) }
    }
}

impl<T: Future> Future for Run<T> {
    type Output = T::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut future = self.project().future;
        let (mut inner, entered, mut unwinding) = future.as_mut().enter();
        let polled = inner.as_mut().as_pin_mut().expect("future polled after completion").poll(cx);
        let end = polled.is_ready().then_some(End::Completed);
        if end.is_some() {
            unwinding.ends();
            inner.set(None);
        }
        mem::forget(unwinding);
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
