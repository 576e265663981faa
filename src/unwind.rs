//! Panics of user code that must not go any further.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// How many payloads in a row may panic in their drop before one is leaked.
const PANICKING_PAYLOADS: usize = 8;

/// Calls `f`; `None` if it panicked. The panic hook has reported the panic.
pub(crate) fn catch_panic<R>(f: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(f)).map_err(drop_payload).ok()
}

/// Drops the payload of a panic, which is user code too and may panic.
///
/// The payload of that panic is dropped in the same way, and so on, up to a limit. Only a payload whose drop panics with
/// another such payload reaches the limit. At most one payload per caught panic is leaked, and none that is text.
///
/// A panic that is caught here never aborts the process, also not while another panic unwinds: only one that leaves a
/// destructor does.
pub(crate) fn drop_payload(mut payload: Box<dyn Any + Send>) {
    for _ in 0..PANICKING_PAYLOADS {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(next) => payload = next,
        }
    }
    mem::forget(payload);
}

/// Drops items one by one; a panic in one, or in making it, stops neither the others nor the caller.
pub(crate) fn drop_each(mut items: impl Iterator) {
    while catch_panic(|| items.by_ref().for_each(drop)).is_none() {}
}
