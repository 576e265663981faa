//! Concurrent initialization of a value by `get_or_init`.

use std::{future::pending, pin::pin, task::Poll};

use loom::future::block_on;
use tower_request_context::{RequestContext, Store};

use crate::support::{Calls, both, get, outcomes, poll, set};

#[test]
fn concurrent_callers_initialize_once_and_share_the_value() {
    let seen = outcomes(|| {
        let (context, inits) = (RequestContext::new(Store::new()), Calls::default());
        (both(&context, init(1, &inits), init(2, &inits)), inits.count())
    });
    assert_eq!(seen, [((1, 1), 1), ((2, 2), 1)].into());
}

#[test]
fn value_set_meanwhile_wins() {
    let seen = outcomes(|| {
        let context = RequestContext::new(Store::new());
        (both(&context, set(2), init(1, &Calls::default())).1, get(&context))
    });
    assert_eq!(seen, [(1, Some(2)), (2, Some(2))].into());
}

#[test]
fn waiter_initializes_after_a_failure() {
    let seen = outcomes(|| {
        let (context, inits) = (RequestContext::new(Store::new()), Calls::default());
        let fail = |context: &RequestContext| block_on(context.get_or_try_init::<u8, _>(async || Err(())));
        (both(&context, fail, init(2, &inits)), inits.count())
    });
    assert_eq!(seen, [((Err(()), 2), 1), ((Ok(2), 2), 1)].into());
}

#[test]
fn waiter_initializes_after_a_cancellation() {
    let seen = outcomes(|| {
        let (context, inits) = (RequestContext::new(Store::new()), Calls::default());
        let cancel = |context: &RequestContext| match poll(pin!(context.get_or_init::<u8>(pending))) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        };
        (both(&context, cancel, init(2, &inits)), inits.count())
    });
    assert_eq!(seen, [((None, 2), 1), ((Some(2), 2), 1)].into());
}

/// Returns the value of the context. If there is none, initializes it with `value`, and counts the initialization.
fn init(value: u8, inits: &Calls) -> impl FnOnce(&RequestContext) -> u8 + use<> {
    let inits = inits.clone();
    move |context| {
        block_on(context.get_or_init(async || {
            inits.add();
            value
        }))
    }
}
