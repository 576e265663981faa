//! What requests leave behind on the heap: nothing, whichever way they go out.
//!
//! 10,000 requests with a value of 32 KiB each go each way, while what is allocated on their thread is counted. A leak
//! is seen twice: as bytes, and as values that are still there.

mod drive;
mod way;

use self::{
    drive::{BYTES, Handle, Remains, remains},
    way::WAYS,
};

const REQUESTS: usize = 10_000;

/// For each of two handles.
const WITH_HANDLE: usize = 1000;

/// Enough to see a leak, and few enough to afford it.
const LEAKED: usize = 10;

const NOTHING: Remains = Remains { bytes: 0, blocks: 0, values: 0 };

#[test]
fn ten_thousand_requests_leave_nothing_behind_on_any_way_out() {
    for (way, end) in WAYS {
        assert_eq!(remains(REQUESTS, way, end, Handle::Nowhere), NOTHING, "{way:?}");
    }
}

#[test]
fn a_weak_handle_in_the_extensions_or_in_its_own_store_keeps_nothing_alive_on_any_way_out() {
    for (way, end) in WAYS {
        for handle in [Handle::InTheExtensions, Handle::InTheStore] {
            assert_eq!(remains(WITH_HANDLE, way, end, handle), NOTHING, "{way:?}, {handle:?}");
        }
    }
}

/// A strong handle in its own store is never freed, as the crate's docs say.
#[test]
fn a_leak_is_seen_in_bytes_and_in_values_on_each_way_out() {
    for (way, end) in WAYS {
        let Remains { bytes, blocks, values } = remains(LEAKED, way, end, Handle::Strong);
        assert_eq!(values, LEAKED, "{way:?}");
        let [bytes, blocks] = [bytes, blocks].map(|count| usize::try_from(count).unwrap());
        assert!(bytes > LEAKED * BYTES && blocks > 2 * LEAKED, "{way:?}: {bytes} bytes, {blocks} blocks");
    }
}
