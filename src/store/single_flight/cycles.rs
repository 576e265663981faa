//! Cycles of initialisers, and how they are found.
//!
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
    cell::RefCell,
    future::poll_fn,
    mem,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{self, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use super::{Permit, Wait};

impl Permit {
    /// Awaits the initialiser.
    ///
    /// # Panics
    ///
    /// If the initialiser waits for itself: see the [module](self).
    pub(in crate::store) async fn run<F: Future>(&self, initialiser: F) -> F::Output {
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

/// The waker that an initialiser is polled with. Its clones are handles to one [`Tracker`], and counted as such.
struct Tracked {
    tracker: Arc<Tracker>,
    waker: Waker,
    holder: WakerHolder,
}

struct Tracker {
    outer: Waker,
    is_woken: atomic::AtomicBool,
}

impl Tracked {
    fn new(outer: &Waker) -> Self {
        let tracker = Arc::new(Tracker { outer: outer.clone(), is_woken: atomic::AtomicBool::new(false) });
        let holder = WakerHolder(Arc::as_ptr(&tracker).addr());
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
pub(super) struct WakerHolder(pub(super) usize);

impl WakerHolder {
    /// Notes in the innermost poll that this holds a clone of its waker, if it is that waker.
    pub(super) fn hold(&self, waits: Vec<Wait>, cx: &Context<'_>) {
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
    pub(super) fn release(&self) {
        let _ = POLLS.try_with(|polls| {
            polls.borrow_mut().iter_mut().for_each(|poll| poll.held.retain(|(holder, _)| *holder != self.0));
        });
    }
}

impl Drop for WakerHolder {
    fn drop(&mut self) {
        self.release();
    }
}
