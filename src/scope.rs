//! The current context: where it is kept, how it is entered and left, and the carrier that takes it along.
//!
//! A context is current for the time of a call: swapped into a thread-local by [`enter`], swapped out by the guard that
//! `enter` returns, also when the call unwinds. That is what [`tokio::task_local!`] does, and [`Scoped`] is its
//! `TaskLocalFuture`. The thread-local is the crate's own for two reasons; what that costs and gains is measured in
//! `benches/carrier.rs`:
//!
//! * **It lends.** Readers run their users' code (a value's `Clone`, a closure) on the context in place, without
//!   counting a reference. That code may enter a scope, or drop something that does, such as another request's future.
//!   `LocalKey` panics then. Here the entered context goes into a second slot, the overlay, which readers ask first. It
//!   is empty again when the loan ends, because whatever entered inside the loan has left inside it. So code never runs
//!   under an identity that is not its own, whatever a value does while it is read.
//! * **It has no destructor.** What enters always leaves, so there is nothing to drop at thread exit, and a body that was
//!   parked in another thread-local can still be dropped in its context then. `LocalKey` is gone by that time, and
//!   entering it in `Drop` aborts the process.
//!
//! There is no public guard to hold across an await or to drop in the wrong order: only calls, futures and bodies.

use std::{
    any::type_name,
    cell::{Cell, RefCell},
    fmt,
    future::Future,
    iter,
    marker::PhantomData,
    mem::{self, ManuallyDrop},
    pin::Pin,
    ptr,
    task::{Context, Poll},
};

#[cfg(feature = "stream")]
use futures_core::Stream;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{
    RequestContext,
    store::{Guard, has_hooks},
    sync::thread_local,
    unwind::drop_each,
};

thread_local! {
    static CURRENT: Carrier = const {
        Carrier {
            base: RefCell::new(ManuallyDrop::new(None)),
            overlay: RefCell::new(ManuallyDrop::new(None)),
            overlays: Cell::new(0),
            guards: Cell::new(ManuallyDrop::new(None)),
            in_hooks: Cell::new(false),
        }
    };
}

/// A context that may be none. `ManuallyDrop` is what keeps the thread-local free of a destructor.
type Slot = RefCell<ManuallyDrop<Option<RequestContext>>>;

struct Carrier {
    /// The current context, unless there is an overlay. Borrowed for as long as a reader uses it.
    base: Slot,
    /// The context entered while the base is lent. Borrowed only to swap or to clone it.
    overlay: Slot,
    /// How many scopes have been entered there, one inside the other. None, unless the base is lent.
    overlays: Cell<usize>,
    /// The guards that closures of `on_enter` returned, latest first.
    guards: Cell<ManuallyDrop<Option<Box<dyn Guard>>>>,
    /// Whether a closure of `on_enter` is running, or a guard that one returned is being dropped.
    in_hooks: Cell<bool>,
}

/// Calls `f` with this thread's carrier. `try_with` is inlined where `LocalKey::with` is not: a call the less for each read.
#[inline]
fn carrier<R>(f: impl FnOnce(&Carrier) -> R) -> R {
    CURRENT.try_with(f).expect("a thread-local without a destructor is there as long as its thread")
}

/// Calls `f` with the current context.
#[inline]
pub(crate) fn with_current<R>(f: impl FnOnce(Option<&RequestContext>) -> R) -> R {
    carrier(|carrier| {
        if carrier.overlays.get() != 0 {
            return carrier.with_overlay(f);
        }
        let lent = carrier.base.borrow();
        f(lent.as_ref())
    })
}

/// Makes `context` the current one, or none, until the guard is dropped; meanwhile `context` holds the outer one.
///
/// Runs the closures that were registered with [`Store::on_enter`](crate::Store::on_enter). A panic in one of them goes on,
/// after the context was left.
#[inline]
pub(crate) fn enter(context: &mut Option<RequestContext>) -> Entered<'_> {
    enter_with(context, false)
}

/// As [`enter`], but contains a panic in a closure of `on_enter`. For destructors: they must not panic, and they need the
/// context even if a closure panics.
#[inline]
pub(crate) fn enter_in_drop(context: &mut Option<RequestContext>) -> Entered<'_> {
    enter_with(context, true)
}

#[inline]
fn enter_with(context: &mut Option<RequestContext>, contains_panics: bool) -> Entered<'_> {
    if has_hooks() {
        return enter_with_hooks(context, contains_panics);
    }
    carrier(|carrier| carrier.swap_in(context));
    Entered { context, not_send: PhantomData }
}

/// Enters, and runs the closures of the context unless it is current already.
#[cold]
#[inline(never)]
fn enter_with_hooks(context: &mut Option<RequestContext>, contains_panics: bool) -> Entered<'_> {
    let is_same = |current: &RequestContext| context.as_ref().is_some_and(|context| context.is_same(current));
    let is_new = !with_current(|current| current.is_some_and(is_same));
    carrier(|carrier| carrier.swap_in(context));
    let entered = Entered { context, not_send: PhantomData };
    if is_new {
        entered.run_hooks(contains_panics);
    }
    entered
}

/// Calls `f` in a context, or in none.
#[inline]
pub(crate) fn sync_scope<R>(mut context: Option<RequestContext>, f: impl FnOnce() -> R) -> R {
    let _entered = enter(&mut context);
    f()
}

/// Leaves what [`enter`] entered. Guards of one thread are dropped in the reverse order of their making, since each
/// lives on the stack of one call.
pub(crate) struct Entered<'a> {
    context: &'a mut Option<RequestContext>,
    not_send: PhantomData<*const ()>,
}

impl Entered<'_> {
    /// Runs the closures of the context that was entered.
    fn run_hooks(&self, contains_panics: bool) {
        let Some(context) = RequestContext::current() else { return };
        let Some(hooks) = context.enter_hooks() else { return };
        let Some(_in_hooks) = InHooks::start() else { return };
        hooks.enter_all(contains_panics, |mut guard| {
            carrier(|carrier| {
                guard.set_outer(self.id(), ManuallyDrop::into_inner(carrier.guards.take()));
                carrier.guards.set(ManuallyDrop::new(Some(guard)));
            });
        });
    }

    /// Drops the guards that [`run_hooks`](Self::run_hooks) got, latest first. A panic in one goes no further.
    #[cold]
    #[inline(never)]
    fn drop_guards(&self) {
        let guards = iter::from_fn(|| {
            carrier(|carrier| {
                let mut guards = ManuallyDrop::into_inner(carrier.guards.take());
                let mut own = guards.take_if(|guard| guard.entry() == self.id());
                let rest = own.as_mut().map_or(guards, |own| own.take_outer());
                carrier.guards.set(ManuallyDrop::new(rest));
                own
            })
        });
        let _in_hooks = InHooks::start();
        drop_each(guards);
    }

    /// Identifies this entry among those of the thread: the reference is exclusive.
    fn id(&self) -> usize {
        ptr::from_ref(&*self.context).addr()
    }
}

/// Notes that closures of `on_enter` are running. Contexts that they enter run none: they would enter them again and again.
struct InHooks;

impl InHooks {
    fn start() -> Option<Self> {
        let was_in_hooks = carrier(|carrier| carrier.in_hooks.replace(true));
        (!was_in_hooks).then(|| Self) // not `then_some`, which would drop one
    }
}

impl Drop for InHooks {
    fn drop(&mut self) {
        carrier(|carrier| carrier.in_hooks.set(false));
    }
}

impl Carrier {
    #[inline]
    fn swap_in(&self, context: &mut Option<RequestContext>) {
        if !self.swap_base(context) {
            self.swap_overlay(context);
            self.overlays.set(self.overlays.get() + 1);
        }
    }

    /// The base is lent just if it was when the scope was entered: every loan made inside has ended inside.
    #[inline]
    fn swap_out(&self, context: &mut Option<RequestContext>) {
        if !self.swap_base(context) {
            self.swap_overlay(context);
            self.overlays.set(self.overlays.get() - 1);
        }
    }

    /// Does nothing and says so while the base is lent.
    #[inline]
    fn swap_base(&self, context: &mut Option<RequestContext>) -> bool {
        match self.base.try_borrow_mut() {
            Ok(mut base) => {
                mem::swap(&mut **base, context);
                true
            }
            Err(_) => false,
        }
    }

    #[cold]
    fn swap_overlay(&self, context: &mut Option<RequestContext>) {
        mem::swap(&mut **self.overlay.borrow_mut(), context);
    }

    #[cold]
    fn with_overlay<R>(&self, f: impl FnOnce(Option<&RequestContext>) -> R) -> R {
        let context = (**self.overlay.borrow()).clone();
        f(context.as_ref())
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        if has_hooks() {
            self.drop_guards();
        }
        carrier(|carrier| carrier.swap_out(self.context));
    }
}

pin_project! {
    /// A `T` that is polled and dropped in a context, or in none.
    ///
    /// It is a [`Future`] when `T` is one, an [`http_body::Body`] when `T` is one, and with the feature `stream` a
    /// `futures_core::Stream` when `T` is one. [`RequestContext::scope`], [`RequestContext::carry`] and
    /// [`RequestContext::exit`] return it.
    ///
    /// The context is current during each poll and while the `T` is dropped, be it finished, cancelled, never polled or
    /// unwinding; what was current before is restored after each. A future is dropped as soon as it is ready. The
    /// `size_hint` of a body or stream and the `is_end_stream` of a body are called outside the context.
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
    /// # Panics
    ///
    /// As a future, when it is polled after completion.
    #[must_use = "futures, streams and bodies do nothing unless they are polled"]
    pub struct Scoped<T> {
        // While `inner` is polled or dropped, the outer context.
        context: Option<RequestContext>,
        // `None` once it is dropped: that has to happen in scope.
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

    /// Enters the context for as long as the inner `T`, if it is still there, is lent.
    #[inline]
    pub(crate) fn enter(self: Pin<&mut Self>) -> (Pin<&mut Option<T>>, Entered<'_>) {
        let this = self.project();
        (this.inner, enter(this.context))
    }

    // Out of line: a drop is most often that of a `Scoped` that is empty, and then costs a comparison.
    #[inline(never)]
    fn drop_inner(self: Pin<&mut Self>) {
        let (mut inner, _entered) = self.enter_in_drop();
        inner.set(None);
    }

    pub(crate) fn enter_in_drop(self: Pin<&mut Self>) -> (Pin<&mut Option<T>>, Entered<'_>) {
        let this = self.project();
        (this.inner, enter_in_drop(this.context))
    }

    /// Takes the context from a future that is ready, for what comes after it.
    #[inline]
    pub(crate) fn take_context(self: Pin<&mut Self>) -> Option<RequestContext> {
        debug_assert!(self.inner.is_none(), "the inner future still needs its context");
        self.project().context.take()
    }
}

impl<T: FnOnce() -> R, R> Scoped<T> {
    /// Calls the inner closure in its context.
    pub(crate) fn call(mut self) -> R {
        let this = &mut self;
        // Entered first: if that panics, the closure is still here, and is dropped in its context.
        let _entered = enter(&mut this.context);
        let f = this.inner.take().expect("a new `Scoped` is full, and this call consumes it");
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
    /// Prints the inner `T` under the name of the type that its user knows.
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
