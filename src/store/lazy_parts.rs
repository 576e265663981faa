//! What few stores have: made when the first of it is needed, so that all others stay small.

use std::mem::ManuallyDrop;

use super::{initial::InitialOverflow, shared::SharedValues, single_flight::SingleFlight};
use crate::sync::{OnceLock, const_fn};

#[derive(Default)]
pub(super) struct LazyParts {
    pub(super) overflow: InitialOverflow,
    pub(super) shared: SharedValues,
    pub(super) single_flight: SingleFlight,
}

/// Where they stand once they are made. They are [taken](Self::take) by the drop of its store and by nothing else.
#[derive(Default)]
pub(super) struct LazyBox(ManuallyDrop<OnceLock<Box<LazyParts>>>);

impl LazyBox {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self(ManuallyDrop::new(OnceLock::new()))
        }
    }

    #[inline]
    pub(super) fn get(&self) -> Option<&LazyParts> {
        self.0.get().map(|parts| &**parts)
    }

    #[inline]
    pub(super) fn get_or_alloc(&self) -> &LazyParts {
        self.get().unwrap_or_else(|| self.allocate(LazyParts::default))
    }

    /// As [`get_or_alloc`](Self::get_or_alloc), with room for the values that are about to be set.
    #[inline]
    pub(super) fn get_or_alloc_for_writes(&self) -> &LazyParts {
        self.get().unwrap_or_else(|| {
            self.allocate(|| LazyParts { shared: SharedValues::with_room(), ..LazyParts::default() })
        })
    }

    // Allocated before it is stored: an allocator may read this store meanwhile.
    #[cold]
    fn allocate(&self, parts: fn() -> LazyParts) -> &LazyParts {
        let mut parts = Some(Box::new(parts()));
        self.0.get_or_init(|| parts.take().unwrap_or_default())
    }

    #[inline]
    pub(super) fn get_mut(&mut self) -> Option<&mut LazyParts> {
        self.0.get_mut().map(|parts| &mut **parts)
    }

    pub(super) fn get_mut_or_alloc(&mut self) -> &mut LazyParts {
        self.get_or_alloc();
        self.get_mut().expect("they are there now, and nobody else can take them")
    }

    pub(super) fn take(&mut self) -> Option<LazyParts> {
        self.0.take().map(|parts| *parts)
    }
}
