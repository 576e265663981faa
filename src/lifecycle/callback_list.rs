//! What is to be called when the response is ready and when the request is over.

use std::{
    iter,
    mem::{self, ManuallyDrop},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::PoisonError,
};

use http::response::Parts;

use super::{End, RequestState, state::Stage};
use crate::{
    CallbackError,
    sync::{Mutex, MutexGuard, const_fn},
    unwind::{drop_each, drop_payload},
};

/// The callbacks of one store. They stand apart from its values, whose readers never come by here.
///
/// Those that are left are [cleared](Self::clear) by the drop of their store and by nothing else.
#[derive(Default)]
pub(crate) struct Callbacks(Mutex<ManuallyDrop<Registered>>);

#[derive(Default)]
struct Registered {
    on_response: CallbackList<Parts>,
    on_end: CallbackList<End>,
}

/// A list of callbacks, latest first. Each is one allocation, which also leads to the one that was registered before it:
/// most requests have one or two, if any.
type CallbackList<A> = Option<Box<dyn Callback<A>>>;

trait Callback<A>: Send {
    fn call(self: Box<Self>, argument: &mut A);

    /// The callback that was registered before this one.
    fn earlier(&mut self) -> &mut CallbackList<A>;
}

struct Node<F, A> {
    f: F,
    earlier: CallbackList<A>,
}

impl<A, F: FnOnce(&mut A) + Send> Callback<A> for Node<F, A> {
    fn call(self: Box<Self>, argument: &mut A) {
        (self.f)(argument);
    }

    #[inline]
    fn earlier(&mut self) -> &mut CallbackList<A> {
        &mut self.earlier
    }
}

impl Callbacks {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self(Mutex::new(ManuallyDrop::new(Registered { on_response: None, on_end: None })))
        }
    }

    pub(crate) fn on_response<F>(&self, state: &RequestState, f: F) -> Result<(), CallbackError>
    where
        F: FnOnce(&mut Parts) + Send + 'static,
    {
        self.register(state, Stage::Open, |registered| &mut registered.on_response, Node { f, earlier: None })
    }

    pub(crate) fn on_end<F>(&self, state: &RequestState, f: F) -> Result<(), CallbackError>
    where
        F: FnOnce(End) + Send + 'static,
    {
        let f = |end: &mut End| f(*end);
        self.register(state, Stage::HeadersSent, |registered| &mut registered.on_end, Node { f, earlier: None })
    }

    /// Puts a callback in a list, which is open up to that stage.
    #[inline]
    fn register<F, A>(
        &self,
        state: &RequestState,
        until: Stage,
        select: fn(&mut Registered) -> &mut CallbackList<A>,
        callback: Node<F, A>,
    ) -> Result<(), CallbackError>
    where
        F: FnOnce(&mut A) + Send + 'static,
        A: 'static,
    {
        // A callback that is rejected is dropped after the guard, since it was there first.
        let mut callback = Box::new(callback);
        let mut registered = self.lock();
        match state.add_waiter(until) {
            current if current <= until => {}
            Stage::Open | Stage::HeadersSent => return Err(CallbackError::HeadersSent),
            Stage::Ended => return Err(CallbackError::Ended),
        }
        let head = select(&mut registered);
        callback.earlier = head.take();
        *head = Some(callback);
        Ok(())
    }

    /// Shows the head of the response to those who wait for it. All are called; then the first panic goes on.
    pub(crate) fn run_on_response(&self, parts: &mut Parts) {
        let latest = self.lock().on_response.take();
        let mut panic = None;
        for callback in in_order(latest) {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| callback.call(parts))) {
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
    pub(crate) fn run_on_end(&self, mut end: End) {
        let Registered { on_response, on_end } = mem::take(&mut **self.lock());
        drop_each(in_order(on_end).map(|callback| callback.call(&mut end)));
        drop_each(in_order(on_response));
    }

    /// Drops all that is left, uncalled.
    pub(crate) fn clear(&mut self) {
        let Registered { on_response, on_end } =
            mem::take(&mut **self.0.get_mut().unwrap_or_else(PoisonError::into_inner));
        drop_each(in_order(on_response));
        drop_each(in_order(on_end));
    }

    // No closure is called or dropped under this lock, so a poisoned one guards lists that are whole.
    fn lock(&self) -> MutexGuard<'_, ManuallyDrop<Registered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those of a list in the order of their registration.
fn in_order<A>(mut latest: CallbackList<A>) -> impl Iterator<Item = Box<dyn Callback<A>>> {
    let mut next = None;
    while let Some(mut callback) = latest {
        latest = mem::replace(callback.earlier(), next);
        next = Some(callback);
    }
    iter::from_fn(move || {
        let mut callback = next.take()?;
        next = callback.earlier().take();
        Some(callback)
    })
}
