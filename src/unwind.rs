//! Panics of a user's code that must not go any further.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Drops items one by one; a panic in one, or in making it, stops neither the others nor the caller.
///
/// The panic hook has reported it. Its payload is forgotten: it is a value of the panicking code, and its `Drop` may
/// panic too.
pub(crate) fn drop_each(mut items: impl Iterator) {
    while let Err(payload) = catch_unwind(AssertUnwindSafe(|| items.by_ref().for_each(drop))) {
        mem::forget(payload);
    }
}
