//! What each request of a stress run does, drawn from the seed.

use tower_request_context::End;

use crate::support::User;

/// Checks in the call, the future, the child, the task (with its drop), the drop of the future, and the end.
const READS_BEFORE_THE_BODY: u64 = 1 + 5 + 3 + 3 + 1 + 1;

/// `SplitMix64`, which is fast and yields the same numbers on each machine.
#[derive(Clone, Copy)]
pub(super) struct Rng(u64);

#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) outcome: Outcome,
    /// The number of frames up to the outcome.
    pub(super) frames: u64,
    /// Yields the random numbers that the request still needs.
    pub(super) rng: Rng,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Completes,
    Fails,
    FailsInBody,
    Dropped,
    DroppedInBody,
    Panics,
    PanicsInBody,
}

impl Rng {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

impl Plan {
    pub(super) fn draw(seed: u64, user: User) -> Self {
        let mut rng = Rng(seed.wrapping_add(u64::from(user.0) << 32));
        let outcome = match rng.below(12) {
            0 => Outcome::Fails,
            1 => Outcome::FailsInBody,
            2 => Outcome::Dropped,
            3 => Outcome::DroppedInBody,
            4 => Outcome::Panics,
            5 => Outcome::PanicsInBody,
            _ => Outcome::Completes,
        };
        Self { outcome, frames: 1 + rng.below(3), rng }
    }

    pub(super) fn reads(self) -> u64 {
        READS_BEFORE_THE_BODY + if self.has_body() { 2 * self.frames + 1 } else { 0 }
    }

    pub(super) fn has_body(self) -> bool {
        !matches!(self.outcome, Outcome::Fails | Outcome::Dropped | Outcome::Panics)
    }

    pub(super) fn panics(self) -> bool {
        self.end() == End::Panicked
    }

    pub(super) fn end(self) -> End {
        match self.outcome {
            Outcome::Completes => End::Completed,
            Outcome::Fails | Outcome::FailsInBody => End::Failed,
            Outcome::Dropped | Outcome::DroppedInBody => End::Cancelled,
            Outcome::Panics | Outcome::PanicsInBody => End::Panicked,
        }
    }
}
