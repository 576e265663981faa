//! The opening of a request: its context is found or made, and the setup runs.

use std::{any::type_name, fmt, mem};

use http::request::Parts;

use super::{Nesting, SetupOutcome};
use crate::{End, RequestContext, Store, WeakRequestContext, context::scope, lifecycle::ContextKind};

/// What a layer hands to each of its services.
#[derive(Clone, Copy)]
pub(super) struct LayerConfig<F> {
    setup: F,
    pub(super) nesting: Nesting,
    pub(super) insert_extension: bool,
}

/// What was found or made for a request.
pub(super) struct Prepared<R> {
    pub(super) context: RequestContext,
    /// Whoever made it ends it.
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
            Nesting::Override => self.set_up(parts),
            // The new context becomes a child of the one that is current here, which the setup may read.
            Nesting::Inherit => scope::sync_scope(outer(parts, RequestContext::current()), || self.set_up(parts)),
            Nesting::Reuse => reused(parts).unwrap_or_else(|| self.set_up(parts)),
        };
        // An extension that an outer layer left there would lead the layers below past this context.
        if self.insert_extension || parts.extensions.get::<WeakRequestContext>().is_some() {
            parts.extensions.insert(prepared.context.downgrade());
        }
        prepared
    }

    #[inline]
    fn set_up<R, B>(&self, parts: &mut Parts) -> Prepared<R::Rejection>
    where
        F: Fn(&mut Store, &mut Parts) -> R,
        R: SetupOutcome<B>,
    {
        let mut store = Store::new();
        let guard = SetupGuard { store: &mut store, nesting: self.nesting };
        let outcome = (self.setup)(guard.store, parts);
        mem::forget(guard);
        Prepared { context: share(store, self.nesting), is_new: true, rejection: outcome.into_rejection() }
    }
}

#[inline]
fn share(store: Store, nesting: Nesting) -> RequestContext {
    let parent = match nesting {
        Nesting::Inherit => RequestContext::current(),
        Nesting::Override | Nesting::Reuse => None,
    };
    store.into_context(ContextKind::Request, parent)
}

fn reused<R>(parts: &Parts) -> Option<Prepared<R>> {
    let context = outer(parts, RequestContext::current().filter(is_live))?;
    Some(Prepared { context, is_new: false, rejection: None })
}

/// Returns the context that a layer inherits from or reuses.
fn outer(parts: &Parts, current: Option<RequestContext>) -> Option<RequestContext> {
    let extension = parts.extensions.get().and_then(WeakRequestContext::upgrade).filter(is_live);
    match (extension, current) {
        // The current context is the nearer one, and reads in it fall through to the other.
        (Some(extension), Some(current)) if current.is_within(&extension) => Some(current),
        (extension, current) => extension.or(current),
    }
}

fn is_live(context: &RequestContext) -> bool {
    !context.is_ended()
}

/// A store in the hands of a setup. If that unwinds, those whom it has let wait for the end are told.
struct SetupGuard<'a> {
    store: &'a mut Store,
    nesting: Nesting,
}

impl Drop for SetupGuard<'_> {
    fn drop(&mut self) {
        share(mem::take(self.store), self.nesting).end(End::Panicked);
    }
}

// As its layer prints itself, which it is to a reader of the service's text.
impl<F> fmt::Debug for LayerConfig<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestContextLayer")
            .field("setup", &format_args!("{}", type_name::<F>()))
            .field("nesting", &self.nesting)
            .field("insert_extension", &self.insert_extension)
            .finish()
    }
}
