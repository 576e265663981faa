//! Hooks: closures that run each time a context becomes current, and the guards that they return.

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

/// Whether a hook was ever registered in this process. If not, all that hooks cost is this check at
/// each enter and leave.
///
/// Invariant: a thread that enters a context with a hook reads `true`. The flag is set through `&mut Store`, before the
/// store is shared, and is never cleared. Passing the context to another thread makes this write happen before the
/// loads there. By the coherence of one atomic, those loads then return `true`. So `Relaxed` suffices.
static HAS_HOOKS: AtomicBool = AtomicBool::new(false);

/// Returns whether any context of this process may have a hook.
#[inline]
pub(crate) fn has_hooks() -> bool {
    HAS_HOOKS.load(Ordering::Relaxed)
}

/// A linked list of hooks, latest first. The hooks of a store come first, then those of its parent. Both stores
/// share the nodes of the parent's hooks.
pub(super) type HookList = Option<Arc<HookNode>>;

pub(crate) struct HookNode {
    earlier: HookList,
    /// Boxed, so that `HookNode` is sized and the `Arc` in each store is one word.
    hook: Box<dyn Hook>,
}

pub(crate) trait Hook: Send + Sync {
    fn run(&self) -> Box<dyn Guard>;
}

/// A closure as a [`Hook`]. `G` is the type that the closure returns, which the impl of [`Hook`] has to name.
struct Closure<F, G>(F, PhantomData<fn() -> G>);

impl<F, G> Hook for Closure<F, G>
where
    F: Fn() -> G + Send + Sync,
    G: 'static,
{
    fn run(&self) -> Box<dyn Guard> {
        Box::new(GuardNode { entry: 0, outer: None, _guard: (self.0)() })
    }
}

/// A guard that a hook returned, in the linked list of all such guards of a thread.
pub(crate) trait Guard {
    /// Links the guard to the one that was added before it, and records to which entry of a context it belongs.
    fn link(&mut self, entry: usize, outer: Option<Box<dyn Guard>>);

    fn take_outer(&mut self) -> Option<Box<dyn Guard>>;

    fn entry(&self) -> usize;
}

struct GuardNode<G> {
    entry: usize,
    outer: Option<Box<dyn Guard>>,
    _guard: G,
}

impl<G> Guard for GuardNode<G> {
    fn link(&mut self, entry: usize, outer: Option<Box<dyn Guard>>) {
        (self.entry, self.outer) = (entry, outer);
    }

    fn take_outer(&mut self) -> Option<Box<dyn Guard>> {
        self.outer.take()
    }

    fn entry(&self) -> usize {
        self.entry
    }
}

impl HookNode {
    /// Runs the hooks in the order of their registration, those of parents first, and passes each guard to `add_guard`.
    ///
    /// A panic in a hook propagates. With `catch_panics` it is caught, and the later hooks run too.
    pub(crate) fn run_all(&self, catch_panics: bool, add_guard: impl Fn(Box<dyn Guard>)) {
        let latest_first: Vec<_> = iter::successors(Some(self), |node| node.earlier.as_deref()).collect();
        for node in latest_first.into_iter().rev() {
            if catch_panics {
                catch_panic(|| node.hook.run()).into_iter().for_each(&add_guard);
            } else {
                add_guard(node.hook.run());
            }
        }
    }
}

/// # Tracing spans and other ambient contexts
impl Store {
    /// Runs `enter` each time the context is entered. The guard that `enter` returns is dropped when that entry is
    /// left.
    ///
    /// Use it for contexts that other libraries keep current with a guard: a span of `tracing`, a `Context` of
    /// OpenTelemetry, a `Hub` of Sentry. They are then current wherever the request's context is: in the inner service,
    /// in body frames, in drops and in callbacks. [`spawn`](crate::RequestContext::spawn),
    /// [`scope`](crate::RequestContext::scope), [`carry`](crate::RequestContext::carry),
    /// [`bind`](crate::RequestContext::bind) and [`run`](Self::run) propagate them too.
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
    /// For `tracing`, call `store.on_enter(move || span.clone().entered())`. For OpenTelemetry, call
    /// `store.on_enter(move || cx.clone().attach())`.
    ///
    /// The closures run in the order of their registration, after the context has become current. Their guards are
    /// dropped in reverse order, before the context is left. A [child](crate::RequestContext::child), or a layer that
    /// inherits, runs the closures of its parents first. A closure, and the drop of a guard, may read the context and
    /// enter others.
    ///
    /// Each entry runs all closures, so keep them fast. There are two exceptions. An entry of the context that is
    /// already current runs none. To prevent endless recursion, an entry by a closure, or by the drop of a guard, runs
    /// none either. An entry allocates once per guard, and for the list of closures.
    ///
    /// [`exit`](crate::RequestContext::exit) leaves the context and drops no guard. The contexts of other libraries
    /// stay current.
    ///
    /// # Panics
    ///
    /// If `enter` panics, the guards of that entry are dropped, the context is left, and the panic propagates in the
    /// code that entered the context. If that is the layer or a run, the request or run ends as
    /// [`End::Panicked`](crate::End::Panicked).
    ///
    /// If the context is entered for a drop or for `on_end` callbacks, the panic hook reports the panic and it goes no
    /// further. The same holds for a panic in the drop of a guard.
    pub fn on_enter<G: 'static>(&mut self, enter: impl Fn() -> G + Send + Sync + 'static) {
        HAS_HOOKS.store(true, Ordering::Relaxed);
        let earlier = self.on_enter.take();
        *self.on_enter = Some(Arc::new(HookNode { earlier, hook: Box::new(Closure(enter, PhantomData)) }));
    }

    /// Appends the hooks of a parent to the list of this store, which is not shared yet. Hooks run from the end of the
    /// list to its start, so those of the parent run first.
    pub(super) fn inherit_hooks(&mut self, parent: &Self) {
        let Some(inherited) = &*parent.on_enter else { return };
        let mut own = &mut *self.on_enter;
        while let Some(node) = own {
            own = &mut Arc::get_mut(node)
                .expect("a store that is not shared holds the only handles to its hooks")
                .earlier;
        }
        *own = Some(Arc::clone(inherited));
    }

    /// Drops the hooks of this store and its handle to those of its parent. Drops them one by one, since a list may be
    /// too long for recursion.
    ///
    /// When a store is dropped, no handle to it is left, so all its children have dropped theirs. A child drops its
    /// hooks before its handle to its parent. So nothing else holds this store's own hooks. Other handles exist only to
    /// inherited hooks. At the first of these `get_mut` fails, and the loop stops.
    pub(super) fn drop_hooks(&mut self) {
        let mut next = self.on_enter.take();
        while let Some(mut node) = next {
            next = Arc::get_mut(&mut node).and_then(|node| node.earlier.take());
            catch_panic(|| drop(node));
        }
    }

    #[inline]
    pub(crate) fn hooks(&self) -> Option<&Arc<HookNode>> {
        self.on_enter.as_ref()
    }
}
