//! The state of a request.

use std::sync::atomic::Ordering;

use crate::sync::{AtomicU8, const_fn};

/// The stage of one request, and which callbacks may have been registered.
///
/// Both are in one atomic number. A registration calls [`mark_registered`](Self::mark_registered) while it holds the
/// lock of the callbacks, and adds the callback before it releases the lock.
/// [`close_response_callbacks`](Self::close_response_callbacks) and [`set_ended`](Self::set_ended) advance the stage
/// without the lock. If they return that a callback may have been registered, their caller then takes the lock, and the
/// callbacks.
///
/// Invariant: the caller that takes the callbacks after an advance finds each callback that was accepted before it. All
/// read-modify-write operations on one atomic have a total order, and each reads the value of the one before it:
///
/// * If the registration comes first, the advance reads the bit that the registration set. The caller of the advance
///   then takes the lock. The registration released that lock after it added the callback, so the caller finds the
///   callback.
/// * If the advance comes first, the registration reads the later stage and is rejected.
///
/// With `AcqRel`, code that sees [`is_ended`](Self::is_ended), or whose registration is rejected, also sees all writes
/// before the advance. The callbacks themselves are ordered by the lock.
#[derive(Default)]
pub(crate) struct RequestState(AtomicU8);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Open = 0,
    HeadersSent = 1,
    Ended = 2,
}

// Bits beside the number of the stage.
const HAS_RESPONSE_CALLBACKS: u8 = 0b0100;
const HAS_END_CALLBACKS: u8 = 0b1000;
const HAS_CALLBACKS: u8 = 0b1100;

impl RequestState {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self(AtomicU8::new(Stage::Open as u8))
        }
    }

    /// Advances to `HeadersSent`. Returns whether `on_response` callbacks may have been registered.
    #[inline]
    pub(crate) fn close_response_callbacks(&self) -> bool {
        let previous = self.0.swap(Stage::HeadersSent as u8, Ordering::AcqRel);
        if has_any(previous, HAS_END_CALLBACKS) {
            // Restores the bit that the swap cleared. `set_ended` cannot run in between: the owner of the response
            // calls it later.
            self.0.fetch_or(HAS_END_CALLBACKS, Ordering::AcqRel);
        }
        has_any(previous, HAS_RESPONSE_CALLBACKS)
    }

    /// Advances to `Ended`. Returns whether callbacks may have been registered: for the end, or for a response that was
    /// never sent.
    #[inline]
    pub(crate) fn set_ended(&self) -> bool {
        has_any(self.0.swap(Stage::Ended as u8, Ordering::AcqRel), HAS_CALLBACKS)
    }

    /// Sets the bit for the callbacks that are accepted up to the end of `stage`, and returns the current stage. Call
    /// this under the lock of the callbacks, before the callback is added.
    pub(super) fn mark_registered(&self, stage: Stage) -> Stage {
        let bit = if stage == Stage::Open { HAS_RESPONSE_CALLBACKS } else { HAS_END_CALLBACKS };
        Self::stage(self.0.fetch_or(bit, Ordering::AcqRel))
    }

    pub(crate) fn is_ended(&self) -> bool {
        Self::stage(self.0.load(Ordering::Acquire)) == Stage::Ended
    }

    #[inline]
    pub(crate) fn has_callbacks(&mut self) -> bool {
        has_any(*self.0.get_mut(), HAS_CALLBACKS)
    }

    fn stage(number: u8) -> Stage {
        match number & !HAS_CALLBACKS {
            0 => Stage::Open,
            1 => Stage::HeadersSent,
            _ => Stage::Ended,
        }
    }
}

/// Returns whether any of these bits is set.
#[inline]
fn has_any(number: u8, bits: u8) -> bool {
    number & bits != 0
}
