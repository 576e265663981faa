//! Single-flight initialization: one initializer of each type runs at a time. A cycle of initializers panics.

mod cycles;

use std::{
    any::{TypeId, type_name},
    future::poll_fn,
    mem,
    pin::pin,
    ptr,
    sync::{Arc, PoisonError},
};

use tokio::sync::Notify;

use self::cycles::WakerHolder;
use crate::sync::{Mutex, MutexGuard};

/// A linked list of slots, one for each type that `get_or_init` has tried to initialize in this store.
#[derive(Default)]
pub(super) struct SingleFlight(Mutex<Option<Arc<Slot>>>);

/// The lock of one type. The initializer that runs holds its permit.
struct Slot {
    id: TypeId,
    type_name: &'static str,
    next: Option<Arc<Slot>>,
    state: Mutex<State>,
    released: Notify,
}

#[derive(Default)]
struct State {
    /// The number of the latest permit. Permits of a slot are numbered from 1.
    latest_permit: u64,
    /// Whether the latest permit is still held.
    is_taken: bool,
    /// What the initializer with the permit waits for, if nothing else can wake it.
    blocked_on: Option<Arc<[Wait]>>,
}

/// A wait for the release of one permit.
#[derive(Clone)]
struct Wait {
    slot: Arc<Slot>,
    permit: u64,
}

/// The right to initialize the value of a type. It is released when this is dropped.
///
/// The field is what other callers wait for: the slot, and the number of this permit.
pub(super) struct Permit(Wait);

impl SingleFlight {
    /// Acquires the permit for a type. If it is taken, waits until it is released and returns `None`.
    ///
    /// A release wakes all waiting callers, and each tries again. The permit is not passed to one of them, because that
    /// one might never be polled again and would then block the others.
    pub(super) async fn acquire<T: 'static>(&self) -> Option<Permit> {
        let slot = self.slot::<T>();
        // A `Notified` receives each `notify_waiters` from its creation on, even before it is polled. It is created
        // before the state is read, so a release after that read is not missed.
        let mut released = pin!(slot.released.notified());
        let wait = match Slot::try_acquire(&slot) {
            Ok(permit) => return Some(permit),
            Err(wait) => wait,
        };
        // The caller may itself be an initializer. So this records for `cycles` that the wait is pending, and whether
        // it holds a clone of the waker with which that initializer is polled.
        let holder = WakerHolder(ptr::from_ref(&*released).addr());
        poll_fn(|cx| {
            holder.remove_record();
            let polled = released.as_mut().poll(cx);
            if polled.is_pending() {
                holder.record(vec![wait.clone()], cx);
            }
            polled
        })
        .await;
        None
    }

    fn slot<T: 'static>(&self) -> Arc<Slot> {
        let id = TypeId::of::<T>();
        if let Some(slot) = Slot::find(self.lock().as_ref(), id) {
            return slot;
        }
        // Allocated before the lock is taken: an allocator is user code.
        let mut added = Arc::new(Slot {
            id,
            type_name: type_name::<T>(),
            next: None,
            state: Mutex::default(),
            released: Notify::new(),
        });
        let mut first = self.lock();
        // Another thread may have added one meanwhile.
        if let Some(slot) = Slot::find(first.as_ref(), id) {
            return slot;
        }
        Arc::get_mut(&mut added).expect("a new slot has one handle").next = first.take();
        *first = Some(Arc::clone(&added));
        added
    }

    // Slots are only looked up and linked under this lock, so a poisoned one guards a list that is whole.
    fn lock(&self) -> MutexGuard<'_, Option<Arc<Slot>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn find(first: Option<&Arc<Self>>, id: TypeId) -> Option<Arc<Self>> {
        let mut next = first;
        while let Some(slot) = next {
            if slot.id == id {
                return Some(Arc::clone(slot));
            }
            next = slot.next.as_ref();
        }
        None
    }

    /// Returns the permit, or as an error the wait for its release.
    fn try_acquire(self: &Arc<Self>) -> Result<Permit, Wait> {
        let mut state = self.lock();
        let was_taken = mem::replace(&mut state.is_taken, true);
        if !was_taken {
            state.latest_permit += 1;
        }
        let wait = Wait { slot: Arc::clone(self), permit: state.latest_permit };
        if was_taken { Err(wait) } else { Ok(Permit(wait)) }
    }

    // Nothing is allocated, freed or called under this lock, so a poisoned one guards a state that is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wait {
    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.slot, &other.slot) && self.permit == other.permit
    }

    /// Returns what the initializer with the permit is blocked on. `None` if it is not blocked, or has released the
    /// permit.
    fn blocked_on(&self) -> Option<Arc<[Self]>> {
        let state = self.slot.lock();
        if state.is_taken && state.latest_permit == self.permit { state.blocked_on.clone() } else { None }
    }
}

impl Permit {
    fn set_blocked_on(&self, waits: Option<Arc<[Wait]>>) {
        let replaced = mem::replace(&mut self.0.slot.lock().blocked_on, waits);
        drop(replaced); // after the lock was released
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let slot = &self.0.slot;
        let blocked_on = {
            let mut state = slot.lock();
            state.is_taken = false;
            state.blocked_on.take()
        };
        drop(blocked_on);
        slot.released.notify_waiters();
    }
}
