//! Parts of a store that few stores need. They are allocated on first use, which keeps the other stores small.

use std::mem::ManuallyDrop;

use super::{initial::InitialOverflow, shared::SharedValues, single_flight::SingleFlight};
use crate::sync::{OnceLock, const_fn};

#[derive(Default)]
pub(super) struct LazyParts {
    pub(super) overflow: InitialOverflow,
    pub(super) shared: SharedValues,
    pub(super) single_flight: SingleFlight,
}

/// The [`LazyParts`] of a store, if they are allocated. The drop of the store [takes](Self::take) them.
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

    /// Does the same as [`get_or_alloc`](Self::get_or_alloc), with room for the values that are about to be set.
    #[inline]
    pub(super) fn get_or_alloc_for_writes(&self) -> &LazyParts {
        self.get().unwrap_or_else(|| {
            self.allocate(|| LazyParts { shared: SharedValues::preallocated(), ..LazyParts::default() })
        })
    }

    // Allocates outside `get_or_init`: an allocator is user code, and may use this store.
    #[cold]
    fn allocate(&self, parts: fn() -> LazyParts) -> &LazyParts {
        let mut parts = Some(Box::new(parts()));
        self.0.get_or_init(|| parts.take().expect("`get_or_init` calls this at most once"))
    }

    #[inline]
    pub(super) fn get_mut(&mut self) -> Option<&mut LazyParts> {
        self.0.get_mut().map(|parts| &mut **parts)
    }

    pub(super) fn get_mut_or_alloc(&mut self) -> &mut LazyParts {
        self.get_or_alloc();
        self.get_mut().expect("`get_or_alloc` has allocated the parts")
    }

    pub(super) fn take(&mut self) -> Option<LazyParts> {
        self.0.take().map(|parts| *parts)
    }
}
