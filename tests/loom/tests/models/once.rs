//! Values that are made once, for several who wait.

use std::{future::pending, pin::pin, task::Poll};

use loom::future::block_on;
use tower_request_context::{RequestContext, Store};

use crate::support::{Calls, both, get, outcomes, poll, set};

#[test]
fn of_two_who_need_a_value_one_makes_it_and_both_get_it() {
    let seen = outcomes(|| {
        let (context, made) = (RequestContext::new(Store::new()), Calls::default());
        (both(&context, make(1, &made), make(2, &made)), made.count())
    });
    assert_eq!(seen, [((1, 1), 1), ((2, 2), 1)].into());
}

#[test]
fn a_set_meanwhile_wins() {
    let seen = outcomes(|| {
        let context = RequestContext::new(Store::new());
        (both(&context, set(2), make(1, &Calls::default())).1, get(&context))
    });
    assert_eq!(seen, [(1, Some(2)), (2, Some(2))].into());
}

#[test]
fn whoever_waits_for_one_that_fails_makes_the_value() {
    let seen = outcomes(|| {
        let (context, made) = (RequestContext::new(Store::new()), Calls::default());
        let fail = |context: &RequestContext| block_on(context.get_or_try_init::<u8, _>(async || Err(())));
        (both(&context, fail, make(2, &made)), made.count())
    });
    assert_eq!(seen, [((Err(()), 2), 1), ((Ok(2), 2), 1)].into());
}

#[test]
fn whoever_waits_for_one_that_is_cancelled_makes_the_value() {
    let seen = outcomes(|| {
        let (context, made) = (RequestContext::new(Store::new()), Calls::default());
        let cancel = |context: &RequestContext| match poll(pin!(context.get_or_init::<u8>(pending))) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        };
        (both(&context, cancel, make(2, &made)), made.count())
    });
    assert_eq!(seen, [((None, 2), 1), ((Some(2), 2), 1)].into());
}

/// Returns the value of the context, which is this one if there is none, and counts that it was made.
fn make(value: u8, made: &Calls) -> impl FnOnce(&RequestContext) -> u8 + use<> {
    let made = made.clone();
    move |context| {
        block_on(context.get_or_init(async || {
            made.add();
            value
        }))
    }
}
