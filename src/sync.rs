//! What is shared by threads is made of these: of `std`'s types, or of loom's where `tests/loom` checks models.
//!
//! The package there builds the library with the cfg that chooses; nothing else does. `cargo test --release` runs it.
//! Only what is to be modelled comes from here. The handles and the values stand in `std`'s `Arc`s always: loom's knows
//! neither a downcast nor a `Weak`, and who owns an `Arc` alone is `std`'s promise and not ours.

#[cfg(not(tower_request_context_loom))]
pub(crate) use std::{
    sync::{
        Mutex, MutexGuard, OnceLock,
        atomic::{AtomicU8, AtomicU64},
    },
    thread_local,
};

#[cfg(tower_request_context_loom)]
pub(crate) use self::models::{AtomicU8, AtomicU64, Mutex, MutexGuard, OnceLock};

/// A `const fn`, but in a model: what loom is to watch cannot be made in a constant.
#[cfg(not(tower_request_context_loom))]
macro_rules! const_fn {
    ($($function:tt)*) => { $($function)* };
}

#[cfg(tower_request_context_loom)]
macro_rules! const_fn {
    ($(#[$attribute:meta])* $visibility:vis const $($function:tt)*) => {
        $(#[$attribute])* $visibility $($function)*
    };
}

// The threads of a model take turns on one of the system's.
#[cfg(tower_request_context_loom)]
macro_rules! per_thread {
    ($(#[$attribute:meta])* static $name:ident: $kind:ty = const $value:block;) => {
        loom::thread_local! { $(#[$attribute])* static $name: $kind = $value; }
    };
}

pub(crate) use const_fn;
#[cfg(tower_request_context_loom)]
pub(crate) use per_thread as thread_local;

/// Loom's types, with those of `std`'s methods that they lack.
#[cfg(tower_request_context_loom)]
mod models {
    use std::{
        ops::Deref,
        sync::{OnceLock as Once, atomic::Ordering},
    };

    use loom::sync::atomic;
    pub(crate) use loom::sync::{Mutex, MutexGuard, atomic::AtomicU64};

    #[derive(Default)]
    pub(crate) struct AtomicU8(atomic::AtomicU8);

    impl AtomicU8 {
        pub(crate) fn new(value: u8) -> Self {
            Self(atomic::AtomicU8::new(value))
        }

        pub(crate) fn get_mut(&mut self) -> impl Deref<Target = u8> {
            // Boxed, to be dereferenced as the reference from `std`'s is: loom lends its own to closures alone.
            Box::new(self.0.with_mut(|value| *value))
        }
    }

    impl Deref for AtomicU8 {
        type Target = atomic::AtomicU8;

        fn deref(&self) -> &Self::Target {
            &self.0
        }
    }

    /// As `std`'s, one that a reader may find empty until he learned of its value from the one who made it.
    #[derive(Default)]
    pub(crate) struct OnceLock<T> {
        is_made: atomic::AtomicBool,
        value: Once<T>,
    }

    impl<T> OnceLock<T> {
        pub(crate) fn new() -> Self {
            Self { is_made: atomic::AtomicBool::new(false), value: Once::new() }
        }

        pub(crate) fn get(&self) -> Option<&T> {
            if self.is_made.load(Ordering::Acquire) { self.value.get() } else { None }
        }

        pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
            let value = self.value.get_or_init(make);
            if !self.is_made.load(Ordering::Acquire) {
                self.is_made.store(true, Ordering::Release);
            }
            value
        }

        pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
            self.value.get_mut()
        }

        pub(crate) fn take(&mut self) -> Option<T> {
            self.value.take()
        }
    }
}
