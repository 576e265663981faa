//! The carrier of what a request consists of, one after the other: whatever becomes of it, the end is told once.

use std::{mem, pin::Pin};

use http::Response;
use pin_project_lite::pin_project;

use super::End;
use crate::{RequestContext, Scoped, scope, unwind::contained};

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
        // Whether what ran last has unwound. `std::thread::panicking` cannot say so: by the time of the drop the panic
        // may have been caught, and a drop in an unrelated panic is a cancellation.
        panicked: bool,
        // Whether what is dropped now was done, though nobody asked it for more. A destructor knows no `T: Body`.
        is_done: fn(&T) -> bool,
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
    /// Makes the inner `T` in the context; if that unwinds, the request has ended.
    #[inline]
    pub(crate) fn made(context: RequestContext, owed: bool, make: impl FnOnce() -> T) -> Self {
        let mut ending = Self { scoped: Scoped::empty(context), owed, panicked: true, is_done: |_| false };
        ending.scoped.fill(make);
        ending.panicked = false;
        ending
    }

    /// A `T` that ends nothing.
    pub(crate) fn detached(inner: T) -> Self {
        Self { scoped: Scoped::new(None, inner), owed: false, panicked: false, is_done: |_| false }
    }

    /// Runs `f` on the inner `T` in the context, and ends the request if `f` says how.
    ///
    /// `f` also learns whether the end is this one's to tell. It takes the `T` out when that is ready.
    #[inline]
    pub(crate) fn run<R>(self: Pin<&mut Self>, f: impl FnOnce(Pin<&mut Option<T>>, bool) -> (R, Option<End>)) -> R {
        let this = self.project();
        let (owed, panicked) = (this.owed, this.panicked);
        this.scoped.in_scope(|mut inner| {
            let unwinding = Unwinding(panicked);
            let (result, end) = f(inner.as_mut(), *owed);
            mem::forget(unwinding);
            if let Some(how) = end {
                finish(inner, owed, how);
            }
            result
        })
    }

    /// Hands the context and the end over from a future that is ready to the body of its response.
    #[inline]
    pub(crate) fn hand_over<U>(self: Pin<&mut Self>, next: U, is_done: fn(&U) -> bool) -> Ending<U> {
        let this = self.project();
        let owed = mem::take(this.owed);
        Ending { scoped: Scoped::new(this.scoped.take_context(), next), owed, panicked: false, is_done }
    }

    /// From now on a drop means that all is well.
    #[inline]
    pub(crate) fn set_done(self: Pin<&mut Self>) {
        *self.project().is_done = |_| true;
    }

    #[inline]
    pub(crate) fn get_ref(&self) -> &Scoped<T> {
        &self.scoped
    }

    /// Drops what is left and says what that means.
    fn finish(self: Pin<&mut Self>) {
        let this = self.project();
        let (owed, panicked, is_done) = (this.owed, *this.panicked, *this.is_done);
        this.scoped.in_scope(|inner| {
            let is_done = || inner.as_ref().get_ref().as_ref().is_some_and(is_done);
            let how = match panicked {
                true => End::Panicked,
                false if contained(is_done) == Some(true) => End::Completed,
                false => End::Cancelled,
            };
            finish(inner, owed, how);
        });
    }
}

/// Notes that it was dropped, which it is only by a panic.
struct Unwinding<'a>(&'a mut bool);

impl Drop for Unwinding<'_> {
    fn drop(&mut self) {
        *self.0 = true;
    }
}

/// Shows the response to those who wait for it. Called in the context.
#[inline]
pub(crate) fn respond<B>(response: Response<B>) -> Response<B> {
    scope::with_current(|context| match context {
        Some(context) => context.respond(response),
        None => response,
    })
}

/// Drops the inner `T`, then tells the end, also when that drop unwinds: a panic, whatever it was to be. Called in the
/// context.
fn finish<T>(mut inner: Pin<&mut Option<T>>, owed: &mut bool, how: End) {
    struct Tell(Option<End>);

    impl Drop for Tell {
        fn drop(&mut self) {
            if let Some(how) = self.0 {
                scope::with_current(|context| {
                    if let Some(context) = context {
                        context.end(how);
                    }
                });
            }
        }
    }

    let mut tell = Tell(mem::take(owed).then_some(End::Panicked));
    inner.set(None);
    tell.0 = tell.0.map(|_| how);
}
