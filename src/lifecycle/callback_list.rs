//! The registered callbacks of a request.

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

/// The callbacks of one store, behind a lock of their own.
///
/// [`clear`](Self::clear) drops callbacks that were never called. The drop of the store calls it in the right order.
/// `ManuallyDrop` keeps the compiler from adding drop code that would find the lists empty.
#[derive(Default)]
pub(crate) struct Callbacks(Mutex<ManuallyDrop<Registered>>);

#[derive(Default)]
struct Registered {
    on_response: CallbackList<Parts>,
    on_end: CallbackList<End>,
}

/// A linked list, latest callback first. Each callback is one allocation, which includes its link.
type CallbackList<A> = Option<Box<dyn Callback<A>>>;

trait Callback<A>: Send {
    fn call(self: Box<Self>, argument: &mut A);

    /// The callbacks that were registered before this one.
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

    pub(crate) fn register_on_response<F>(&self, state: &RequestState, f: F) -> Result<(), CallbackError>
    where
        F: FnOnce(&mut Parts) + Send + 'static,
    {
        self.register(state, Stage::Open, |registered| &mut registered.on_response, f)
    }

    pub(crate) fn register_on_end<F>(&self, state: &RequestState, f: F) -> Result<(), CallbackError>
    where
        F: FnOnce(End) + Send + 'static,
    {
        self.register(state, Stage::HeadersSent, |registered| &mut registered.on_end, |end: &mut End| f(*end))
    }

    /// Adds a callback to a list, which accepts callbacks until the end of stage `until`.
    #[inline]
    fn register<F, A>(
        &self,
        state: &RequestState,
        until: Stage,
        select: fn(&mut Registered) -> &mut CallbackList<A>,
        f: F,
    ) -> Result<(), CallbackError>
    where
        F: FnOnce(&mut A) + Send + 'static,
        A: 'static,
    {
        // Declared before the lock guard, so a rejected callback is dropped after the lock is released.
        let mut node = Box::new(Node { f, earlier: None });
        let mut registered = self.lock();
        match state.mark_registered(until) {
            current if current <= until => {}
            Stage::Open | Stage::HeadersSent => return Err(CallbackError::HeadersSent),
            Stage::Ended => return Err(CallbackError::Ended),
        }
        let list = select(&mut registered);
        node.earlier = list.take();
        *list = Some(node);
        Ok(())
    }

    /// Takes the `on_response` callbacks, to run them once.
    pub(crate) fn take_response_callbacks(&self) -> ResponseCallbacks {
        ResponseCallbacks(self.lock().on_response.take())
    }

    /// Calls the `on_end` callbacks, and drops the `on_response` callbacks of a response that was never sent.
    ///
    /// Never unwinds, because it is called in destructors.
    pub(crate) fn run_end_callbacks(&self, mut end: End) {
        let Registered { on_response, on_end } = mem::take(&mut **self.lock());
        // `drop_each` calls `next`, which calls one callback. It catches the panic of a callback.
        drop_each(in_order(on_end).map(|callback| callback.call(&mut end)));
        drop_each(in_order(on_response));
    }

    /// Drops all callbacks, and does not call them.
    pub(crate) fn clear(&mut self) {
        let Registered { on_response, on_end } =
            mem::take(&mut **self.0.get_mut().unwrap_or_else(PoisonError::into_inner));
        drop_each(in_order(on_response));
        drop_each(in_order(on_end));
    }

    /// Recovers from poisoning: no callback is called or dropped under this lock, so the lists are consistent.
    fn lock(&self) -> MutexGuard<'_, ManuallyDrop<Registered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The `on_response` callbacks of a request, taken out of its store.
pub(crate) struct ResponseCallbacks(CallbackList<Parts>);

impl ResponseCallbacks {
    /// Calls the callbacks. If some panic, all are called, and then the first panic is resumed.
    pub(crate) fn run(mut self, parts: &mut Parts) {
        let mut panic = None;
        for callback in in_order(self.0.take()) {
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
}

impl Drop for ResponseCallbacks {
    fn drop(&mut self) {
        // After `run` there is nothing to drop.
        if self.0.is_some() {
            drop_each(in_order(self.0.take()));
        }
    }
}

/// Returns the callbacks of a list in the order of their registration.
fn in_order<A>(mut list: CallbackList<A>) -> impl Iterator<Item = Box<dyn Callback<A>>> {
    let mut reversed = None;
    while let Some(mut callback) = list {
        list = mem::replace(callback.earlier(), reversed);
        reversed = Some(callback);
    }
    iter::from_fn(move || {
        let mut callback = reversed.take()?;
        reversed = callback.earlier().take();
        Some(callback)
    })
}
