//! A future, body, stream or closure in a context.

use std::{
    any::type_name,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

#[cfg(feature = "stream")]
use futures_core::Stream;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::scope::{self, EnterGuard};
use crate::RequestContext;

pin_project! {
    /// A future, body or stream that is polled and dropped in a context, or while none is current.
    ///
    /// [`RequestContext::scope`], [`RequestContext::carry`] and [`RequestContext::exit`] return it. It implements
    /// [`Future`] if `T` does, and [`http_body::Body`] if `T` does. With the feature `stream`, it implements
    /// `futures_core::Stream` if `T` does. [`RequestContext::bind`] uses it for a closure.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let context = RequestContext::new(Store::new().with_value(7_u8));
    /// let scoped = context.scope(async { RequestContext::get::<u8>() });
    /// assert_eq!(scoped.await, Some(7));
    /// assert!(!RequestContext::is_active());
    /// # }
    /// ```
    ///
    /// The context is current during each poll, and while the `T` is dropped: after completion, on cancellation,
    /// without a poll, or during a panic. After each poll, and after the drop, the context that was current before is
    /// current again. A future is dropped as soon as it is ready. The `size_hint` of a body or stream and the
    /// `is_end_stream` of a body are called outside the context.
    ///
    /// # Panics
    ///
    /// Panics if a future is polled after completion.
    #[must_use = "futures, streams and bodies do nothing unless they are polled"]
    pub struct Scoped<T> {
        // While `inner` is polled or dropped, holds what `scope::enter` swapped out.
        context: Option<RequestContext>,
        // `None` after it was dropped, which happens in the context.
        #[pin]
        inner: Option<T>,
    }

    impl<T> PinnedDrop for Scoped<T> {
        fn drop(this: Pin<&mut Self>) {
            if this.inner.is_some() {
                this.drop_inner();
            }
        }
    }
}

impl<T> Scoped<T> {
    #[inline]
    pub(crate) fn new(context: Option<RequestContext>, inner: T) -> Self {
        Self { context, inner: Some(inner) }
    }

    pub(crate) fn context(&self) -> Option<&RequestContext> {
        self.context.as_ref()
    }

    pub(crate) fn context_mut(self: Pin<&mut Self>) -> Option<&mut RequestContext> {
        self.project().context.as_mut()
    }

    #[inline]
    pub(crate) fn get_ref(&self) -> Option<&T> {
        self.inner.as_ref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        self.inner.as_mut()
    }

    /// Enters the context, and borrows the inner `T` for as long.
    #[inline]
    pub(crate) fn enter(self: Pin<&mut Self>) -> (Pin<&mut Option<T>>, EnterGuard<'_>) {
        let this = self.project();
        (this.inner, scope::enter(this.context))
    }

    // Out of line: most often the inner `T` was dropped before, and then the drop costs only a comparison.
    #[inline(never)]
    fn drop_inner(self: Pin<&mut Self>) {
        let (mut inner, _entered) = self.enter_in_drop();
        inner.set(None);
    }

    pub(crate) fn enter_in_drop(self: Pin<&mut Self>) -> (Pin<&mut Option<T>>, EnterGuard<'_>) {
        let this = self.project();
        (this.inner, scope::enter_in_drop(this.context))
    }

    /// Takes the context out, after the inner `T` was dropped.
    #[inline]
    pub(crate) fn take_context(self: Pin<&mut Self>) -> Option<RequestContext> {
        debug_assert!(self.inner.is_none(), "the inner value is dropped before its context is taken");
        self.project().context.take()
    }
}

impl<T: FnOnce() -> R, R> Scoped<T> {
    /// Calls the inner closure in its context.
    pub(crate) fn call(mut self) -> R {
        let this = &mut self;
        // Enters before it takes the closure: if a hook panics, the closure is dropped in its context.
        let _entered = scope::enter(&mut this.context);
        let f = this.inner.take().expect("`call` consumes the closure, so it was not called before");
        f()
    }
}

impl<T: Future> Future for Scoped<T> {
    type Output = T::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (mut inner, _entered) = self.enter();
        let polled = inner.as_mut().as_pin_mut().expect("future polled after completion").poll(cx);
        if polled.is_ready() {
            inner.set(None);
        }
        polled
    }
}

impl<T: Body> Body for Scoped<T> {
    type Data = T::Data;
    type Error = T::Error;

    #[inline]
    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let (inner, _entered) = self.enter();
        match inner.as_pin_mut() {
            Some(body) => body.poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

#[cfg(feature = "stream")]
impl<T: Stream> Stream for Scoped<T> {
    type Item = T::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T::Item>> {
        let (inner, _entered) = self.enter();
        match inner.as_pin_mut() {
            Some(stream) => stream.poll_next(cx),
            None => Poll::Ready(None),
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.as_ref().map_or((0, Some(0)), Stream::size_hint)
    }
}

impl<T> Scoped<T> {
    /// Returns a `Debug` that shows the inner `T` under this name.
    pub(crate) fn named(&self, type_name: &'static str) -> impl fmt::Debug {
        Named { context: &self.context, type_name }
    }
}

impl<T> fmt::Debug for Scoped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.named(type_name::<T>()).fmt(f)
    }
}

struct Named<'a> {
    context: &'a Option<RequestContext>,
    type_name: &'static str,
}

impl fmt::Debug for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped")
            .field("context", self.context)
            .field("inner", &format_args!("{}", self.type_name))
            .finish()
    }
}
