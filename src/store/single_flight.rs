//! Single-flight initialisation: of each type, one initialiser runs at a time. A cycle of initialisers panics.

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

/// The slots of one store: a list with one for each type that was ever initialised here.
#[derive(Default)]
pub(super) struct SingleFlight(Mutex<Option<Arc<Slot>>>);

/// Where the value of one type is initialised, by one initialiser at a time.
struct Slot {
    id: TypeId,
    type_name: &'static str,
    next: Option<Arc<Slot>>,
    state: Mutex<State>,
    released: Notify,
}

#[derive(Default)]
struct State {
    /// How many permits were given out: the number of the current one, if any.
    permits: u64,
    is_taken: bool,
    /// What the initialiser with the permit waits for, while nothing else can wake it.
    blocked_on: Option<Arc<[Wait]>>,
}

/// A wait for the release of one permit.
#[derive(Clone)]
struct Wait {
    slot: Arc<Slot>,
    permit: u64,
}

/// The right to initialise a value, until it is dropped.
pub(super) struct Permit(Wait);

impl SingleFlight {
    /// Acquires the permit for a type. Waits while another has it, and then returns `None`.
    ///
    /// A permit is not handed on: all that wait are woken and try again, so that one that is never polled again does not
    /// block the others.
    pub(super) async fn acquire<T: 'static>(&self) -> Option<Permit> {
        let slot = self.slot::<T>();
        // Made before the state is read, so that it receives each release from then on, polled or not.
        let mut released = pin!(slot.released.notified());
        let wait = match Slot::try_acquire(&slot) {
            Ok(permit) => return Some(permit),
            Err(wait) => wait,
        };
        let holder = WakerHolder(ptr::from_ref(&*released).addr());
        poll_fn(|cx| {
            holder.release();
            let polled = released.as_mut().poll(cx);
            if polled.is_pending() {
                holder.hold(vec![wait.clone()], cx);
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
        if let Some(slot) = Slot::find(first.as_ref(), id) {
            return slot;
        }
        Arc::get_mut(&mut added).expect("no other handle to a new slot exists").next = first.take();
        *first = Some(Arc::clone(&added));
        added
    }

    // Only slots are looked up and linked under this lock, so a poisoned one guards a list that is whole.
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

    /// Returns the permit, or what to wait for.
    fn try_acquire(self: &Arc<Self>) -> Result<Permit, Wait> {
        let mut state = self.lock();
        let was_taken = mem::replace(&mut state.is_taken, true);
        if !was_taken {
            state.permits += 1;
        }
        let wait = Wait { slot: Arc::clone(self), permit: state.permits };
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

    /// What the initialiser that is waited for is blocked on. `None` if it is not blocked, or its permit was released.
    fn blocked_on(&self) -> Option<Arc<[Self]>> {
        let state = self.slot.lock();
        if state.is_taken && state.permits == self.permit { state.blocked_on.clone() } else { None }
    }
}

impl Permit {
    fn set_blocked_on(&self, waits: Option<Arc<[Wait]>>) {
        let former = mem::replace(&mut self.0.slot.lock().blocked_on, waits);
        drop(former); // after the lock was released
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
