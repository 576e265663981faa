//! Detection of initializers that wait for themselves.
//!
//! An initializer may wait for its own value, directly or through the initializers of other values. If nothing else can
//! wake it, it never completes, so [`Permit::run`] panics. An initializer that also waits for something else, such as a
//! timeout in a `select!`, may continue without the value. It does not panic.
//!
//! To find this out, an initializer in which a wait is pending is polled with a [`CountedWaker`], whose clones are
//! counted. If each clone belongs to a wait for a slot, the initializer is *blocked on* those slots. An initializer
//! waits for itself if its waits lead back to it, directly or through other initializers, and if each initializer to
//! which its waits lead is blocked. An initializer outside of a cycle may wait for an initializer in it. The one
//! outside does not panic. It continues when an initializer in the cycle panics.
//!
//! An executor inside the initializer, such as a `LocalSet` or a `FuturesUnordered`, polls its futures with wakers of
//! its own. It can wake the initializer only through a clone of the counted waker. That clone belongs to no wait, so
//! the initializer does not count as blocked. A wait that is polled with another waker, such as that of a `block_on`,
//! does not count as a holder of the counted waker. An initializer that could continue therefore never panics, but a
//! cycle through an executor is not detected. Code outside the initializer cannot be seen here. A timeout around
//! `get_or_init`, which may drop the initializer, does not count as a way to continue.

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
    /// Awaits the initializer.
    ///
    /// # Panics
    ///
    /// Panics if the initializer waits for itself: see the [module](self).
    pub(in crate::store) async fn run<F: Future>(&self, initializer: F) -> F::Output {
        let mut initializer = pin!(initializer);
        let mut counted_waker = None;
        poll_fn(|cx| {
            // Most initializers never wait for another one, and are polled with the waker of their caller.
            if counted_waker.is_none() {
                let (polled, poll) = InitializerPoll::run(None, || initializer.as_mut().poll(cx));
                if polled.is_ready() || !poll.has_waits {
                    return polled;
                }
            }
            self.poll_counted(initializer.as_mut(), &mut counted_waker, cx)
        })
        .await
    }

    fn poll_counted<F: Future>(
        &self,
        initializer: Pin<&mut F>,
        waker: &mut Option<CountedWaker>,
        cx: &mut Context<'_>,
    ) -> Poll<F::Output> {
        let reused = waker.take().filter(|waker| waker.shared.caller.will_wake(cx.waker()));
        let waker = waker.insert(reused.unwrap_or_else(|| CountedWaker::new(cx.waker())));
        waker.holder.remove_record();
        self.set_blocked_on(None); // an initializer that is being polled is not blocked
        // This poll answers the earlier wake-ups, and with `Acquire` sees what happened before them.
        waker.shared.is_woken.swap(false, Ordering::AcqRel);
        let (polled, poll) =
            InitializerPoll::run(Some(&waker.waker), || initializer.poll(&mut Context::from_waker(&waker.waker)));
        if polled.is_pending() && !poll.holders.is_empty() && waker.has_clones(poll.holders.len()) {
            let waits: Vec<Wait> = poll.holders.into_iter().flat_map(|(_, waits)| waits).collect();
            self.set_blocked_on(Some(Arc::from(&*waits)));
            assert!(
                !self.is_in_cycle(&waits),
                "the initializer of `{0}` waits for itself: it calls `get_or_init` for `{0}`, directly or through the \
                 initializer of another type; pass it the values that it needs instead",
                self.0.slot.type_name,
            );
            // The counted waker holds a clone of the caller's waker. If the caller is another initializer, its own
            // counted waker counts that clone. This records in the caller's poll that the clone is held for these
            // waits.
            waker.holder.record(waits, cx);
        }
        polled
    }

    /// Returns `true` if each initializer to which these waits lead is blocked, and this initializer is one of them.
    ///
    /// Invariant: if several initializers complete a cycle at the same time, at least one of them finds it. Each
    /// publishes what it is blocked on, and only then looks at the others. Both are done under the lock of the slot
    /// concerned. If A misses what B published, A looked before B published, so A published before B. Suppose that none
    /// finds the cycle. Then each misses what some other one published, and so published before that one. Go from each
    /// initializer to one that it misses. There are finitely many, so this returns to one that was visited before. That
    /// one would have published before itself, which is impossible.
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

/// A waker for an initializer, whose clones are counted: each is a handle to the same [`CountedWake`].
struct CountedWaker {
    shared: Arc<CountedWake>,
    waker: Waker,
    holder: WakerHolder,
}

struct CountedWake {
    /// The waker with which the caller polls `get_or_init`.
    caller: Waker,
    is_woken: atomic::AtomicBool,
}

impl CountedWaker {
    fn new(caller: &Waker) -> Self {
        let shared = Arc::new(CountedWake { caller: caller.clone(), is_woken: atomic::AtomicBool::new(false) });
        let holder = WakerHolder(Arc::as_ptr(&shared).addr());
        Self { waker: Waker::from(Arc::clone(&shared)), shared, holder }
    }

    /// Returns whether exactly this many clones of the waker are left, and none has woken the initializer since this
    /// poll started.
    ///
    /// Invariant: if a clone has woken the initializer since this poll started, and the count no longer includes that
    /// clone, `is_woken` is seen as set. The clone sets `is_woken` and is dropped after that. Its drop decrements the
    /// count with `Release`. A count that does not include the clone was read from that decrement, or from a later
    /// change in its release sequence. The `Acquire` fence makes that read synchronize with the decrement, so the load
    /// sees `is_woken` set.
    fn has_clones(&self, clones: usize) -> bool {
        let count = Arc::strong_count(&self.shared);
        atomic::fence(Ordering::Acquire);
        let own = 2; // `shared` and `waker`
        count == own + clones && !self.shared.is_woken.load(Ordering::Relaxed)
    }
}

impl Wake for CountedWake {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.caller.wake_by_ref();
    }
}

thread_local! {
    /// The initializers that this thread is polling, outermost first.
    static POLLS: RefCell<Vec<InitializerPoll>> = const { RefCell::new(Vec::new()) };
}

/// The waits that one poll of an initializer finds.
struct InitializerPoll {
    /// Identifies the [`CountedWaker`] of the poll, if it has one: no other waker has the same data.
    waker: Option<*const ()>,
    /// Whether any wait inside was pending. It stays `true` if that wait is dropped later in the same poll.
    has_waits: bool,
    /// One entry for each holder of a clone of that waker: the address in its [`WakerHolder`], and what it waits for.
    holders: Vec<(usize, Vec<Wait>)>,
}

impl InitializerPoll {
    /// Calls `f` as one poll of an initializer, and also returns the waits that were found.
    fn run<R>(waker: Option<&Waker>, f: impl FnOnce() -> R) -> (R, Self) {
        struct PopOnPanic;

        impl Drop for PopOnPanic {
            fn drop(&mut self) {
                drop(POLLS.try_with(|polls| polls.borrow_mut().pop()));
            }
        }

        let new = || Self { waker: waker.map(Waker::data), has_waits: false, holders: Vec::new() };
        // While the thread exits, the thread-local may be gone. Then no cycle is detected.
        let _ = POLLS.try_with(|polls| polls.borrow_mut().push(new()));
        let guard = PopOnPanic;
        let output = f();
        mem::forget(guard);
        let poll = POLLS.try_with(|polls| {
            let mut polls = polls.borrow_mut();
            let poll = polls.pop()?;
            if let Some(outer) = polls.last_mut() {
                outer.has_waits |= poll.has_waits;
            }
            Some(poll)
        });
        (output, poll.ok().flatten().unwrap_or_else(new))
    }
}

/// Identifies, by its address, something that holds one clone of a counted waker: a pending wait, or the waker of a
/// nested initializer.
///
/// When a `WakerHolder` is dropped, the record with its address is removed. A wait that is polled, and dropped later in
/// the same poll, no longer holds a clone.
pub(super) struct WakerHolder(pub(super) usize);

impl WakerHolder {
    /// Records a pending wait in the innermost poll. If `cx` has the waker of that poll, also records that this holds a
    /// clone of it.
    pub(super) fn record(&self, waits: Vec<Wait>, cx: &Context<'_>) {
        let _ = POLLS.try_with(|polls| {
            if let Some(poll) = polls.borrow_mut().last_mut() {
                poll.has_waits = true;
                if poll.waker == Some(cx.waker().data()) {
                    poll.holders.push((self.0, waits));
                }
            }
        });
    }

    pub(super) fn remove_record(&self) {
        let _ = POLLS.try_with(|polls| {
            polls.borrow_mut().iter_mut().for_each(|poll| poll.holders.retain(|(holder, _)| *holder != self.0));
        });
    }
}

impl Drop for WakerHolder {
    fn drop(&mut self) {
        self.remove_record();
    }
}
