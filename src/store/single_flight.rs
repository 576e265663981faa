//! Single-flight initialisation: of each type, one initialiser runs at a time, and a cycle of initialisers panics.
//!
//! # Cycles
//!
//! An initialiser that waits for its own value, directly or through the initialisers of other values, never completes.
//! [`Permit::run`] panics then. It does so only where nothing but such a wait can wake the initialiser, since one that
//! also waits for something else (a `select!` with a timeout) may go on without the value.
//!
//! To find that out, an initialiser in which a wait is pending is polled with a waker of ours, a [`Tracker`], whose
//! clones are counted. If each clone belongs to a wait for a slot, the initialiser is *blocked on* those slots. If all
//! initialisers that can be reached from there are blocked too, and this one is among them, none of them can be woken.
//!
//! A wait that is polled with another waker is not counted: an executor inside the initialiser (a `LocalSet`, a
//! `FuturesUnordered`, a `block_on`) may poll it on behalf of other work. So an initialiser that could go on never panics,
//! and a cycle through such an executor is not found. What drops the whole initialiser from outside, such as a timeout
//! around `get_or_init`, is no way on for the initialiser, and cannot be seen from here.

use std::{
    any::{TypeId, type_name},
    cell::RefCell,
    future::poll_fn,
    mem,
    pin::{Pin, pin},
    ptr,
    sync::{
        Arc, PoisonError,
        atomic::{self, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use tokio::sync::Notify;

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
        let holder = Holder(ptr::from_ref(&*released).addr());
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
    /// Awaits the initialiser.
    ///
    /// # Panics
    ///
    /// If the initialiser waits for itself: see [Cycles](self#cycles).
    pub(super) async fn run<F: Future>(&self, initialiser: F) -> F::Output {
        let mut initialiser = pin!(initialiser);
        let mut tracked = None::<Tracked>;
        poll_fn(|cx| {
            if tracked.is_none() {
                let (polled, poll) = InitialiserPoll::run(None, || initialiser.as_mut().poll(cx));
                if polled.is_ready() || !poll.has_waits {
                    return polled;
                }
            }
            self.poll_tracked(initialiser.as_mut(), &mut tracked, cx)
        })
        .await
    }

    fn poll_tracked<F: Future>(
        &self,
        initialiser: Pin<&mut F>,
        tracked: &mut Option<Tracked>,
        cx: &mut Context<'_>,
    ) -> Poll<F::Output> {
        let former = tracked.take().filter(|tracked| tracked.tracker.outer.will_wake(cx.waker()));
        let tracked = tracked.insert(former.unwrap_or_else(|| Tracked::new(cx.waker())));
        tracked.holder.release();
        // While it is polled it is not blocked.
        self.set_blocked_on(None);
        tracked.tracker.is_woken.swap(false, Ordering::AcqRel);
        let (polled, poll) =
            InitialiserPoll::run(Some(&tracked.waker), || initialiser.poll(&mut Context::from_waker(&tracked.waker)));
        if polled.is_pending() && !poll.held.is_empty() && tracked.has_clones(poll.held.len()) {
            let waits: Vec<Wait> = poll.held.into_iter().flat_map(|(_, waits)| waits).collect();
            self.set_blocked_on(Some(Arc::from(&*waits)));
            assert!(
                !self.is_in_cycle(&waits),
                "the initialiser of `{0}` waits for the `{0}` that it is to make: it called `get_or_init` for that \
                 type, itself or through the initialiser of another; pass it what it needs instead",
                waits[0].slot.type_name,
            );
            tracked.holder.hold(waits, cx); // by its clone of the outer waker
        }
        polled
    }

    fn set_blocked_on(&self, waits: Option<Arc<[Wait]>>) {
        let former = mem::replace(&mut self.0.slot.lock().blocked_on, waits);
        drop(former); // after the lock was released
    }

    /// Whether every initialiser that can be reached through these waits is blocked, and this one is one of them.
    ///
    /// Each publishes what it is blocked on, under the lock of its slot, before it looks at the others. So of those that
    /// complete a cycle at the same time, at least the last to publish sees it.
    fn is_in_cycle(&self, waits: &[Wait]) -> bool {
        let mut reachable = waits.to_vec();
        let mut next = 0;
        while let Some(wait) = reachable.get(next) {
            let Some(blocked_on) = wait.blocked_on() else { return false };
            for wait in blocked_on.iter() {
                if !reachable.iter().any(|reached| reached.is_same(wait)) {
                    reachable.push(wait.clone());
                }
            }
            next += 1;
        }
        reachable.iter().any(|wait| wait.is_same(&self.0))
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

/// The waker that an initialiser is polled with. Its clones are handles to one [`Tracker`], and counted as such.
struct Tracked {
    tracker: Arc<Tracker>,
    waker: Waker,
    holder: Holder,
}

struct Tracker {
    outer: Waker,
    is_woken: atomic::AtomicBool,
}

impl Tracked {
    fn new(outer: &Waker) -> Self {
        let tracker = Arc::new(Tracker { outer: outer.clone(), is_woken: atomic::AtomicBool::new(false) });
        let holder = Holder(Arc::as_ptr(&tracker).addr());
        Self { waker: Waker::from(Arc::clone(&tracker)), tracker, holder }
    }

    /// Returns whether exactly so many clones of the waker are left, and no other clone has woken the initialiser.
    ///
    /// A clone that wakes stores `is_woken` and is dropped after that. Its drop is a decrement of the count with release
    /// ordering. If the count no longer includes the clone, the load read that decrement or a later one in its release
    /// sequence. With the fence, the load of `is_woken` then sees the store.
    fn has_clones(&self, clones: usize) -> bool {
        let count = Arc::strong_count(&self.tracker);
        atomic::fence(Ordering::Acquire);
        let own = 2; // the fields of `self`
        count == own + clones && !self.tracker.is_woken.load(Ordering::Relaxed)
    }
}

impl Wake for Tracker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.outer.wake_by_ref();
    }
}

thread_local! {
    /// The initialisers that this thread is polling, outermost first.
    static POLLS: RefCell<Vec<InitialiserPoll>> = const { RefCell::new(Vec::new()) };
}

/// What was seen during one poll of an initialiser.
struct InitialiserPoll {
    /// Identifies its [`Tracked`] waker, if it is polled with one: no other waker has the same data.
    waker: Option<*const ()>,
    /// Whether any wait inside is pending.
    has_waits: bool,
    /// What holds a clone of the tracked waker each, by its address, and what that waits for.
    held: Vec<(usize, Vec<Wait>)>,
}

impl InitialiserPoll {
    /// Calls `f` as one poll of an initialiser, and returns what was seen.
    fn run<R>(waker: Option<&Waker>, f: impl FnOnce() -> R) -> (R, Self) {
        struct PopOnPanic;

        impl Drop for PopOnPanic {
            fn drop(&mut self) {
                drop(POLLS.try_with(|polls| polls.borrow_mut().pop()));
            }
        }

        let poll = || Self { waker: waker.map(Waker::data), has_waits: false, held: Vec::new() };
        // The list is gone while the thread exits. Then no cycle is found.
        let _ = POLLS.try_with(|polls| polls.borrow_mut().push(poll()));
        let guard = PopOnPanic;
        let output = f();
        mem::forget(guard);
        let seen = POLLS.try_with(|polls| {
            let mut polls = polls.borrow_mut();
            let seen = polls.pop()?;
            if let Some(outer) = polls.last_mut() {
                outer.has_waits |= seen.has_waits;
            }
            Some(seen)
        });
        (output, seen.ok().flatten().unwrap_or_else(poll))
    }
}

/// The address of what may hold one clone of a tracked waker: a pending wait, or the tracker of a nested initialiser.
///
/// It counts only while it is alive: what was polled, and then dropped in the same poll, holds no clone any more.
struct Holder(usize);

impl Holder {
    /// Notes in the innermost poll that this holds a clone of its waker, if it is that waker.
    fn hold(&self, waits: Vec<Wait>, cx: &Context<'_>) {
        let _ = POLLS.try_with(|polls| {
            if let Some(poll) = polls.borrow_mut().last_mut() {
                poll.has_waits = true;
                if poll.waker == Some(cx.waker().data()) {
                    poll.held.push((self.0, waits));
                }
            }
        });
    }

    /// Notes in all polls that it does not, or no longer.
    fn release(&self) {
        let _ = POLLS.try_with(|polls| {
            polls.borrow_mut().iter_mut().for_each(|poll| poll.held.retain(|(holder, _)| *holder != self.0));
        });
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.release();
    }
}
