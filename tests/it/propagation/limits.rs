//! How much may travel, and what stays when it is too much.

use std::iter;

use http::HeaderMap;
use tower_request_context::HeaderPropagator;

use super::{headers, lines, listing, sent_on};

const NAMES: [&str; 3] = ["x-a", "x-b", "x-c"];

fn limited(per_header: usize, total: usize) -> HeaderPropagator {
    listing(NAMES).max_header_bytes(per_header).max_total_bytes(total)
}

/// Which of the headers in [`NAMES`] go on, if they come with values of these lengths.
fn that_go(propagator: &HeaderPropagator, lengths: [usize; 3]) -> Vec<&'static str> {
    let came_in = headers(iter::zip(NAMES, lengths.map(|length| "v".repeat(length))));
    let went_out = sent_on(propagator, came_in.clone());
    assert!(went_out.iter().all(|(name, value)| came_in[name] == value), "a header was cut");
    NAMES.into_iter().filter(|name| went_out.contains_key(*name)).collect()
}

/// The limits of the specification, with nothing of ours in their way.
fn baggage() -> HeaderPropagator {
    listing(["baggage"]).max_header_bytes(usize::MAX).max_total_bytes(usize::MAX)
}

/// Lines of one member each, all of a length.
fn members(count: usize, length: usize) -> HeaderMap {
    headers((0..count).map(|n| ("baggage", format!("{:v<length$}", format!("k{n:02}=")))))
}

#[test]
fn a_header_may_be_as_long_as_the_limit_and_no_longer() {
    assert_eq!(that_go(&limited(8, 100), [8, 9, 7]), ["x-a", "x-c"]);
    assert_eq!(that_go(&listing(NAMES), [8192, 8193, 1]), ["x-a", "x-c"]);
}

#[test]
fn all_headers_may_be_as_long_together_as_the_limit_and_no_longer() {
    assert_eq!(that_go(&limited(100, 12), [3, 4, 5]), NAMES);
    assert_eq!(that_go(&limited(100, 11), [3, 4, 5]), ["x-a", "x-b"]);
    assert_eq!(that_go(&listing(NAMES), [8190, 8191, 3]), NAMES);
    assert_eq!(that_go(&listing(NAMES), [8190, 8191, 4]), ["x-a", "x-c"]);
}

#[test]
fn a_header_counts_with_all_its_lines_and_the_commas_that_would_join_them() {
    let came_in = lines(&[("x-a", "123"), ("x-a", ""), ("x-a", "12"), ("x-b", "1")]);
    assert_eq!(sent_on(&limited(7, 8), came_in.clone()), came_in);
    assert_eq!(sent_on(&limited(6, 8), came_in.clone()), lines(&[("x-b", "1")]));
    assert_eq!(sent_on(&limited(7, 7), came_in), lines(&[("x-b", "1")]));
}

#[test]
fn one_long_header_starves_no_other_wherever_it_stands() {
    assert_eq!(that_go(&limited(100, 99), [90, 5, 5]), ["x-b", "x-c"]);
    assert_eq!(that_go(&limited(100, 99), [5, 90, 5]), ["x-a", "x-c"]);
    assert_eq!(that_go(&limited(100, 99), [5, 5, 90]), ["x-a", "x-b"]);
}

#[test]
fn the_longest_are_left_out_until_the_rest_fits() {
    assert_eq!(that_go(&limited(100, 30), [20, 30, 11]), ["x-c"]);
    assert_eq!(that_go(&limited(100, 31), [20, 30, 11]), ["x-a", "x-c"]);
    assert_eq!(that_go(&limited(100, 10), [20, 30, 11]), [""; 0]);
}

#[test]
fn of_two_that_are_as_long_the_one_listed_later_is_left_out() {
    assert_eq!(that_go(&limited(100, 9), [4, 4, 4]), ["x-a", "x-b"]);
    assert_eq!(that_go(&limited(100, 8), [4, 3, 4]), ["x-a", "x-b"]);
    assert_eq!(that_go(&limited(100, 4), [4, 4, 4]), ["x-a"]);
}

#[test]
fn a_header_that_is_too_long_for_itself_takes_no_room_from_the_others() {
    assert_eq!(that_go(&limited(6, 12), [6, 7, 6]), ["x-a", "x-c"]);
}

#[test]
fn with_limits_of_zero_only_an_empty_line_travels() {
    assert_eq!(that_go(&limited(0, 0), [0, 1, 0]), ["x-a", "x-c"]);
    assert_eq!(that_go(&limited(0, 100), [0, 1, 0]), ["x-a", "x-c"]);
    assert_eq!(that_go(&limited(100, 0), [0, 1, 0]), ["x-a", "x-c"]);
    assert_eq!(sent_on(&limited(0, 0), lines(&[("x-a", ""), ("x-a", ""), ("x-b", "")])), lines(&[("x-b", "")]));
}

#[test]
fn without_limits_all_that_is_listed_travels() {
    assert_eq!(that_go(&limited(usize::MAX, usize::MAX), [100_000, 200_000, 300_000]), NAMES);
    assert_eq!(that_go(&limited(usize::MAX, 0), [1, 0, 1]), ["x-b"]);
}

#[test]
fn empty_lines_count_with_their_commas() {
    let empty = |lines| headers(iter::repeat_n(("x-a", ""), lines));
    assert_eq!(sent_on(&listing(NAMES), empty(8193)).len(), 8193);
    assert_eq!(sent_on(&listing(NAMES), empty(8194)), HeaderMap::new());
    assert_eq!(sent_on(&listing(NAMES), empty(20_000)), HeaderMap::new());
}

#[test]
fn baggage_of_64_members_and_8192_bytes_travels() {
    // 64 lines of 127 bytes and the 63 commas between make one byte less.
    let mut came_in = members(63, 127);
    came_in.append("baggage", format!("k63={}", "v".repeat(124)).parse().unwrap());
    assert_eq!(came_in.values().map(|line| line.len() + 1).sum::<usize>() - 1, 8192);
    assert_eq!(sent_on(&baggage(), came_in.clone()), came_in);
    let joined =
        headers([("baggage", came_in.values().map(|line| line.to_str().unwrap()).collect::<Vec<_>>().join(","))]);
    assert_eq!(sent_on(&baggage(), joined.clone()), joined);
}

#[test]
fn baggage_of_65_members_does_not_travel_in_however_many_lines() {
    let together = |members: usize| vec!["k=v"; members].join(",");
    for shape in [&[65][..], &[64, 1], &[1, 64], &[32, 32, 1], &[1; 65]] {
        let came_in = headers(shape.iter().map(|members| ("baggage", together(*members))));
        assert_eq!(sent_on(&baggage(), came_in), HeaderMap::new(), "{shape:?}");
    }
}

#[test]
fn baggage_of_8193_bytes_does_not_travel_though_the_limits_would_let_it() {
    let line = |length| headers([("baggage", format!("{:v<length$}", "k="))]);
    assert_eq!(sent_on(&baggage(), line(8192)), line(8192));
    assert_eq!(sent_on(&baggage(), line(8193)), HeaderMap::new());
    assert_eq!(sent_on(&baggage(), members(64, 128)), HeaderMap::new());
}

#[test]
fn baggage_is_held_to_a_limit_that_is_lower_too() {
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
fn only_baggage_is_held_to_the_limits_of_baggage() {
    let came_in = headers(iter::repeat_n(("x-a", "k=v,".repeat(100)), 30));
    assert_eq!(sent_on(&limited(usize::MAX, usize::MAX), came_in.clone()), came_in);
}

#[test]
fn no_member_of_baggage_is_ever_cut() {
    let propagator = baggage().header("x-tenant");
    let mut passed = Vec::new();
    for count in 1..=100 {
        for length in [5, 64, 127, 128, 200] {
            let mut came_in = members(count, length);
            came_in.append("x-tenant", "cats".parse().unwrap());
            let went_out = sent_on(&propagator, came_in.clone());
            if went_out.contains_key("baggage") {
                assert_eq!(went_out, came_in);
                passed.push((count, length));
            } else {
                assert_eq!(went_out, lines(&[("x-tenant", "cats")]));
            }
        }
    }
    let fits = |(count, length): &(usize, usize)| *count <= 64 && count * (length + 1) - 1 <= 8192;
    assert!(passed.iter().all(fits));
    // 64 of the two short ones and of 127 bytes, 63 of 128, 40 of 200.
    assert_eq!(passed.len(), 64 + 64 + 64 + 63 + 40);
}

#[test]
fn each_limit_is_set_alone() {
    let (header, total) = (listing(NAMES).max_header_bytes(8), listing(NAMES).max_total_bytes(12));
    assert_eq!(that_go(&header, [8, 9, 7]), ["x-a", "x-c"]);
    assert_eq!(that_go(&total, [3, 4, 5]), NAMES);
    assert_eq!(that_go(&total, [3, 4, 6]), ["x-a", "x-b"]);
    // The other limit keeps its default.
    assert_eq!(that_go(&listing(NAMES).max_header_bytes(usize::MAX), [16_384, 0, 0]), NAMES);
    assert_eq!(that_go(&listing(NAMES).max_header_bytes(usize::MAX), [16_384, 0, 1]), ["x-b", "x-c"]);
    assert_eq!(that_go(&listing(NAMES).max_total_bytes(usize::MAX), [8192, 8193, 8192]), ["x-a", "x-c"]);
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
        assert_eq!(that_go(&one, lengths), expected);
        assert_eq!(that_go(&other, lengths), expected);
        assert_eq!(format!("{one:?}"), format!("{other:?}"));
    }
}

#[test]
fn the_last_call_sets_a_limit() {
    assert_eq!(that_go(&limited(1, 1).max_header_bytes(8).max_total_bytes(12), [8, 9, 4]), ["x-a", "x-c"]);
}
