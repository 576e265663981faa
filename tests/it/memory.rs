//! Requests leave nothing on the heap, whichever way they end.
//!
//! For each exit, 10,000 requests with a value of 32 KiB run while the allocations of their thread are counted. A leak
//! shows up twice: as bytes, and as values that have not been dropped.

mod drive;
mod exit;

use self::{
    drive::{Handle, Leaked, VALUE_BYTES, leaked_by},
    exit::EXITS,
};

const REQUESTS: usize = 10_000;

/// The number of requests for each place of a weak handle.
const REQUESTS_WITH_HANDLE: usize = 1000;

/// The number of requests that leak on purpose.
const LEAKING_REQUESTS: usize = 10;

const NOTHING: Leaked = Leaked { bytes: 0, blocks: 0, values: 0 };

#[test]
fn requests_leak_nothing_on_any_exit() {
    for (exit, end) in EXITS {
        assert_eq!(leaked_by(REQUESTS, exit, end, Handle::Nowhere), NOTHING, "{exit:?}");
    }
}

/// The handle is in the request's extensions or in the context's own store.
#[test]
fn weak_handle_keeps_nothing_alive_on_any_exit() {
    for (exit, end) in EXITS {
        for handle in [Handle::InTheExtensions, Handle::InTheStore] {
            assert_eq!(leaked_by(REQUESTS_WITH_HANDLE, exit, end, handle), NOTHING, "{exit:?}, {handle:?}");
        }
    }
}

/// A context that holds a strong handle to itself is never freed, as the crate's docs say.
#[test]
fn detects_a_leak_as_bytes_and_values_on_each_exit() {
    for (exit, end) in EXITS {
        let Leaked { bytes, blocks, values } = leaked_by(LEAKING_REQUESTS, exit, end, Handle::Strong);
        assert_eq!(values, LEAKING_REQUESTS, "{exit:?}");
        let [bytes, blocks] = [bytes, blocks].map(|count| usize::try_from(count).unwrap());
        assert!(
            bytes > LEAKING_REQUESTS * VALUE_BYTES && blocks > 2 * LEAKING_REQUESTS,
            "{exit:?}: {bytes} bytes, {blocks} blocks"
        );
    }
}
