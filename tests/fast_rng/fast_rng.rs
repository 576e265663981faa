//! New ids whose random bits come from a generator in the process.

use std::{collections::HashSet, iter, thread};

use tower_request_context::RequestId;

const THREADS: usize = 4;
const IDS: usize = 10_000;

/// Each thread has a generator of its own.
#[test]
fn ids_of_several_threads_are_distinct() {
    for create in [RequestId::new_v4, RequestId::new_v7] {
        let create_ids = move || iter::repeat_with(create).take(IDS).collect::<Vec<_>>();
        let threads: Vec<_> = iter::repeat_with(|| thread::spawn(create_ids)).take(THREADS).collect();
        let ids: HashSet<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(ids.len(), THREADS * IDS);
    }
}

#[test]
fn ids_have_the_version_and_variant_of_their_kind() {
    for (id, version) in [(RequestId::new_v4(), b'4'), (RequestId::new_v7(), b'7')] {
        let bytes = id.as_str().as_bytes();
        assert_eq!((bytes.len(), bytes[14]), (36, version), "{id}");
        assert!(b"89ab".contains(&bytes[19]), "{id}");
    }
}
