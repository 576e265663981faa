//! Concurrent updates and conditional writes.

use tower_request_context::{RequestContext, Store};

use crate::support::{both, get, one, outcomes, remove, set};

#[test]
fn two_concurrent_updates_both_apply() {
    for is_set_later in [false, true] {
        let seen = outcomes(move || {
            let context = one(is_set_later);
            (both(&context, increment, increment), get(&context))
        });
        assert_eq!(seen, [((Some(2), Some(3)), Some(3)), ((Some(3), Some(2)), Some(3))].into());
    }
}

#[test]
fn three_concurrent_updates_all_apply() {
    let seen = outcomes(|| {
        let context = one(true);
        let (first, (second, third)) = both(&context, increment, |context| both(context, increment, increment));
        ([first, second, third], get(&context))
    });
    let orders = [[2, 3, 4], [2, 4, 3], [3, 2, 4], [3, 4, 2], [4, 2, 3], [4, 3, 2]];
    assert_eq!(seen, orders.map(|results| (results.map(Some), Some(4))).into());
}

#[test]
fn child_updates_start_from_the_parents_value() {
    let seen = outcomes(|| {
        let parent = one(false);
        let child = parent.child(Store::new());
        (both(&child, increment, increment), get(&parent), get(&child))
    });
    assert_eq!(seen, [((Some(2), Some(3)), Some(1), Some(3)), ((Some(3), Some(2)), Some(1), Some(3))].into());
}

#[test]
fn update_applies_to_a_concurrent_set_or_is_overwritten() {
    for is_set_later in [false, true] {
        let seen = outcomes(move || {
            let context = one(is_set_later);
            (both(&context, set(10), increment).1, get(&context))
        });
        assert_eq!(seen, [(Some(2), Some(10)), (Some(11), Some(11))].into());
    }
}

#[test]
fn update_does_not_restore_a_removed_value() {
    for is_set_later in [false, true] {
        let seen = outcomes(move || {
            let context = one(is_set_later);
            (both(&context, remove, increment), get(&context))
        });
        assert_eq!(seen, [((true, Some(2)), None), ((true, None), None)].into());
    }
}

#[test]
fn update_detects_a_replaced_value() {
    let seen = outcomes(|| {
        let context = one(true);
        let replace = |context: &RequestContext| {
            remove(context);
            context.set(10_u8);
        };
        (both(&context, replace, increment).1, get(&context))
    });
    assert_eq!(seen, [(Some(2), Some(10)), (None, Some(10)), (Some(11), Some(11))].into());
}

#[test]
fn one_of_two_concurrent_set_if_absent_wins() {
    let seen = outcomes(|| {
        let context = RequestContext::new(Store::new());
        (both(&context, set_if_absent(1), set_if_absent(2)), get(&context))
    });
    assert_eq!(seen, [((true, false), Some(1)), ((false, true), Some(2))].into());
}

#[test]
fn concurrent_get_or_insert_with_return_the_same_value() {
    let seen = outcomes(|| {
        let context = RequestContext::new(Store::new());
        let get_or_insert = |value: u8| move |context: &RequestContext| context.get_or_insert_with(|| value);
        (both(&context, get_or_insert(1), get_or_insert(2)), get(&context))
    });
    assert_eq!(seen, [((1, 1), Some(1)), ((2, 2), Some(2))].into());
}

#[test]
fn set_if_absent_during_a_remove_finds_the_value_or_sets_it() {
    for is_set_later in [false, true] {
        let seen = outcomes(move || {
            let context = one(is_set_later);
            (both(&context, remove, set_if_absent(2)), get(&context))
        });
        assert_eq!(seen, [((true, false), None), ((true, true), Some(2))].into());
    }
}

fn increment(context: &RequestContext) -> Option<u8> {
    context.update(|n: &mut u8| {
        *n += 1;
        *n
    })
}

fn set_if_absent(value: u8) -> impl FnOnce(&RequestContext) -> bool {
    move |context| context.set_if_absent(value)
}
