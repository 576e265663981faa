//! Preparing a request: finding or creating its context, and running the setup closure.

use std::{any::type_name, fmt, mem};

use http::request::Parts;

use super::{Nesting, SetupOutcome};
use crate::{End, RequestContext, Store, WeakRequestContext, context::scope, lifecycle::ContextKind};

/// The configuration of a layer, which each of its services has a clone of.
#[derive(Clone, Copy)]
pub(super) struct LayerConfig<F> {
    setup: F,
    pub(super) nesting: Nesting,
    pub(super) insert_extension: bool,
}

/// The context of a request, and the rejection if the setup returned one.
pub(super) struct Prepared<R> {
    pub(super) context: RequestContext,
    /// Whether this layer created the context, and so must report its end.
    pub(super) is_new: bool,
    pub(super) rejection: Option<R>,
}

impl<F> LayerConfig<F> {
    pub(super) const fn new(setup: F) -> Self {
        Self { setup, nesting: Nesting::Override, insert_extension: false }
    }

    #[inline]
    pub(super) fn prepare<R, B>(&self, parts: &mut Parts) -> Prepared<R::Rejection>
    where
        F: Fn(&mut Store, &mut Parts) -> R,
        R: SetupOutcome<B>,
    {
        let prepared = match self.nesting {
            Nesting::Override => self.run_setup(parts),
            Nesting::Inherit => {
                scope::sync_scope(outer_context(parts, RequestContext::current()), || self.run_setup(parts))
            }
            Nesting::Reuse => reuse_outer(parts).unwrap_or_else(|| self.run_setup(parts)),
        };
        // A handle that an outer layer inserted is replaced even without the option: it refers to the outer
        // context, not to this one.
        if self.insert_extension || parts.extensions.get::<WeakRequestContext>().is_some() {
            parts.extensions.insert(prepared.context.downgrade());
        }
        prepared
    }

    /// Runs the setup closure on a new store, and turns the store into a context.
    #[inline]
    fn run_setup<R, B>(&self, parts: &mut Parts) -> Prepared<R::Rejection>
    where
        F: Fn(&mut Store, &mut Parts) -> R,
        R: SetupOutcome<B>,
    {
        let mut store = Store::new();
        let guard = SetupGuard { store: &mut store, nesting: self.nesting };
        let outcome = (self.setup)(guard.store, parts);
        mem::forget(guard);
        Prepared { context: new_context(store, self.nesting), is_new: true, rejection: outcome.into_rejection() }
    }
}

/// Turns a store into the context of a request. With `Inherit` the outer context is current here, and becomes the
/// parent.
#[inline]
fn new_context(store: Store, nesting: Nesting) -> RequestContext {
    let parent = match nesting {
        Nesting::Inherit => RequestContext::current(),
        Nesting::Override | Nesting::Reuse => None,
    };
    store.into_context(ContextKind::Request, parent)
}

fn reuse_outer<R>(parts: &Parts) -> Option<Prepared<R>> {
    let context = outer_context(parts, RequestContext::current().filter(|context| !context.is_ended()))?;
    Some(Prepared { context, is_new: false, rejection: None })
}

/// Returns the context that a layer inherits from or reuses. [`Nesting`] documents the order.
fn outer_context(parts: &Parts, current: Option<RequestContext>) -> Option<RequestContext> {
    match (WeakRequestContext::live_context_in(&parts.extensions), current) {
        (Some(extension), Some(current)) if current.is_within(&extension) => Some(current),
        (extension, current) => extension.or(current),
    }
}

/// Ends the request if the setup closure panics, so that the `on_end` callbacks that it registered run.
///
/// It is dropped by unwinding only: code that did not panic forgets it.
struct SetupGuard<'a> {
    store: &'a mut Store,
    nesting: Nesting,
}

impl Drop for SetupGuard<'_> {
    fn drop(&mut self) {
        new_context(mem::take(self.store), self.nesting).end(End::Panicked);
    }
}

// The layer and the service both print this, under the name of the layer.
impl<F> fmt::Debug for LayerConfig<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestContextLayer")
            .field("setup", &format_args!("{}", type_name::<F>()))
            .field("nesting", &self.nesting)
            .field("insert_extension", &self.insert_extension)
            .finish()
    }
}
