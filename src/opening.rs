//! The opening of a request: its context is found or made, and the setup runs.

use std::{any::type_name, fmt, mem};

use http::request::Parts;

use crate::{End, Nesting, RequestContext, SetupOutcome, Store, WeakRequestContext, end::Role, scope};

/// What a layer hands to each of its services.
#[derive(Clone, Copy)]
pub(crate) struct Opening<F> {
    setup: F,
    pub(crate) nesting: Nesting,
    pub(crate) insert_extension: bool,
}

/// What was found or made for a request.
pub(crate) struct Opened<R> {
    pub(crate) context: RequestContext,
    /// Whoever made it ends it.
    pub(crate) is_new: bool,
    pub(crate) refusal: Option<R>,
}

impl<F> Opening<F> {
    pub(crate) const fn new(setup: F) -> Self {
        Self { setup, nesting: Nesting::Override, insert_extension: false }
    }

    #[inline]
    pub(crate) fn open<R, B>(&self, head: &mut Parts) -> Opened<R::Refusal>
    where
        F: Fn(&mut Store, &mut Parts) -> R,
        R: SetupOutcome<B>,
    {
        let opened = match self.nesting {
            Nesting::Override => self.set_up(head),
            // The new context becomes a child of the one that is current here, which the setup may read.
            Nesting::Inherit => scope::sync_scope(outer(head, RequestContext::current()), || self.set_up(head)),
            Nesting::Reuse => reused(head).unwrap_or_else(|| self.set_up(head)),
        };
        // An extension that an outer layer left there would lead the layers below past this context.
        if self.insert_extension || head.extensions.get::<WeakRequestContext>().is_some() {
            head.extensions.insert(opened.context.downgrade());
        }
        opened
    }

    #[inline]
    fn set_up<R, B>(&self, head: &mut Parts) -> Opened<R::Refusal>
    where
        F: Fn(&mut Store, &mut Parts) -> R,
        R: SetupOutcome<B>,
    {
        let mut store = Store::new();
        let seeding = Seeding { store: &mut store, nesting: self.nesting };
        let outcome = (self.setup)(seeding.store, head);
        mem::forget(seeding);
        Opened { context: share(store, self.nesting), is_new: true, refusal: outcome.into_refusal() }
    }
}

#[inline]
fn share(store: Store, nesting: Nesting) -> RequestContext {
    let parent = match nesting {
        Nesting::Inherit => RequestContext::current(),
        Nesting::Override | Nesting::Reuse => None,
    };
    store.into_context(Role::Request, parent)
}

fn reused<R>(head: &Parts) -> Option<Opened<R>> {
    let context = outer(head, RequestContext::current().filter(is_live))?;
    Some(Opened { context, is_new: false, refusal: None })
}

/// Returns the context that a layer inherits from or reuses.
fn outer(head: &Parts, current: Option<RequestContext>) -> Option<RequestContext> {
    let extension = head.extensions.get().and_then(WeakRequestContext::upgrade).filter(is_live);
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
struct Seeding<'a> {
    store: &'a mut Store,
    nesting: Nesting,
}

impl Drop for Seeding<'_> {
    fn drop(&mut self) {
        share(mem::take(self.store), self.nesting).end(End::Panicked);
    }
}

// As its layer prints itself, which it is to a reader of the service's text.
impl<F> fmt::Debug for Opening<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestContextLayer")
            .field("setup", &format_args!("{}", type_name::<F>()))
            .field("nesting", &self.nesting)
            .field("insert_extension", &self.insert_extension)
            .finish()
    }
}
