//! Panics of a user's code that must not go any further.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Calls `f`; `None` if it panicked.
///
/// The panic hook has reported it. Its payload is forgotten: it is a value of the panicking code, and its `Drop` may
/// panic too.
pub(crate) fn contained<R>(f: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(f)).map_err(mem::forget).ok()
}

/// Drops items one by one; a panic in one, or in making it, stops neither the others nor the caller.
pub(crate) fn drop_each(mut items: impl Iterator) {
    while contained(|| items.by_ref().for_each(drop)).is_none() {}
}
