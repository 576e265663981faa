//! Those who wait for the end of a run, and the end.

use std::sync::mpsc;

use tower_request_context::{CallbackError, End, RequestContext, Store};

use crate::support::{Calls, both, done, get, on_end, outcomes, run};

#[test]
fn a_callback_is_called_once_at_the_end_or_refused() {
    let seen = outcomes(|| {
        let ((run, context), calls) = (run(Store::new()), Calls::default());
        (both(&context, |_| drop(run), on_end(&calls)).1, calls.count())
    });
    assert_eq!(seen, [(true, 1), (false, 0)].into());
}

#[test]
fn a_callback_is_called_once_at_the_end_or_refused_where_another_waits_already() {
    let seen = outcomes(|| {
        let (run, context) = run(Store::new());
        let (early, late) = (Calls::default(), Calls::default());
        assert!(on_end(&early)(&context));
        (both(&context, |_| done(run), on_end(&late)).1, late.count(), early.count())
    });
    assert_eq!(seen, [(true, 1, 1), (false, 0, 1)].into());
}

#[test]
fn of_callbacks_of_two_threads_each_is_called_once_or_refused() {
    let seen = outcomes(|| {
        let (run, context) = run(Store::new());
        let (one, other) = (Calls::default(), Calls::default());
        let register = {
            let (one, other) = (on_end(&one), on_end(&other));
            |context: &RequestContext| both(context, one, other)
        };
        let (accepted, ()) = both(&context, register, |_| drop(run));
        (accepted, one.count(), other.count())
    });
    let all = [((true, true), 1, 1), ((true, false), 1, 0), ((false, true), 0, 1), ((false, false), 0, 0)];
    assert_eq!(seen, all.into());
}

#[test]
fn after_a_refusal_none_is_accepted() {
    let seen = outcomes(|| {
        let ((run, context), calls) = (run(Store::new()), Calls::default());
        let [first, second] = [on_end(&calls), on_end(&calls)];
        let accepted = both(&context, |_| drop(run), |context| (first(context), second(context))).1;
        (accepted, calls.count())
    });
    assert_eq!(seen, [((true, true), 2), ((true, false), 1), ((false, false), 0)].into());
}

#[test]
fn a_callback_is_called_in_the_context_and_sees_what_was_set_before_it_was_registered() {
    let seen = outcomes(|| {
        let (run, context) = run(Store::new());
        let (sender, told) = mpsc::channel();
        let register = |context: &RequestContext| {
            context.set(2_u8);
            context.sync_scope(|| RequestContext::on_end(move |end| sender.send((end == End::Cancelled, RequestContext::get::<u8>())).unwrap())).is_ok()
        };
        (both(&context, |_| drop(run), register).1, told.try_recv().ok())
    });
    assert_eq!(seen, [(true, Some((true, Some(2)))), (false, None)].into());
}

#[test]
fn whoever_sees_that_it_is_over_sees_what_was_set_before() {
    let seen = outcomes(|| {
        let (run, context) = run(Store::new().with_value(1_u8));
        let end = |context: &RequestContext| {
            context.set(2_u8);
            drop(run);
        };
        both(&context, end, |context| context.is_ended().then(|| get(context))).1
    });
    assert_eq!(seen, [None, Some(Some(2))].into());
}

#[test]
fn whoever_is_refused_sees_what_was_set_before_the_end() {
    let seen = outcomes(|| {
        let (run, context) = run(Store::new().with_value(1_u8));
        let end = |context: &RequestContext| {
            context.set(2_u8);
            drop(run);
        };
        both(&context, end, |context| (context.sync_scope(|| RequestContext::on_end(|_| ())).is_err()).then(|| get(context))).1
    });
    assert_eq!(seen, [None, Some(Some(2))].into());
}

#[test]
fn a_refusal_says_that_it_is_over_and_each_thread_has_a_current_context_of_its_own() {
    let seen = outcomes(|| {
        let (run, context) = run(Store::new());
        let end = |_: &RequestContext| {
            drop(run);
            RequestContext::is_active()
        };
        let register = |context: &RequestContext| match context.sync_scope(|| RequestContext::on_end(|_| ())) {
            Ok(()) => "accepted",
            Err(CallbackError::Ended) => "over",
            Err(_) => "refused for a wrong reason",
        };
        both(&context, end, register)
    });
    assert_eq!(seen, [(false, "accepted"), (false, "over")].into());
}
