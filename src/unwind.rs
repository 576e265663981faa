//! Catching panics of user code.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// The greatest number of payloads in a row that may panic in their drop. After that, the next payload is leaked.
const MAX_PANICKING_DROPS: usize = 8;

/// Calls `f` and returns what it returned, or `None` if it panicked. The panic hook reports the panic.
pub(crate) fn catch_panic<R>(f: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(f)).map_err(drop_payload).ok()
}

/// Drops the payload of a panic. Its `Drop` is user code, and may panic too.
///
/// The payload of that second panic is dropped in the same way, and so on, up to a limit. At most one payload is leaked
/// per caught panic, and only if each of the payloads before it panicked in its drop. If the caught payload is a
/// string, nothing is leaked.
///
/// This never aborts the process, even if it is called while another panic unwinds: only a panic that leaves a
/// destructor during unwinding aborts, and each panic is caught here.
pub(crate) fn drop_payload(mut payload: Box<dyn Any + Send>) {
    for _ in 0..MAX_PANICKING_DROPS {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(next) => payload = next,
        }
    }
    mem::forget(payload);
}

/// Drops the items one by one. A panic in the drop of an item, or in `next`, is caught, and the other items are
/// dropped.
pub(crate) fn drop_each(mut items: impl Iterator) {
    while catch_panic(|| items.by_ref().for_each(drop)).is_none() {}
}
