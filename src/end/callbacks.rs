//! What is to be called when the response is ready and when the request is over.

use std::{
    iter,
    mem::{self, ManuallyDrop},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::PoisonError,
};

use http::response::Parts;

use super::{End, Phase, Stage};
use crate::{
    CallbackError,
    sync::{Mutex, MutexGuard, const_fn},
    unwind::{drop_each, drop_payload},
};

/// The callbacks of one store. They stand apart from its values, whose readers never come by here.
///
/// Those that are left are [forgotten](Self::forget) by the drop of their store and by nothing else.
#[derive(Default)]
pub(crate) struct Callbacks(Mutex<ManuallyDrop<Waiting>>);

#[derive(Default)]
struct Waiting {
    on_response: Link<Parts>,
    on_end: Link<End>,
}

/// A list of callbacks, latest first. Each is one allocation, which also leads to the one that was registered before it:
/// most requests have one or two, if any.
type Link<A> = Option<Box<dyn Callback<A>>>;

trait Callback<A>: Send {
    fn call(self: Box<Self>, argument: &mut A);

    /// The callback that was registered before this one.
    fn before(&mut self) -> &mut Link<A>;
}

struct Node<F, A> {
    f: F,
    before: Link<A>,
}

impl<A, F: FnOnce(&mut A) + Send> Callback<A> for Node<F, A> {
    fn call(self: Box<Self>, argument: &mut A) {
        (self.f)(argument);
    }

    #[inline]
    fn before(&mut self) -> &mut Link<A> {
        &mut self.before
    }
}

impl Callbacks {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self(Mutex::new(ManuallyDrop::new(Waiting { on_response: None, on_end: None })))
        }
    }

    pub(crate) fn on_response<F>(&self, phase: &Phase, f: F) -> Result<(), CallbackError>
    where
        F: FnOnce(&mut Parts) + Send + 'static,
    {
        self.register(phase, Stage::Open, |waiting| &mut waiting.on_response, Node { f, before: None })
    }

    pub(crate) fn on_end<F>(&self, phase: &Phase, f: F) -> Result<(), CallbackError>
    where
        F: FnOnce(End) + Send + 'static,
    {
        let f = |how: &mut End| f(*how);
        self.register(phase, Stage::HeadersSent, |waiting| &mut waiting.on_end, Node { f, before: None })
    }

    /// Puts a callback in a list, which is open up to that stage.
    #[inline]
    fn register<F, A>(
        &self,
        phase: &Phase,
        until: Stage,
        list: fn(&mut Waiting) -> &mut Link<A>,
        callback: Node<F, A>,
    ) -> Result<(), CallbackError>
    where
        F: FnOnce(&mut A) + Send + 'static,
        A: 'static,
    {
        // A callback that is refused is dropped after the guard, since it was there first.
        let mut callback = Box::new(callback);
        let mut waiting = self.lock();
        match phase.announce(until) {
            stage if stage <= until => {}
            Stage::Open | Stage::HeadersSent => return Err(CallbackError::HeadersSent),
            Stage::Ended => return Err(CallbackError::Ended),
        }
        let latest = list(&mut waiting);
        callback.before = latest.take();
        *latest = Some(callback);
        Ok(())
    }

    /// Shows the head of the response to those who wait for it. All are called; then the first panic goes on.
    pub(crate) fn respond(&self, head: &mut Parts) {
        let latest = self.lock().on_response.take();
        let mut panic = None;
        for callback in in_order(latest) {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| callback.call(head))) {
                match panic {
                    None => panic = Some(payload),
                    Some(_) => drop_payload(payload), // the panic hook has reported it
                }
            }
        }
        if let Some(payload) = panic {
            resume_unwind(payload);
        }
    }

    /// Tells those who wait for the end, and drops those who waited for a response that did not come.
    ///
    /// Never unwinds: it is called in destructors.
    pub(crate) fn end(&self, mut how: End) {
        let Waiting { on_response, on_end } = mem::take(&mut **self.lock());
        drop_each(in_order(on_end).map(|callback| callback.call(&mut how)));
        drop_each(in_order(on_response));
    }

    /// Drops all that is left, uncalled.
    pub(crate) fn forget(&mut self) {
        let Waiting { on_response, on_end } =
            mem::take(&mut **self.0.get_mut().unwrap_or_else(PoisonError::into_inner));
        drop_each(in_order(on_response));
        drop_each(in_order(on_end));
    }

    // No closure is called or dropped under this lock, so a poisoned one guards lists that are whole.
    fn lock(&self) -> MutexGuard<'_, ManuallyDrop<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those of a list in the order of their registration.
fn in_order<A>(mut latest: Link<A>) -> impl Iterator<Item = Box<dyn Callback<A>>> {
    let mut next = None;
    while let Some(mut callback) = latest {
        latest = mem::replace(callback.before(), next);
        next = Some(callback);
    }
    iter::from_fn(move || {
        let mut callback = next.take()?;
        next = callback.before().take();
        Some(callback)
    })
}
