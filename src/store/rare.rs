//! What few stores have: made when the first of it is needed, so that all others stay small.

use std::mem::ManuallyDrop;

use super::{late::Late, seeds::MoreSeeds, single_flight::SingleFlight};
use crate::sync::{OnceLock, const_fn};

#[derive(Default)]
pub(super) struct RareParts {
    pub(super) seeds: MoreSeeds,
    pub(super) late: Late,
    pub(super) single_flight: SingleFlight,
}

/// Where they stand once they are made. They are [taken](Self::take) by the drop of its store and by nothing else.
#[derive(Default)]
pub(super) struct Rare(ManuallyDrop<OnceLock<Box<RareParts>>>);

impl Rare {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self(ManuallyDrop::new(OnceLock::new()))
        }
    }

    #[inline]
    pub(super) fn get(&self) -> Option<&RareParts> {
        self.0.get().map(|rare| &**rare)
    }

    #[inline]
    pub(super) fn make(&self) -> &RareParts {
        self.get().unwrap_or_else(|| self.allocate(RareParts::default))
    }

    /// As [`make`](Self::make), with room for the values that are about to be set.
    #[inline]
    pub(super) fn make_for_writes(&self) -> &RareParts {
        self.get().unwrap_or_else(|| self.allocate(|| RareParts { late: Late::with_room(), ..RareParts::default() }))
    }

    // Allocated before it is stored: an allocator may read this store meanwhile.
    #[cold]
    fn allocate(&self, parts: fn() -> RareParts) -> &RareParts {
        let mut parts = Some(Box::new(parts()));
        self.0.get_or_init(|| parts.take().unwrap_or_default())
    }

    #[inline]
    pub(super) fn get_mut(&mut self) -> Option<&mut RareParts> {
        self.0.get_mut().map(|rare| &mut **rare)
    }

    pub(super) fn make_mut(&mut self) -> &mut RareParts {
        self.make();
        self.get_mut().expect("they are there now, and nobody else can take them")
    }

    pub(super) fn take(&mut self) -> Option<RareParts> {
        self.0.take().map(|rare| *rare)
    }
}
