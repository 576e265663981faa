//! Size limits of propagated headers, and which headers are dropped above them.

use std::iter;

use http::HeaderMap;
use tower_request_context::HeaderPropagator;

use super::{headers, lines, listing, sent_on};

const NAMES: [&str; 3] = ["x-a", "x-b", "x-c"];

fn limited(per_header: usize, total: usize) -> HeaderPropagator {
    listing(NAMES).max_header_bytes(per_header).max_total_bytes(total)
}

/// Returns which of the headers in [`NAMES`] are propagated, if their values have these lengths.
fn propagated(propagator: &HeaderPropagator, lengths: [usize; 3]) -> Vec<&'static str> {
    let inbound = headers(iter::zip(NAMES, lengths.map(|length| "v".repeat(length))));
    let outbound = sent_on(propagator, inbound.clone());
    assert!(outbound.iter().all(|(name, value)| inbound[name] == value), "a header was truncated");
    NAMES.into_iter().filter(|name| outbound.contains_key(*name)).collect()
}

/// Propagates baggage with the limits of its specification and no others.
fn baggage() -> HeaderPropagator {
    listing(["baggage"]).max_header_bytes(usize::MAX).max_total_bytes(usize::MAX)
}

/// Returns `count` baggage headers of `length` bytes with one member each.
fn members(count: usize, length: usize) -> HeaderMap {
    headers((0..count).map(|n| ("baggage", format!("{:v<length$}", format!("k{n:02}=")))))
}

#[test]
fn header_limit_is_inclusive() {
    assert_eq!(propagated(&limited(8, 100), [8, 9, 7]), ["x-a", "x-c"]);
    assert_eq!(propagated(&listing(NAMES), [8192, 8193, 1]), ["x-a", "x-c"]);
}

#[test]
fn total_limit_is_inclusive() {
    assert_eq!(propagated(&limited(100, 12), [3, 4, 5]), NAMES);
    assert_eq!(propagated(&limited(100, 11), [3, 4, 5]), ["x-a", "x-b"]);
    assert_eq!(propagated(&listing(NAMES), [8190, 8191, 3]), NAMES);
    assert_eq!(propagated(&listing(NAMES), [8190, 8191, 4]), ["x-a", "x-c"]);
}

#[test]
fn repeated_values_count_as_if_joined_with_commas() {
    let inbound = lines(&[("x-a", "123"), ("x-a", ""), ("x-a", "12"), ("x-b", "1")]);
    assert_eq!(sent_on(&limited(7, 8), inbound.clone()), inbound);
    assert_eq!(sent_on(&limited(6, 8), inbound.clone()), lines(&[("x-b", "1")]));
    assert_eq!(sent_on(&limited(7, 7), inbound), lines(&[("x-b", "1")]));
}

#[test]
fn one_long_header_does_not_exclude_the_others() {
    assert_eq!(propagated(&limited(100, 99), [90, 5, 5]), ["x-b", "x-c"]);
    assert_eq!(propagated(&limited(100, 99), [5, 90, 5]), ["x-a", "x-c"]);
    assert_eq!(propagated(&limited(100, 99), [5, 5, 90]), ["x-a", "x-b"]);
}

#[test]
fn longest_headers_are_dropped_first() {
    assert_eq!(propagated(&limited(100, 30), [20, 30, 11]), ["x-c"]);
    assert_eq!(propagated(&limited(100, 31), [20, 30, 11]), ["x-a", "x-c"]);
    assert_eq!(propagated(&limited(100, 10), [20, 30, 11]), [""; 0]);
}

#[test]
fn of_equally_long_headers_the_last_listed_is_dropped() {
    assert_eq!(propagated(&limited(100, 9), [4, 4, 4]), ["x-a", "x-b"]);
    assert_eq!(propagated(&limited(100, 8), [4, 3, 4]), ["x-a", "x-b"]);
    assert_eq!(propagated(&limited(100, 4), [4, 4, 4]), ["x-a"]);
}

#[test]
fn headers_over_their_own_limit_do_not_count_in_the_total() {
    assert_eq!(propagated(&limited(6, 12), [6, 7, 6]), ["x-a", "x-c"]);
}

#[test]
fn zero_limits_allow_only_empty_values() {
    assert_eq!(propagated(&limited(0, 0), [0, 1, 0]), ["x-a", "x-c"]);
    assert_eq!(propagated(&limited(0, 100), [0, 1, 0]), ["x-a", "x-c"]);
    assert_eq!(propagated(&limited(100, 0), [0, 1, 0]), ["x-a", "x-c"]);
    assert_eq!(sent_on(&limited(0, 0), lines(&[("x-a", ""), ("x-a", ""), ("x-b", "")])), lines(&[("x-b", "")]));
}

#[test]
fn unlimited_list_propagates_everything() {
    assert_eq!(propagated(&limited(usize::MAX, usize::MAX), [100_000, 200_000, 300_000]), NAMES);
    assert_eq!(propagated(&limited(usize::MAX, 0), [1, 0, 1]), ["x-b"]);
}

#[test]
fn empty_values_count_with_their_commas() {
    let empty = |lines| headers(iter::repeat_n(("x-a", ""), lines));
    assert_eq!(sent_on(&listing(NAMES), empty(8193)).len(), 8193);
    assert_eq!(sent_on(&listing(NAMES), empty(8194)), HeaderMap::new());
    assert_eq!(sent_on(&listing(NAMES), empty(20_000)), HeaderMap::new());
}

#[test]
fn baggage_of_64_members_and_8192_bytes_is_propagated() {
    // 64 headers of 127 bytes and 63 commas make 8,191 bytes. The last header is one byte longer.
    let mut inbound = members(63, 127);
    inbound.append("baggage", format!("k63={}", "v".repeat(124)).parse().unwrap());
    assert_eq!(inbound.values().map(|line| line.len() + 1).sum::<usize>() - 1, 8192);
    assert_eq!(sent_on(&baggage(), inbound.clone()), inbound);
    let joined =
        headers([("baggage", inbound.values().map(|line| line.to_str().unwrap()).collect::<Vec<_>>().join(","))]);
    assert_eq!(sent_on(&baggage(), joined.clone()), joined);
}

#[test]
fn baggage_of_65_members_is_dropped_however_it_is_split() {
    let together = |members: usize| vec!["k=v"; members].join(",");
    for shape in [&[65][..], &[64, 1], &[1, 64], &[32, 32, 1], &[1; 65]] {
        let inbound = headers(shape.iter().map(|members| ("baggage", together(*members))));
        assert_eq!(sent_on(&baggage(), inbound), HeaderMap::new(), "{shape:?}");
    }
}

#[test]
fn baggage_of_8193_bytes_is_dropped_without_other_limits() {
    let line = |length| headers([("baggage", format!("{:v<length$}", "k="))]);
    assert_eq!(sent_on(&baggage(), line(8192)), line(8192));
    assert_eq!(sent_on(&baggage(), line(8193)), HeaderMap::new());
    assert_eq!(sent_on(&baggage(), members(64, 128)), HeaderMap::new());
}

#[test]
fn lower_limits_also_apply_to_baggage() {
    assert_eq!(
        sent_on(
            &baggage().max_header_bytes(9).max_total_bytes(100),
            lines(&[("baggage", "k=v"), ("baggage", "k2=v2")])
        )
        .len(),
        2
    );
    assert_eq!(
        sent_on(
            &baggage().max_header_bytes(8).max_total_bytes(100),
            lines(&[("baggage", "k=v"), ("baggage", "k2=v2")])
        )
        .len(),
        0
    );
}

#[test]
fn baggage_limits_apply_only_to_baggage() {
    let inbound = headers(iter::repeat_n(("x-a", "k=v,".repeat(100)), 30));
    assert_eq!(sent_on(&limited(usize::MAX, usize::MAX), inbound.clone()), inbound);
}

#[test]
fn baggage_is_never_truncated() {
    let propagator = baggage().header("x-tenant");
    let mut allowed = Vec::new();
    for count in 1..=100 {
        for length in [5, 64, 127, 128, 200] {
            let mut inbound = members(count, length);
            inbound.append("x-tenant", "cats".parse().unwrap());
            let outbound = sent_on(&propagator, inbound.clone());
            if outbound.contains_key("baggage") {
                assert_eq!(outbound, inbound);
                allowed.push((count, length));
            } else {
                assert_eq!(outbound, lines(&[("x-tenant", "cats")]));
            }
        }
    }
    let fits = |(count, length): &(usize, usize)| *count <= 64 && count * (length + 1) - 1 <= 8192;
    assert!(allowed.iter().all(fits));
    // 64 counts for each of the lengths 5, 64 and 127, 63 for 128, and 40 for 200.
    assert_eq!(allowed.len(), 64 + 64 + 64 + 63 + 40);
}

#[test]
fn each_limit_is_set_independently() {
    let (header, total) = (listing(NAMES).max_header_bytes(8), listing(NAMES).max_total_bytes(12));
    assert_eq!(propagated(&header, [8, 9, 7]), ["x-a", "x-c"]);
    assert_eq!(propagated(&total, [3, 4, 5]), NAMES);
    assert_eq!(propagated(&total, [3, 4, 6]), ["x-a", "x-b"]);
    // The other limit keeps its default.
    assert_eq!(propagated(&listing(NAMES).max_header_bytes(usize::MAX), [16_384, 0, 0]), NAMES);
    assert_eq!(propagated(&listing(NAMES).max_header_bytes(usize::MAX), [16_384, 0, 1]), ["x-b", "x-c"]);
    assert_eq!(propagated(&listing(NAMES).max_total_bytes(usize::MAX), [8192, 8193, 8192]), ["x-a", "x-c"]);
}

#[test]
fn the_limits_do_not_depend_on_their_order() {
    for (header, total, lengths, expected) in [
        (8, 12, [8, 9, 4], &["x-a", "x-c"][..]),
        (8, 12, [5, 8, 4], &["x-a", "x-c"]),
        (12, 8, [9, 4, 4], &["x-b", "x-c"]),
    ] {
        let one = listing(NAMES).max_header_bytes(header).max_total_bytes(total);
        let other = listing(NAMES).max_total_bytes(total).max_header_bytes(header);
        assert_eq!(propagated(&one, lengths), expected);
        assert_eq!(propagated(&other, lengths), expected);
        assert_eq!(format!("{one:?}"), format!("{other:?}"));
    }
}

#[test]
fn last_call_sets_the_limit() {
    assert_eq!(propagated(&limited(1, 1).max_header_bytes(8).max_total_bytes(12), [8, 9, 4]), ["x-a", "x-c"]);
}
