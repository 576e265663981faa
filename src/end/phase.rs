//! How far a request has come, and how those who wait for a step and the one who takes it see each other.

use std::sync::atomic::Ordering;

use crate::sync::{AtomicU8, const_fn};

/// The stage of one request, and which steps somebody may wait for.
///
/// It is advanced without a lock, since most requests have nobody who waits. Then of a registration and an advance one
/// sees the other, for both exchange this number atomically. If the advance comes first, the registration reads the later
/// stage and is refused. If the registration does, whoever advances reads that somebody waits and looks for him; and since
/// it is announced under the lock of the callbacks, he is found there.
#[derive(Default)]
pub(crate) struct Phase(AtomicU8);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Open = 0,
    HeadersSent = 1,
    Ended = 2,
}

// They stand beside the number of the stage.
const AWAITS_RESPONSE: u8 = 0b0100;
const AWAITS_END: u8 = 0b1000;
const AWAITS_ANY: u8 = 0b1100;

impl Phase {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self(AtomicU8::new(Stage::Open as u8))
        }
    }

    /// From now on the response is sent; says whether somebody may wait for it.
    #[inline]
    pub(crate) fn respond(&self) -> bool {
        let before = self.0.swap(Stage::HeadersSent as u8, Ordering::AcqRel);
        if before & AWAITS_END == AWAITS_END {
            // Not too late: the end comes after the response, and from the same hand.
            self.0.fetch_or(AWAITS_END, Ordering::AcqRel);
        }
        before & AWAITS_RESPONSE == AWAITS_RESPONSE
    }

    /// From now on the request is over; says whether somebody may wait, for that or in vain for a response.
    #[inline]
    pub(crate) fn end(&self) -> bool {
        self.0.swap(Stage::Ended as u8, Ordering::AcqRel) & AWAITS_ANY != 0
    }

    /// Tells whoever takes the step after `stage` that somebody may wait for it, and says what the stage is now. Called
    /// under the lock of the callbacks, before the one that waits is there.
    pub(crate) fn announce(&self, stage: Stage) -> Stage {
        let bit = if stage == Stage::Open { AWAITS_RESPONSE } else { AWAITS_END };
        Self::stage(self.0.fetch_or(bit, Ordering::AcqRel))
    }

    pub(crate) fn is_ended(&self) -> bool {
        Self::stage(self.0.load(Ordering::Acquire)) == Stage::Ended
    }

    #[inline]
    pub(crate) fn is_awaited(&mut self) -> bool {
        *self.0.get_mut() & AWAITS_ANY != 0
    }

    fn stage(number: u8) -> Stage {
        match number & !AWAITS_ANY {
            0 => Stage::Open,
            1 => Stage::HeadersSent,
            _ => Stage::Ended,
        }
    }
}
