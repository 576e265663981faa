//! A unit of work that is no HTTP request.

use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::{End, Ending, Role};
use crate::Store;

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
        has_parent: bool,
    }
}

impl<T> Run<T> {
    pub(crate) fn new(store: Store, future: T) -> Self {
        let context = store.into_context(Role::Run, None);
        Self { future: Ending::new(Some(context), true, future), has_parent: false }
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
