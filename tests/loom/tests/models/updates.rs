//! Values that are changed, or set unless they are there, by several at once.

use tower_request_context::{RequestContext, Store};

use crate::support::{both, get, one, outcomes, remove, set};

#[test]
fn of_two_updates_at_once_neither_is_lost() {
    for is_late in [false, true] {
        let seen = outcomes(move || {
            let context = one(is_late);
            (both(&context, increment, increment), get(&context))
        });
        assert_eq!(seen, [((Some(2), Some(3)), Some(3)), ((Some(3), Some(2)), Some(3))].into());
    }
}

#[test]
fn of_three_updates_at_once_none_is_lost() {
    let seen = outcomes(|| {
        let context = one(true);
        let (first, (second, third)) = both(&context, increment, |context| both(context, increment, increment));
        ([first, second, third], get(&context))
    });
    let orders = [[2, 3, 4], [2, 4, 3], [3, 2, 4], [3, 4, 2], [4, 2, 3], [4, 3, 2]];
    assert_eq!(seen, orders.map(|results| (results.map(Some), Some(4))).into());
}

#[test]
fn updates_in_a_child_start_from_what_the_parent_holds_and_leave_it_there() {
    let seen = outcomes(|| {
        let parent = one(false);
        let child = parent.child(Store::new());
        (both(&child, increment, increment), get(&parent), get(&child))
    });
    assert_eq!(seen, [((Some(2), Some(3)), Some(1), Some(3)), ((Some(3), Some(2)), Some(1), Some(3))].into());
}

#[test]
fn an_update_changes_what_is_set_at_the_same_time_or_is_overwritten() {
    for is_late in [false, true] {
        let seen = outcomes(move || {
            let context = one(is_late);
            (both(&context, set(10), increment).1, get(&context))
        });
        assert_eq!(seen, [(Some(2), Some(10)), (Some(11), Some(11))].into());
    }
}

#[test]
fn an_update_brings_nothing_back_that_is_removed() {
    for is_late in [false, true] {
        let seen = outcomes(move || {
            let context = one(is_late);
            (both(&context, remove, increment), get(&context))
        });
        assert_eq!(seen, [((true, Some(2)), None), ((true, None), None)].into());
    }
}

#[test]
fn an_update_does_not_take_a_new_value_for_the_one_that_it_saw() {
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
fn of_two_who_set_what_is_absent_one_does() {
    let seen = outcomes(|| {
        let context = RequestContext::new(Store::new());
        (both(&context, set_if_absent(1), set_if_absent(2)), get(&context))
    });
    assert_eq!(seen, [((true, false), Some(1)), ((false, true), Some(2))].into());
}

#[test]
fn two_who_make_what_is_absent_are_told_the_same_winner() {
    let seen = outcomes(|| {
        let context = RequestContext::new(Store::new());
        let make = |value: u8| move |context: &RequestContext| context.get_or_insert_with(|| value);
        (both(&context, make(1), make(2)), get(&context))
    });
    assert_eq!(seen, [((1, 1), Some(1)), ((2, 2), Some(2))].into());
}

#[test]
fn a_set_if_absent_finds_a_value_or_that_it_is_removed() {
    for is_late in [false, true] {
        let seen = outcomes(move || {
            let context = one(is_late);
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
