//! Values that are made once: whose turn it is to make one, and who waits for whom.

use std::{
    any::{TypeId, type_name},
    cell::RefCell,
    collections::HashMap,
    future::poll_fn,
    pin::pin,
    sync::{Arc, PoisonError, atomic::Ordering},
};

use tokio::sync::Notify;

use super::type_key::BuildTypeHasher;
use crate::sync::{AtomicBool, Mutex, MutexGuard};

thread_local! {
    /// The values that are being made by the futures that this thread is polling, outermost first.
    static MAKING: RefCell<Vec<Arc<Place>>> = const { RefCell::new(Vec::new()) };
}

/// The place of each type whose value was ever made here, or tried to.
#[derive(Default)]
pub(super) struct Turns(Mutex<Places>);

type Places = HashMap<TypeId, Arc<Place>, BuildTypeHasher>;

/// Where a value is made, by one at a time.
#[derive(Default)]
struct Place {
    is_taken: AtomicBool,
    freed: Notify,
    /// The places that have to be freed before this one can be, since its initialiser waits for their values.
    awaited: Mutex<Vec<Arc<Place>>>,
}

/// The right to make a value, until it is dropped.
pub(super) struct Turn(Arc<Place>);

impl Turns {
    /// Takes the turn to make a value of this type; `None` after that of another, which this waited for, is over.
    ///
    /// Turns are not handed on. All who wait are woken and look again, so one that is polled no more holds up none.
    pub(super) async fn take<T: 'static>(&self) -> Option<Turn> {
        let place = self.place_of::<T>();
        // It is told of all that happens from here on, polled or not.
        let mut freed = pin!(place.freed.notified());
        if !place.is_taken.swap(true, Ordering::Acquire) {
            return Some(Turn(Arc::clone(&place)));
        }
        let mut wait = Wait { place: &place, makers: Vec::new() };
        poll_fn(|cx| {
            wait.is_by(MAKING.with_borrow(Vec::clone));
            assert!(
                !wait.is_for_itself(),
                "the initialiser of `{0}` waits for the `{0}` that it is to make: it called `get_or_init` for that \
                 type, itself or through the initialiser of another; pass it what it needs instead",
                type_name::<T>(),
            );
            freed.as_mut().poll(cx)
        })
        .await;
        None
    }

    fn place_of<T: 'static>(&self) -> Arc<Place> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(places.entry(TypeId::of::<T>()).or_default())
    }
}

impl Turn {
    /// Awaits the initialiser, and marks each of its polls, so that what it awaits can tell.
    pub(super) async fn run<F: Future>(&self, initialiser: F) -> F::Output {
        struct Mark;

        impl Drop for Mark {
            fn drop(&mut self) {
                MAKING.with_borrow_mut(Vec::pop);
            }
        }

        let mut initialiser = pin!(initialiser);
        poll_fn(|cx| {
            MAKING.with_borrow_mut(|making| making.push(Arc::clone(&self.0)));
            let _mark = Mark;
            initialiser.as_mut().poll(cx)
        })
        .await
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.awaited().clear();
        self.0.is_taken.store(false, Ordering::Release);
        self.0.freed.notify_waiters();
    }
}

/// That initialisers, one inside the other, wait for a place.
struct Wait<'a> {
    place: &'a Arc<Place>,
    makers: Vec<Arc<Place>>,
}

impl Wait<'_> {
    /// Says whose initialisers wait, which may change from poll to poll.
    fn is_by(&mut self, makers: Vec<Arc<Place>>) {
        self.is_over();
        for maker in &makers {
            maker.awaited().push(Arc::clone(self.place));
        }
        self.makers = makers;
    }

    /// Whether one of them would have to be done first. Of those who close a circle at the same time at least the last
    /// sees it, since each has noted its own wait before it looks for those of others.
    fn is_for_itself(&self) -> bool {
        if self.makers.is_empty() {
            return false;
        }
        let mut needed = vec![Arc::clone(self.place)];
        let mut next = 0;
        while let Some(place) = needed.get(next).map(Arc::clone) {
            if place.is_in(&self.makers) {
                return true;
            }
            let awaited = place.awaited().clone();
            needed.extend(awaited.into_iter().filter(|place| !place.is_in(&needed)).collect::<Vec<_>>());
            next += 1;
        }
        false
    }

    fn is_over(&mut self) {
        for maker in self.makers.drain(..) {
            let mut awaited = maker.awaited();
            if let Some(index) = awaited.iter().position(|place| Arc::ptr_eq(place, self.place)) {
                awaited.swap_remove(index);
            }
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.is_over();
    }
}

impl Place {
    fn is_in(self: &Arc<Self>, places: &[Arc<Self>]) -> bool {
        places.iter().any(|place| Arc::ptr_eq(place, self))
    }

    // Nothing but the list is touched under this lock, and its items are no user's.
    fn awaited(&self) -> MutexGuard<'_, Vec<Arc<Self>>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
