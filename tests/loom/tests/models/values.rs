//! Late values: those who set, read and remove them at once.

use std::{fmt::Debug, sync::Arc};

use loom::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};
use tower_request_context::{RequestContext, Store};

use crate::support::{both, get, one, outcomes, remove, set};

#[test]
fn a_get_that_races_a_set_returns_the_seed_or_what_is_set() {
    let seen = outcomes(|| {
        let context = one(false);
        both(&context, set(2), get).1
    });
    assert_eq!(seen, [Some(1), Some(2)].into());
}

#[test]
fn a_get_that_races_the_first_set_returns_nothing_or_what_is_set() {
    let seen = outcomes(|| {
        let context = RequestContext::new(Store::new());
        both(&context, set(2), get).1
    });
    assert_eq!(seen, [None, Some(2)].into());
}

#[test]
fn whoever_learned_of_a_set_from_its_writer_sees_it() {
    let seen = outcomes(|| {
        let (context, (tell, learn)) = (one(false), flag());
        let write = |context: &RequestContext| {
            context.set(2_u8);
            tell();
        };
        both(&context, write, |context| learn().then(|| get(context))).1
    });
    assert_eq!(seen, [None, Some(Some(2))].into());
}

#[test]
fn whoever_learned_of_a_set_sees_it_when_another_writer_was_the_first() {
    let seen = outcomes(|| {
        let (context, (tell, learn)) = (RequestContext::new(Store::new()), flag());
        let write = |context: &RequestContext| {
            context.set(2_u8);
            tell();
        };
        let read = |context: &RequestContext| learn().then(|| get(context));
        both(&context, set(1), |context| both(context, write, read).1).1
    });
    assert_eq!(seen, [None, Some(Some(1)), Some(Some(2))].into());
}

#[test]
fn two_gets_in_a_row_never_go_back() {
    let seen = outcomes(|| {
        let context = RequestContext::new(Store::new().with_value(0_u8));
        let write = |context: &RequestContext| [1_u8, 2].map(|value| context.set(value));
        both(&context, write, |context| (get(context).unwrap(), get(context).unwrap())).1
    });
    assert_eq!(seen, [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)].into());
}

#[test]
fn whoever_sees_a_value_sees_those_that_its_writer_set_before() {
    whoever_sees_this_sees_those_set_before::<u16>();
    whoever_sees_this_sees_those_set_before::<u32>();
}

#[test]
fn a_set_does_not_disturb_the_readers_of_other_types() {
    let seen = outcomes(|| {
        let context = RequestContext::new(Store::new().with_value(7_u16).with_value(7_u32));
        both(&context, set(2), |context| (context.get::<u16>(), context.get::<u32>(), get(context))).1
    });
    assert_eq!(seen, [(Some(7), Some(7), None), (Some(7), Some(7), Some(2))].into());
}

#[test]
fn of_sets_of_two_types_at_once_neither_is_lost() {
    neither_is_lost::<u16>();
    neither_is_lost::<u32>();
}

#[test]
fn a_value_stays_what_it_is_while_it_is_read() {
    let seen = outcomes(|| {
        let context = RequestContext::new(Store::new());
        context.set(String::from("one"));
        let write = |context: &RequestContext| ["two", "three"].map(|text| context.set(text.to_owned()));
        let read = |context: &RequestContext| {
            context.with(|text: &String| {
                let before = text.clone();
                thread::yield_now();
                (before, text.clone())
            })
        };
        (both(&context, write, read).1.unwrap(), context.get::<String>().unwrap())
    });
    let read = |text: &str| ((text.to_owned(), text.to_owned()), "three".to_owned());
    assert_eq!(seen, ["one", "two", "three"].map(read).into());
}

#[test]
fn a_child_reads_what_its_parent_holds_at_the_time() {
    let seen = outcomes(|| {
        let context = one(false);
        let child = context.child(Store::new());
        both(&context, set(2), move |_| get(&child)).1
    });
    assert_eq!(seen, [Some(1), Some(2)].into());
}

#[test]
fn a_get_that_races_a_remove_returns_the_value_or_nothing() {
    for is_late in [false, true] {
        let seen = outcomes(move || both(&one(is_late), remove, get));
        assert_eq!(seen, [(true, Some(1)), (true, None)].into());
    }
}

#[test]
fn of_two_removes_at_once_one_says_that_there_was_a_value() {
    for is_late in [false, true] {
        let seen = outcomes(move || {
            let context = one(is_late);
            (both(&context, remove, remove), get(&context))
        });
        assert_eq!(seen, [((true, false), None), ((false, true), None)].into());
    }
}

#[test]
fn of_a_set_and_a_remove_at_once_the_last_one_counts() {
    for is_late in [false, true] {
        let seen = outcomes(move || {
            let context = one(is_late);
            (both(&context, set(2), remove).1, get(&context))
        });
        assert_eq!(seen, [(true, None), (true, Some(2))].into());
    }
}

/// A type beside `u8`. It may share that one's bit of the 64 in the filter, but hardly two of them do.
trait Other: From<u8> + Clone + Debug + Ord + Send + Sync + 'static {}

impl<T: From<u8> + Clone + Debug + Ord + Send + Sync + 'static> Other for T {}

fn whoever_sees_this_sees_those_set_before<T: Other>() {
    let seen = outcomes(|| {
        let context = RequestContext::new(Store::new());
        let write = |context: &RequestContext| {
            context.set(1_u8);
            context.set(T::from(2));
        };
        both(&context, write, |context| (context.get::<T>(), get(context))).1
    });
    assert_eq!(seen, [(None, None), (None, Some(1)), (Some(T::from(2)), Some(1))].into());
}

fn neither_is_lost<T: Other>() {
    let seen = outcomes(|| {
        let context = RequestContext::new(Store::new());
        let set_one = |context: &RequestContext| {
            context.set(1_u8);
            (get(context), context.get::<T>())
        };
        let set_other = |context: &RequestContext| {
            context.set(T::from(2));
            context.get::<T>()
        };
        (both(&context, set_one, set_other), get(&context), context.get::<T>())
    });
    let (one, other) = (Some(1), Some(T::from(2)));
    let outcome = |early: Option<T>| (((one, early), other.clone()), one, other.clone());
    assert_eq!(seen, [outcome(None), outcome(other.clone())].into());
}

/// How one thread tells another, and how that one learns of it.
fn flag() -> (impl FnOnce(), impl FnOnce() -> bool) {
    let told = Arc::new(AtomicBool::new(false));
    let learned = Arc::clone(&told);
    (move || told.store(true, Ordering::Release), move || learned.load(Ordering::Acquire))
}
