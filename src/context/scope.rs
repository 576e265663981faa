//! The current context: where it is kept, how it is entered and left, and the carrier that takes it along.
//!
//! A context is current for the time of a call: swapped into a thread-local by [`enter`], swapped out by the guard that
//! `enter` returns, also when the call unwinds. That is what [`tokio::task_local!`] does, and [`Scoped`] is its
//! `TaskLocalFuture`. The thread-local is the crate's own for two reasons; what that costs and gains is measured in
//! `benches/slots.rs`:
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
    cell::{Cell, RefCell},
    iter,
    marker::PhantomData,
    mem::{self, ManuallyDrop},
    ptr,
};

use crate::{
    RequestContext,
    store::{Guard, has_hooks},
    sync::thread_local,
    unwind::drop_each,
};

thread_local! {
    static CURRENT: CurrentSlots = const {
        CurrentSlots {
            base: RefCell::new(ManuallyDrop::new(None)),
            overlay: RefCell::new(ManuallyDrop::new(None)),
            overlay_depth: Cell::new(0),
            guards: Cell::new(ManuallyDrop::new(None)),
            in_hooks: Cell::new(false),
        }
    };
}

/// A context that may be none. `ManuallyDrop` is what keeps the thread-local free of a destructor.
type Slot = RefCell<ManuallyDrop<Option<RequestContext>>>;

struct CurrentSlots {
    /// The current context, unless there is an overlay. Borrowed for as long as a reader uses it.
    base: Slot,
    /// The context entered while the base is borrowed. Borrowed only to swap or to clone it.
    overlay: Slot,
    /// How many scopes have been entered there, one inside the other. None, unless the base is borrowed.
    overlay_depth: Cell<usize>,
    /// The guards that closures of `on_enter` returned, latest first.
    guards: Cell<ManuallyDrop<Option<Box<dyn Guard>>>>,
    /// Whether a closure of `on_enter` is running, or a guard that one returned is being dropped.
    in_hooks: Cell<bool>,
}

/// Calls `f` with this thread's slots. `try_with` is inlined where `LocalKey::with` is not: a call the less for each read.
#[inline]
fn with_slots<R>(f: impl FnOnce(&CurrentSlots) -> R) -> R {
    CURRENT.try_with(f).expect("a thread-local without a destructor is there as long as its thread")
}

/// Calls `f` with the current context.
#[inline]
pub(crate) fn with_current<R>(f: impl FnOnce(Option<&RequestContext>) -> R) -> R {
    with_slots(|slots| {
        if slots.overlay_depth.get() != 0 {
            return slots.with_overlay(f);
        }
        let borrowed = slots.base.borrow();
        f(borrowed.as_ref())
    })
}

/// Makes `context` the current one, or none, until the guard is dropped; meanwhile `context` holds the outer one.
///
/// Runs the closures that were registered with [`Store::on_enter`](crate::Store::on_enter). A panic in one of them goes on,
/// after the context was left.
#[inline]
pub(crate) fn enter(context: &mut Option<RequestContext>) -> EnterGuard<'_> {
    enter_with(context, false)
}

/// As [`enter`], but contains a panic in a closure of `on_enter`. For destructors: they must not panic, and they need the
/// context even if a closure panics.
#[inline]
pub(crate) fn enter_in_drop(context: &mut Option<RequestContext>) -> EnterGuard<'_> {
    enter_with(context, true)
}

#[inline]
fn enter_with(context: &mut Option<RequestContext>, contains_panics: bool) -> EnterGuard<'_> {
    if has_hooks() {
        return enter_with_hooks(context, contains_panics);
    }
    with_slots(|slots| slots.swap_in(context));
    EnterGuard { context, not_send: PhantomData }
}

/// Enters, and runs the closures of the context unless it is current already.
#[cold]
#[inline(never)]
fn enter_with_hooks(context: &mut Option<RequestContext>, contains_panics: bool) -> EnterGuard<'_> {
    let is_same = |current: &RequestContext| context.as_ref().is_some_and(|context| context.is_same(current));
    let is_new = !with_current(|current| current.is_some_and(is_same));
    with_slots(|slots| slots.swap_in(context));
    let entered = EnterGuard { context, not_send: PhantomData };
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
pub(crate) struct EnterGuard<'a> {
    context: &'a mut Option<RequestContext>,
    not_send: PhantomData<*const ()>,
}

impl EnterGuard<'_> {
    /// Runs the closures of the context that was entered.
    fn run_hooks(&self, contains_panics: bool) {
        let Some(context) = RequestContext::current() else { return };
        let Some(hooks) = context.enter_hooks() else { return };
        let Some(_in_hooks) = InHooks::start() else { return };
        hooks.enter_all(contains_panics, |mut guard| {
            with_slots(|slots| {
                guard.set_outer(self.id(), ManuallyDrop::into_inner(slots.guards.take()));
                slots.guards.set(ManuallyDrop::new(Some(guard)));
            });
        });
    }

    /// Drops the guards that [`run_hooks`](Self::run_hooks) got, latest first. A panic in one goes no further.
    #[cold]
    #[inline(never)]
    fn drop_guards(&self) {
        let guards = iter::from_fn(|| {
            with_slots(|slots| {
                let mut guards = ManuallyDrop::into_inner(slots.guards.take());
                let mut own = guards.take_if(|guard| guard.entry() == self.id());
                let rest = own.as_mut().map_or(guards, |own| own.take_outer());
                slots.guards.set(ManuallyDrop::new(rest));
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
        let was_in_hooks = with_slots(|slots| slots.in_hooks.replace(true));
        (!was_in_hooks).then(|| Self) // not `then_some`, which would drop one
    }
}

impl Drop for InHooks {
    fn drop(&mut self) {
        with_slots(|slots| slots.in_hooks.set(false));
    }
}

impl CurrentSlots {
    #[inline]
    fn swap_in(&self, context: &mut Option<RequestContext>) {
        if !self.swap_base(context) {
            self.swap_overlay(context);
            self.overlay_depth.set(self.overlay_depth.get() + 1);
        }
    }

    /// The base is borrowed just if it was when the scope was entered: every loan made inside has ended inside.
    #[inline]
    fn swap_out(&self, context: &mut Option<RequestContext>) {
        if !self.swap_base(context) {
            self.swap_overlay(context);
            self.overlay_depth.set(self.overlay_depth.get() - 1);
        }
    }

    /// Does nothing and says so while the base is borrowed.
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

impl Drop for EnterGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        if has_hooks() {
            self.drop_guards();
        }
        with_slots(|slots| slots.swap_out(self.context));
    }
}
