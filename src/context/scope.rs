//! The current context: where it is stored, and how it is entered and left.
//!
//! A context is current during a call. [`enter`] swaps it into a thread-local, and the [`EnterGuard`] that it returns
//! swaps it out again, also when the call unwinds. `tokio::task_local!` works in the same way, and
//! [`Scoped`](super::Scoped) corresponds to its `TaskLocalFuture`. The thread-local here differs from tokio's in two
//! ways. `benches/carrier.rs` compares their costs.
//!
//! * **Re-entrancy.** A reader borrows the context in place, without a change of its reference count. Meanwhile it runs
//!   user code (a value's `Clone`, a closure), which may enter a scope, or drop something that enters one, such as
//!   another request's future. Entering a scope of tokio's `LocalKey` panics in that case. Here the entered context
//!   goes into a second slot, the overlay. Readers check it first, and clone the context in it. All scopes that are
//!   entered during the borrow are also left during the borrow, so the overlay is empty when the borrow ends. So code
//!   always runs in its own context, whatever a value does while it is read.
//! * **No destructor.** Each entry is followed by an exit, so there is nothing to drop at thread exit. A body in
//!   another thread-local can therefore still be dropped in its context while the thread exits. The value of a tokio
//!   `LocalKey` may be gone by then. tokio then drops a future outside its scope, and `LocalKey::sync_scope` panics.
//!
//! No public guard exists that could be held across an await or dropped in the wrong order. The public API takes
//! closures, futures and bodies. Its methods are in `enter.rs`, `spawn.rs` and `run.rs`.

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

/// A context or none. Because of `ManuallyDrop`, the thread-local has no destructor.
type Slot = RefCell<ManuallyDrop<Option<RequestContext>>>;

struct CurrentSlots {
    /// The current context, unless a scope is in the overlay. Readers borrow it for as long as they use it.
    base: Slot,
    /// The context that was entered while the base was borrowed. It is borrowed only to be swapped or cloned.
    overlay: Slot,
    /// The number of nested scopes in the overlay. Zero unless the base is borrowed.
    overlay_depth: Cell<usize>,
    /// The head of a linked list of the guards that hooks returned, latest first. Each guard holds the next one.
    guards: Cell<ManuallyDrop<Option<Box<dyn Guard>>>>,
    /// Whether a hook is running, or a guard that one returned is being dropped.
    in_hooks: Cell<bool>,
}

/// Calls `f` with this thread's slots. Uses `try_with`: std's `LocalKey::with` is a function call that is not inlined.
#[inline]
fn with_slots<R>(f: impl FnOnce(&CurrentSlots) -> R) -> R {
    CURRENT.try_with(f).expect("a thread-local without a destructor exists as long as its thread")
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

/// Makes `*context` the current context until the guard is dropped. If it is `None`, no context is current. The context
/// is swapped into the base slot, or into the overlay if the base is borrowed. Until the guard is dropped, the variable
/// holds the previous content of that slot.
///
/// Runs the hooks that were registered with [`Store::on_enter`](crate::Store::on_enter). If one panics, the context is
/// left, and the panic propagates.
#[inline]
pub(crate) fn enter(context: &mut Option<RequestContext>) -> EnterGuard<'_> {
    enter_with(context, false)
}

/// Does the same as [`enter`], but catches a panic in a hook. For destructors and `on_end` callbacks, which need the
/// context even if a hook panics.
#[inline]
pub(crate) fn enter_in_drop(context: &mut Option<RequestContext>) -> EnterGuard<'_> {
    enter_with(context, true)
}

#[inline]
fn enter_with(context: &mut Option<RequestContext>, catch_panics: bool) -> EnterGuard<'_> {
    if has_hooks() {
        return enter_with_hooks(context, catch_panics);
    }
    with_slots(|slots| slots.swap_in(context));
    EnterGuard { context, not_send: PhantomData }
}

/// Enters a context, and runs its hooks unless it is current already.
#[cold]
#[inline(never)]
fn enter_with_hooks(context: &mut Option<RequestContext>, catch_panics: bool) -> EnterGuard<'_> {
    let is_same = |current: &RequestContext| context.as_ref().is_some_and(|context| context.is_same(current));
    let is_new = !with_current(|current| current.is_some_and(is_same));
    with_slots(|slots| slots.swap_in(context));
    let entered = EnterGuard { context, not_send: PhantomData };
    if is_new {
        entered.run_hooks(catch_panics);
    }
    entered
}

/// Calls `f` in a context, or while none is current.
#[inline]
pub(crate) fn sync_scope<R>(mut context: Option<RequestContext>, f: impl FnOnce() -> R) -> R {
    let _entered = enter(&mut context);
    f()
}

/// Leaves the context when it is dropped.
///
/// The `EnterGuard`s of a thread are dropped in the reverse order of their creation, since each lives on the stack of
/// one call.
pub(crate) struct EnterGuard<'a> {
    context: &'a mut Option<RequestContext>,
    not_send: PhantomData<*const ()>,
}

impl EnterGuard<'_> {
    /// Runs the hooks of the context that was entered.
    fn run_hooks(&self, catch_panics: bool) {
        let Some(context) = RequestContext::current() else { return };
        let Some(hooks) = context.hooks() else { return };
        let Some(_in_hooks) = InHooks::start() else { return };
        hooks.run_all(catch_panics, |mut guard| {
            with_slots(|slots| {
                guard.link(self.id(), ManuallyDrop::into_inner(slots.guards.take()));
                slots.guards.set(ManuallyDrop::new(Some(guard)));
            });
        });
    }

    /// Drops the guards that [`run_hooks`](Self::run_hooks) added, if any, latest first. Catches a panic in a drop.
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

    /// Identifies this entry among those of the thread. The reference is exclusive, so no two entries have the same
    /// address.
    fn id(&self) -> usize {
        ptr::from_ref(&*self.context).addr()
    }
}

/// Marks that hooks are running, or their guards are being dropped. Contexts that they enter run no hooks, which
/// prevents endless recursion.
struct InHooks;

impl InHooks {
    fn start() -> Option<Self> {
        let was_in_hooks = with_slots(|slots| slots.in_hooks.replace(true));
        (!was_in_hooks).then(|| Self) // `then_some` would create, and drop, one in either case
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

    /// Uses the same slot as `swap_in`: the base is borrowed here exactly if it was borrowed there. A borrow that
    /// starts inside the scope also ends inside it. A borrow that is older than the scope also ends later than the
    /// scope.
    #[inline]
    fn swap_out(&self, context: &mut Option<RequestContext>) {
        if !self.swap_base(context) {
            self.swap_overlay(context);
            self.overlay_depth.set(self.overlay_depth.get() - 1);
        }
    }

    /// Returns whether the context was swapped. If the base is borrowed, nothing is swapped.
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
