//! The carrier of what a request consists of, one after the other: whatever becomes of it, the end is told once.

use std::{
    mem,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    task::Poll,
};

use http::Response;
use pin_project_lite::pin_project;

use super::End;
use crate::{
    RequestContext, Scoped,
    scope::{self, Entered},
    store::has_hooks,
    unwind::contained,
};

pin_project! {
    /// A future or a body in the context that ends with it, unless it is handed over to what comes next.
    ///
    /// The order at the end is: the inner `T` is dropped, the callbacks are called, both in the context; then the context
    /// is let go.
    pub(crate) struct Ending<T> {
        #[pin]
        scoped: Scoped<T>,
        // Whether the end is still to be told, and by this one.
        owed: bool,
        // Whether anything has unwound here. `std::thread::panicking` cannot say so: by the time of the drop the panic may
        // have been caught, and a drop in an unrelated panic is a cancellation.
        // Atomic, since methods that take `&self` can panic. It is read through `&mut`, so no ordering is needed.
        panicked: AtomicBool,
        // How the request ends if the inner `T` is dropped before it is done. A destructor knows no `T: Body`.
        at_drop: fn(&T) -> End,
    }

    impl<T> PinnedDrop for Ending<T> {
        fn drop(this: Pin<&mut Self>) {
            if this.owed {
                this.finish();
            }
        }
    }
}

impl<T> Ending<T> {
    #[inline]
    pub(crate) fn new(context: Option<RequestContext>, owed: bool, inner: T) -> Self {
        Self {
            scoped: Scoped::new(context, inner),
            owed,
            panicked: AtomicBool::new(false),
            at_drop: |_| End::Cancelled,
        }
    }

    /// A `T` that ends nothing.
    pub(crate) fn detached(inner: T) -> Self {
        Self::new(None, false, inner)
    }

    /// Makes the context, which has not been entered yet, a child of the current one.
    pub(crate) fn inherit(self: Pin<&mut Self>) {
        if let Some(context) = self.project().scoped.context_mut() {
            context.set_parent(RequestContext::current());
        }
    }

    /// Enters the context, to run the inner `T` there. When that is done, and has not unwound, forget the guard against it.
    #[inline]
    pub(crate) fn enter(self: Pin<&mut Self>) -> (Pin<&mut Option<T>>, Entered<'_>, Unwinding<'_>) {
        let this = self.project();
        // Made first, since to enter may panic: closures of `on_enter` run.
        let unwinding = Unwinding { panicked: this.panicked.get_mut(), owed: this.owed, is_end: false };
        let (inner, entered) = this.scoped.enter();
        (inner, entered, unwinding)
    }

    /// Ends the request, if it is said how. The inner `T` is done then, and dropped, and its context left.
    #[inline]
    pub(crate) fn end(self: Pin<&mut Self>, how: Option<End>) {
        let this = self.project();
        if let Some(how) = how {
            if let (true, Some(context)) = (mem::take(this.owed), this.scoped.context()) {
                // A body may be polled again after a panic that was caught, and then come to an end of another kind.
                context.end(if *this.panicked.get_mut() { End::Panicked } else { how });
            }
        }
    }

    /// Shows a response to those who wait for it, in place: on its usual way it is not moved once more for their sake.
    #[inline]
    pub(crate) fn show<B, E>(self: Pin<&mut Self>, polled: &mut Poll<Result<Response<B>, E>>) {
        let is_answered = matches!(polled, Poll::Ready(Ok(_)));
        if is_answered && self.owed && self.scoped.context().is_some_and(RequestContext::close_head) {
            self.respond(polled);
        }
    }

    #[inline(never)]
    fn respond<B, E>(self: Pin<&mut Self>, polled: &mut Poll<Result<Response<B>, E>>) {
        let this = self.project();
        if let (Some(context), Poll::Ready(Ok(response))) = (this.scoped.context(), mem::replace(polled, Poll::Pending))
        {
            let unwinding = Unwinding { panicked: this.panicked.get_mut(), owed: this.owed, is_end: false };
            *polled = Poll::Ready(Ok(context.respond(response)));
            mem::forget(unwinding);
        }
    }

    /// Hands the context and the end over from a future that is ready to the body of its response.
    #[inline]
    pub(crate) fn hand_over<U>(self: Pin<&mut Self>, next: U, at_drop: fn(&U) -> End) -> Ending<U> {
        let this = self.project();
        let (owed, panicked) = (mem::take(this.owed), mem::take(this.panicked));
        Ending { scoped: Scoped::new(this.scoped.take_context(), next), owed, panicked, at_drop }
    }

    /// Calls a method of the inner `T`, if it is still there, outside its context. A panic goes on, and is recorded for
    /// the drop that follows it.
    #[inline]
    pub(crate) fn call<R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
        let unwinding = Recording(&self.panicked);
        let returned = self.scoped.get_ref().map(f);
        mem::forget(unwinding);
        returned
    }

    #[inline]
    pub(crate) fn get_ref(&self) -> &Scoped<T> {
        &self.scoped
    }

    #[inline]
    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        self.scoped.get_mut()
    }

    /// Drops what is left, also when that unwinds, and says what it means.
    #[inline(never)]
    fn finish(self: Pin<&mut Self>) {
        let this = self.project();
        *this.owed = false;
        let how = match this.scoped.as_ref().get_ref().get_ref() {
            _ if *this.panicked.get_mut() => End::Panicked,
            // This may call the body, outside its context as a server does.
            Some(inner) => contained(|| (this.at_drop)(inner)).unwrap_or(End::Panicked),
            None => End::Cancelled,
        };
        let (mut inner, _entered) = this.scoped.enter_in_drop();
        let mut tell = Tell(Some(End::Panicked));
        inner.set(None);
        tell.0 = Some(how);
    }
}

/// Records that it was dropped, which only a panic does.
struct Recording<'a>(&'a AtomicBool);

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Notes that it was dropped, which it is only by a panic. Lives in the context.
pub(crate) struct Unwinding<'a> {
    panicked: &'a mut bool,
    owed: &'a mut bool,
    is_end: bool,
}

impl Unwinding<'_> {
    /// From now on a panic is the end, and told at once: what unwinds is the drop of an inner `T` that was done.
    #[inline]
    pub(crate) fn ends(&mut self) {
        self.is_end = true;
    }
}

impl Drop for Unwinding<'_> {
    fn drop(&mut self) {
        *self.panicked = true;
        if self.is_end && mem::take(self.owed) {
            drop(Tell(Some(End::Panicked)));
        }
    }
}

/// A context while something is made that is to live in it. If that unwinds, the request has ended.
pub(crate) struct Making<'a> {
    unwinding: Tell,
    entered: Entered<'a>,
}

impl<'a> Making<'a> {
    #[inline]
    pub(crate) fn enter(context: &'a mut Option<RequestContext>, owed: bool) -> Self {
        let entered = if has_hooks() { enter_or_end(context, owed) } else { scope::enter(context) };
        Self { unwinding: Tell(owed.then_some(End::Panicked)), entered }
    }

    #[inline]
    pub(crate) fn leave(self) {
        mem::forget(self.unwinding);
        drop(self.entered);
    }
}

/// Enters a context. If a closure of `on_enter` panics, the request has ended.
#[cold]
fn enter_or_end(context: &mut Option<RequestContext>, owed: bool) -> Entered<'_> {
    struct EndOnPanic(Option<RequestContext>);

    impl Drop for EndOnPanic {
        fn drop(&mut self) {
            if let Some(context) = &self.0 {
                context.end(End::Panicked);
            }
        }
    }

    let mut on_panic = EndOnPanic(context.clone().filter(|_| owed));
    let entered = scope::enter(context);
    on_panic.0 = None;
    entered
}

/// Tells the end when it is dropped. Lives in the context.
struct Tell(Option<End>);

impl Drop for Tell {
    fn drop(&mut self) {
        if let (Some(how), Some(context)) = (self.0, RequestContext::current()) {
            context.end(how);
        }
    }
}
