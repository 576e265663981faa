//! The types that threads share: those of `std`, or those of loom when `tests/loom` checks its models.
//!
//! Only the package in `tests/loom` sets the cfg `tower_request_context_loom`. `cargo test --release` there runs the
//! models.
//!
//! Handles and values are always in `std`'s `Arc`. Loom's `Arc` supports neither downcasts nor `Weak`, and the models
//! need not check the reference counts of `std`.

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

/// Declares a `const fn`, or with loom an ordinary `fn`, because loom's constructors are not `const`.
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

/// Declares a thread-local. Loom runs the threads of a model on one thread of the system, so it has its own
/// thread-locals.
#[cfg(tower_request_context_loom)]
macro_rules! per_thread {
    ($(#[$attribute:meta])* static $name:ident: $kind:ty = const $value:block;) => {
        loom::thread_local! { $(#[$attribute])* static $name: $kind = $value; }
    };
}

pub(crate) use const_fn;
#[cfg(tower_request_context_loom)]
pub(crate) use per_thread as thread_local;

/// Loom's types, with the methods of `std` that they lack.
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
            // Returns a box, which callers dereference like the `&mut u8` of `std`. Loom gives access only inside a
            // closure.
            Box::new(self.0.with_mut(|value| *value))
        }
    }

    impl Deref for AtomicU8 {
        type Target = atomic::AtomicU8;

        fn deref(&self) -> &Self::Target {
            &self.0
        }
    }

    /// Like the one of `std`. `is_set` is stored with `Release` after the initialization, and loaded with `Acquire`
    /// before a read, so a reader that sees it also sees the value. A reader that does not see it finds no value.
    #[derive(Default)]
    pub(crate) struct OnceLock<T> {
        is_set: atomic::AtomicBool,
        value: Once<T>,
    }

    impl<T> OnceLock<T> {
        pub(crate) fn new() -> Self {
            Self { is_set: atomic::AtomicBool::new(false), value: Once::new() }
        }

        pub(crate) fn get(&self) -> Option<&T> {
            if self.is_set.load(Ordering::Acquire) { self.value.get() } else { None }
        }

        pub(crate) fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
            let value = self.value.get_or_init(init);
            if !self.is_set.load(Ordering::Acquire) {
                self.is_set.store(true, Ordering::Release);
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
