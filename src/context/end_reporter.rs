//! A future or body that reports the end of its request.

use std::{
    mem,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    task::Poll,
};

use http::Response;
use pin_project_lite::pin_project;

use super::{RequestContext, Scoped, scope::EnterGuard};
use crate::{End, unwind::catch_panic};

pin_project! {
    /// A future or body in its context. It reports the end of the request once, when it completes or is dropped.
    ///
    /// At the end, the inner `T` is dropped first, and then the callbacks run. Both happen in the context, whose handle
    /// is dropped last. A future does not report the end if it is ready with a response: it
    /// [transfers](Self::transfer_to) the context to the body of that response, which then reports the end.
    pub(crate) struct EndReporter<T> {
        #[pin]
        scoped: Scoped<T>,
        // Whether this must still report the end.
        must_report: bool,
        // Whether the inner `T`, a hook, or an `on_response` callback has panicked. `std::thread::panicking` cannot
        // replace it: the panic may have been caught before the drop, and a drop during an unrelated panic is a
        // cancellation. It is atomic because methods that take `&self` can panic too. It is set through shared borrows
        // and read through exclusive ones. Safe Rust makes each shared borrow happen before a later exclusive borrow.
        // So `Relaxed` suffices.
        panicked: AtomicBool,
        // Returns how the request ends if the inner `T` is dropped before it has ended. A function pointer, because
        // `Drop` cannot require `T: Body`.
        at_drop: fn(&T) -> End,
    }

    impl<T> PinnedDrop for EndReporter<T> {
        fn drop(this: Pin<&mut Self>) {
            if this.must_report {
                this.finish();
            }
        }
    }
}

impl<T> EndReporter<T> {
    #[inline]
    pub(crate) fn new(context: Option<RequestContext>, must_report: bool, inner: T) -> Self {
        Self {
            scoped: Scoped::new(context, inner),
            must_report,
            panicked: AtomicBool::new(false),
            at_drop: |_| End::Cancelled,
        }
    }

    /// Wraps a `T` that has no context and reports nothing.
    pub(crate) fn detached(inner: T) -> Self {
        Self::new(None, false, inner)
    }

    /// Makes the context a child of the current one. It must not have been entered yet.
    pub(crate) fn inherit(self: Pin<&mut Self>) {
        if let Some(context) = self.project().scoped.context_mut() {
            context.set_parent(RequestContext::current());
        }
    }

    /// Enters the context, to run the inner `T` there. If that does not panic, forget the [`PanicGuard`] afterwards.
    #[inline]
    pub(crate) fn enter(self: Pin<&mut Self>) -> (Pin<&mut Option<T>>, EnterGuard<'_>, PanicGuard<'_>) {
        let this = self.project();
        // Created first, because hooks run during `enter` and may panic.
        let panic_guard =
            PanicGuard { panicked: this.panicked, must_report: Some(this.must_report), reports_end: false };
        let (inner, entered) = this.scoped.enter();
        (inner, entered, panic_guard)
    }

    /// Reports `end`, if it is `Some`. Call this after the inner `T` was dropped and its context was left.
    #[inline]
    pub(crate) fn end(self: Pin<&mut Self>, end: Option<End>) {
        let this = self.project();
        if let Some(end) = end {
            if let (true, Some(context)) = (mem::take(this.must_report), this.scoped.context()) {
                // A body may be polled again after a panic that was caught, and then return another end.
                context.end(if *this.panicked.get_mut() { End::Panicked } else { end });
            }
        }
    }

    /// Runs the `on_response` callbacks on a response that is ready. Takes `polled` by reference, so that a response
    /// without callbacks is not moved.
    #[inline]
    pub(crate) fn run_response_callbacks<B, E>(self: Pin<&mut Self>, polled: &mut Poll<Result<Response<B>, E>>) {
        let has_response = matches!(polled, Poll::Ready(Ok(_)));
        // `close_response_callbacks` returns `true` if a callback may have been registered.
        if has_response
            && self.must_report
            && self.scoped.context().is_some_and(|context| context.close_response_callbacks())
        {
            self.replace_response(polled);
        }
    }

    #[inline(never)]
    fn replace_response<B, E>(self: Pin<&mut Self>, polled: &mut Poll<Result<Response<B>, E>>) {
        let this = self.project();
        if let (Some(context), Poll::Ready(Ok(response))) = (this.scoped.context(), mem::replace(polled, Poll::Pending))
        {
            let panic_guard = PanicGuard::recording(this.panicked);
            *polled = Poll::Ready(Ok(context.run_response_callbacks(response)));
            mem::forget(panic_guard);
        }
    }

    /// Transfers the context from a future that is ready to the body of its response. If the future had to report the
    /// end of the request, the body reports it from now on.
    #[inline]
    pub(crate) fn transfer_to<U>(self: Pin<&mut Self>, next: U, at_drop: fn(&U) -> End) -> EndReporter<U> {
        let this = self.project();
        let (must_report, panicked) = (mem::take(this.must_report), mem::take(this.panicked));
        EndReporter { scoped: Scoped::new(this.scoped.take_context(), next), must_report, panicked, at_drop }
    }

    /// Calls a method of the inner `T` outside its context, unless `T` was dropped. Records a panic, which propagates.
    #[inline]
    pub(crate) fn call<R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
        let panic_guard = PanicGuard::recording(&self.panicked);
        let returned = self.scoped.get_ref().map(f);
        mem::forget(panic_guard);
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

    /// Drops the inner `T` in its context and reports how the request ended, also if that drop panics.
    #[inline(never)]
    fn finish(self: Pin<&mut Self>) {
        let this = self.project();
        *this.must_report = false;
        let end = match this.scoped.as_ref().get_ref().get_ref() {
            _ if *this.panicked.get_mut() => End::Panicked,
            // Before the context is entered: `at_drop` may call the body's `is_end_stream`, which servers call outside
            // it.
            Some(inner) => catch_panic(|| (this.at_drop)(inner)).unwrap_or(End::Panicked),
            // Not reached: code that has already dropped the inner `T` has also reported the end, transferred the
            // context or recorded a panic.
            None => End::Cancelled,
        };
        let (mut inner, _entered) = this.scoped.enter_in_drop();
        let mut report = ReportOnDrop(Some(End::Panicked));
        inner.set(None);
        report.0 = Some(end);
    }
}

/// Records a panic when it is dropped. It is dropped by unwinding only: code that did not panic forgets it.
pub(crate) struct PanicGuard<'a> {
    panicked: &'a AtomicBool,
    must_report: Option<&'a mut bool>,
    reports_end: bool,
}

impl<'a> PanicGuard<'a> {
    fn recording(panicked: &'a AtomicBool) -> Self {
        Self { panicked, must_report: None, reports_end: false }
    }

    /// From now on, a panic also reports the end immediately: the inner `T` is complete, and only its drop can panic.
    /// The guard reports the end to the current context, so drop it before the `EnterGuard`.
    ///
    /// Bodies and runs need this, because code that catches such a panic may keep them. A response future does not need
    /// this. Its response is lost with the panic, so callers drop the future, and that drop reports the end.
    #[inline]
    pub(crate) fn report_on_panic(&mut self) {
        self.reports_end = true;
    }
}

impl Drop for PanicGuard<'_> {
    fn drop(&mut self) {
        self.panicked.store(true, Ordering::Relaxed);
        if self.reports_end && self.must_report.take().is_some_and(mem::take) {
            drop(ReportOnDrop(Some(End::Panicked)));
        }
    }
}

/// Reports an end to the current context when it is dropped.
pub(super) struct ReportOnDrop(pub(super) Option<End>);

impl Drop for ReportOnDrop {
    fn drop(&mut self) {
        if let (Some(end), Some(context)) = (self.0, RequestContext::current()) {
            context.end(end);
        }
    }
}
