//! Concurrent reads, writes and removals of values that are set after sharing.

use std::{fmt::Debug, sync::Arc};

use loom::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};
use tower_request_context::{RequestContext, Store};

use crate::support::{both, get, one, outcomes, remove, set};

#[test]
fn get_during_a_set_returns_the_old_or_new_value() {
    let seen = outcomes(|| {
        let context = one(false);
        both(&context, set(2), get).1
    });
    assert_eq!(seen, [Some(1), Some(2)].into());
}

#[test]
fn get_during_the_first_set_returns_none_or_the_value() {
    let seen = outcomes(|| {
        let context = RequestContext::new(Store::new());
        both(&context, set(2), get).1
    });
    assert_eq!(seen, [None, Some(2)].into());
}

#[test]
fn set_is_visible_after_synchronizing_with_its_writer() {
    let seen = outcomes(|| {
        let (context, (publish, is_published)) = (one(false), flag());
        let write = |context: &RequestContext| {
            context.set(2_u8);
            publish();
        };
        both(&context, write, |context| is_published().then(|| get(context))).1
    });
    assert_eq!(seen, [None, Some(Some(2))].into());
}

#[test]
fn set_is_visible_even_if_another_writer_was_first() {
    let seen = outcomes(|| {
        let (context, (publish, is_published)) = (RequestContext::new(Store::new()), flag());
        let write = |context: &RequestContext| {
            context.set(2_u8);
            publish();
        };
        let read = |context: &RequestContext| is_published().then(|| get(context));
        both(&context, set(1), |context| both(context, write, read).1).1
    });
    assert_eq!(seen, [None, Some(Some(1)), Some(Some(2))].into());
}

#[test]
fn consecutive_gets_do_not_go_back() {
    let seen = outcomes(|| {
        let context = RequestContext::new(Store::new().with_value(0_u8));
        let write = |context: &RequestContext| [1_u8, 2].map(|value| context.set(value));
        both(&context, write, |context| (get(context).unwrap(), get(context).unwrap())).1
    });
    assert_eq!(seen, [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)].into());
}

#[test]
fn visible_value_makes_earlier_values_visible() {
    assert_earlier_values_are_visible::<u16>();
    assert_earlier_values_are_visible::<u32>();
}

#[test]
fn set_does_not_affect_readers_of_other_types() {
    let seen = outcomes(|| {
        let context = RequestContext::new(Store::new().with_value(7_u16).with_value(7_u32));
        both(&context, set(2), |context| (context.get::<u16>(), context.get::<u32>(), get(context))).1
    });
    assert_eq!(seen, [(Some(7), Some(7), None), (Some(7), Some(7), Some(2))].into());
}

#[test]
fn concurrent_sets_of_two_types_are_both_kept() {
    assert_both_are_kept::<u16>();
    assert_both_are_kept::<u32>();
}

#[test]
fn value_does_not_change_while_it_is_read() {
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
fn child_reads_the_parents_current_value() {
    let seen = outcomes(|| {
        let context = one(false);
        let child = context.child(Store::new());
        both(&context, set(2), move |_| get(&child)).1
    });
    assert_eq!(seen, [Some(1), Some(2)].into());
}

#[test]
fn get_during_a_remove_returns_the_value_or_none() {
    for is_set_later in [false, true] {
        let seen = outcomes(move || both(&one(is_set_later), remove, get));
        assert_eq!(seen, [(true, Some(1)), (true, None)].into());
    }
}

#[test]
fn one_of_two_concurrent_removes_returns_true() {
    for is_set_later in [false, true] {
        let seen = outcomes(move || {
            let context = one(is_set_later);
            (both(&context, remove, remove), get(&context))
        });
        assert_eq!(seen, [((true, false), None), ((false, true), None)].into());
    }
}

#[test]
fn last_of_a_concurrent_set_and_remove_wins() {
    for is_set_later in [false, true] {
        let seen = outcomes(move || {
            let context = one(is_set_later);
            (both(&context, set(2), remove).1, get(&context))
        });
        assert_eq!(seen, [(true, None), (true, Some(2))].into());
    }
}

/// A type other than `u8`. It may share one of the filter's 64 bits with `u8`, so tests use two such types.
trait Other: From<u8> + Clone + Debug + Ord + Send + Sync + 'static {}

impl<T: From<u8> + Clone + Debug + Ord + Send + Sync + 'static> Other for T {}

fn assert_earlier_values_are_visible<T: Other>() {
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

fn assert_both_are_kept<T: Other>() {
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
    let outcome = |seen_first: Option<T>| (((one, seen_first), other.clone()), one, other.clone());
    assert_eq!(seen, [outcome(None), outcome(other.clone())].into());
}

/// Returns functions that set a flag and read it.
///
/// The store is `Release` and the load is `Acquire`. So if the load returns true, everything that the writer did before
/// it set the flag happens before everything that the reader does after it read the flag.
fn flag() -> (impl FnOnce(), impl FnOnce() -> bool) {
    let flag = Arc::new(AtomicBool::new(false));
    let reader = Arc::clone(&flag);
    (move || flag.store(true, Ordering::Release), move || reader.load(Ordering::Acquire))
}
