//! Closures that run each time a context becomes current, and the guards that they return.

use std::{
    iter,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::Store;
use crate::unwind::catch_panic;

/// Whether any closure was ever registered in this process. Programs that register none pay for this look alone.
///
/// It is set before the store is shared. What shares the store with another thread makes that visible there too, so no
/// stronger ordering is needed.
static HAS_HOOKS: AtomicBool = AtomicBool::new(false);

#[inline]
pub(crate) fn has_hooks() -> bool {
    HAS_HOOKS.load(Ordering::Relaxed)
}

/// A list of closures, latest first. The closures of a store are followed by those of its parent, which it shares.
pub(crate) type EnterHooks = Option<Arc<EnterHook>>;

pub(crate) struct EnterHook<E: ?Sized = dyn Enter> {
    earlier: EnterHooks,
    enter: E,
}

pub(crate) trait Enter: Send + Sync {
    fn enter(&self) -> Box<dyn Guard>;
}

struct Closure<F, G>(F, PhantomData<fn() -> G>);

impl<F, G> Enter for Closure<F, G>
where
    F: Fn() -> G + Send + Sync,
    G: 'static,
{
    fn enter(&self) -> Box<dyn Guard> {
        Box::new(Held { entry: 0, outer: None, _guard: (self.0)() })
    }
}

/// What a closure returned, in the list of all that are held on a thread.
pub(crate) trait Guard {
    /// Links it before the guard that was entered before it, and notes which entry of a context it belongs to.
    fn set_outer(&mut self, entry: usize, outer: Option<Box<dyn Guard>>);

    fn take_outer(&mut self) -> Option<Box<dyn Guard>>;

    fn entry(&self) -> usize;
}

struct Held<G> {
    entry: usize,
    outer: Option<Box<dyn Guard>>,
    _guard: G,
}

impl<G> Guard for Held<G> {
    fn set_outer(&mut self, entry: usize, outer: Option<Box<dyn Guard>>) {
        (self.entry, self.outer) = (entry, outer);
    }

    fn take_outer(&mut self) -> Option<Box<dyn Guard>> {
        self.outer.take()
    }

    fn entry(&self) -> usize {
        self.entry
    }
}

impl EnterHook {
    /// Runs the closures in the order of their registration, those of parents first, and hands each guard to `hold`.
    ///
    /// A panic in a closure goes on. With `contains_panics` it does not, and the closures after it run too.
    pub(crate) fn enter_all(&self, contains_panics: bool, hold: impl Fn(Box<dyn Guard>)) {
        let latest_first: Vec<_> = iter::successors(Some(self), |hook| hook.earlier.as_deref()).collect();
        for hook in latest_first.into_iter().rev() {
            if contains_panics {
                catch_panic(|| hook.enter.enter()).into_iter().for_each(&hold);
            } else {
                hold(hook.enter.enter());
            }
        }
    }
}

/// # Tracing spans and other ambient contexts
impl Store {
    /// Runs `enter` each time the context becomes current on a thread, and drops what it returns when the context stops
    /// being current there.
    ///
    /// Use it for what other libraries keep current by a guard of their own: a span of `tracing`, a `Context` of
    /// OpenTelemetry, a `Hub` of Sentry. They are then current wherever the request's context is: in the inner service, in
    /// body frames, in drops, in callbacks, and in what [`spawn`](crate::RequestContext::spawn),
    /// [`scope`](crate::RequestContext::scope), [`carry`](crate::RequestContext::carry),
    /// [`bind`](crate::RequestContext::bind) and [`run`](Self::run) carry elsewhere.
    ///
    /// ```
    /// # use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    /// # use tower_request_context::{RequestContext, Store};
    /// static ENTERED: AtomicUsize = AtomicUsize::new(0);
    ///
    /// struct Guard;
    ///
    /// impl Drop for Guard {
    ///     fn drop(&mut self) {
    ///         ENTERED.fetch_sub(1, Relaxed);
    ///     }
    /// }
    ///
    /// let mut store = Store::new();
    /// store.on_enter(|| {
    ///     ENTERED.fetch_add(1, Relaxed);
    ///     Guard
    /// });
    /// let context = RequestContext::new(store);
    /// assert_eq!(context.sync_scope(|| ENTERED.load(Relaxed)), 1);
    /// assert_eq!(ENTERED.load(Relaxed), 0);
    /// ```
    ///
    /// With `tracing` that is `store.on_enter(move || span.clone().entered())`, with OpenTelemetry
    /// `store.on_enter(move || cx.clone().attach())`.
    ///
    /// The closures run in the order of their registration, after the context has become current. Their guards are dropped
    /// in reverse, before the context is left. A [child](crate::RequestContext::child), or a layer that inherits, runs the
    /// closures of its parents first. A context that is entered while it is current does not run them again. A closure, and
    /// the drop of a guard, may read the context and enter others, which then run no closures.
    ///
    /// Each entry runs all closures, so they should be fast. An entry takes one allocation for each guard, and one more.
    ///
    /// [`exit`](crate::RequestContext::exit) leaves the context and drops no guard: what other libraries keep current stays
    /// current.
    ///
    /// # Panics
    ///
    /// A panic in `enter` leaves what was entered before it, and goes on to the code that entered the context; for a
    /// request this is [`End::Panicked`](crate::End::Panicked). When the context is entered for a drop or for `on_end`
    /// callbacks, the panic hook reports it and it goes no further. The same holds for a panic in the drop of a guard.
    pub fn on_enter<G: 'static>(&mut self, enter: impl Fn() -> G + Send + Sync + 'static) {
        HAS_HOOKS.store(true, Ordering::Relaxed);
        let earlier = self.on_enter.take();
        *self.on_enter = Some(Arc::new(EnterHook { earlier, enter: Closure(enter, PhantomData) }));
    }

    /// Puts the closures of a parent before those of this store, which is not shared yet.
    pub(super) fn inherit_enter_hooks(&mut self, parent: &Self) {
        let Some(inherited) = &*parent.on_enter else { return };
        let mut own = &mut *self.on_enter;
        while let Some(hook) = own {
            own = &mut Arc::get_mut(hook).expect("the closures of a store that is not shared have one handle").earlier;
        }
        *own = Some(Arc::clone(inherited));
    }

    /// Drops the closures that no child shares, one by one: a list may be too long for recursion.
    pub(super) fn drop_enter_hooks(&mut self) {
        let mut next = self.on_enter.take();
        while let Some(mut hook) = next {
            next = Arc::get_mut(&mut hook).and_then(|hook| hook.earlier.take());
            catch_panic(|| drop(hook));
        }
    }

    #[inline]
    pub(crate) fn enter_hooks(&self) -> Option<&Arc<EnterHook>> {
        self.on_enter.as_ref()
    }
}
