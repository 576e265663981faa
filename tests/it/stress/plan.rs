//! What each request of a storm does, drawn from the seed.

use tower_request_context::End;

use crate::support::User;

/// Reads in the call, the future, the child, the task, the drops of both and the end.
const READS_BEFORE_THE_BODY: u64 = 1 + 5 + 3 + 3 + 1 + 1;

/// `SplitMix64`: fast, and the same on each machine.
#[derive(Clone, Copy)]
pub(super) struct Dice(u64);

#[derive(Clone, Copy)]
pub(super) struct Script {
    pub(super) fate: Fate,
    /// With how many frames the body comes to what is its fate.
    pub(super) frames: u64,
    /// What is still to be drawn on the way.
    pub(super) dice: Dice,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Completes,
    Fails,
    FailsInBody,
    IsDropped,
    IsDroppedInBody,
    Panics,
    PanicsInBody,
}

impl Dice {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

impl Script {
    pub(super) fn draw(seed: u64, user: User) -> Self {
        let mut dice = Dice(seed.wrapping_add(u64::from(user.0) << 32));
        let fate = match dice.below(12) {
            0 => Fate::Fails,
            1 => Fate::FailsInBody,
            2 => Fate::IsDropped,
            3 => Fate::IsDroppedInBody,
            4 => Fate::Panics,
            5 => Fate::PanicsInBody,
            _ => Fate::Completes,
        };
        Self { fate, frames: 1 + dice.below(3), dice }
    }

    pub(super) fn reads(self) -> u64 {
        READS_BEFORE_THE_BODY + if self.has_body() { 2 * self.frames + 1 } else { 0 }
    }

    pub(super) fn has_body(self) -> bool {
        !matches!(self.fate, Fate::Fails | Fate::IsDropped | Fate::Panics)
    }

    pub(super) fn panics(self) -> bool {
        self.end() == End::Panicked
    }

    pub(super) fn end(self) -> End {
        match self.fate {
            Fate::Completes => End::Completed,
            Fate::Fails | Fate::FailsInBody => End::Failed,
            Fate::IsDropped | Fate::IsDroppedInBody => End::Cancelled,
            Fate::Panics | Fate::PanicsInBody => End::Panicked,
        }
    }
}
