//! Registration of `on_end` callbacks while a run ends.

use std::sync::mpsc;

use tower_request_context::{CallbackError, End, RequestContext, Store};

use crate::support::{Calls, both, done, get, on_end, outcomes, run};

#[test]
fn callback_runs_once_or_is_rejected() {
    let seen = outcomes(|| {
        let ((run, context), calls) = (run(Store::new()), Calls::default());
        (both(&context, |_| drop(run), on_end(&calls)).1, calls.count())
    });
    assert_eq!(seen, [(true, 1), (false, 0)].into());
}

#[test]
fn second_callback_runs_once_or_is_rejected() {
    let seen = outcomes(|| {
        let (run, context) = run(Store::new());
        let (early, late) = (Calls::default(), Calls::default());
        assert!(on_end(&early)(&context));
        (both(&context, |_| done(run), on_end(&late)).1, late.count(), early.count())
    });
    assert_eq!(seen, [(true, 1, 1), (false, 0, 1)].into());
}

#[test]
fn callbacks_of_two_threads_run_once_or_are_rejected() {
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
fn no_callback_is_accepted_after_a_rejection() {
    let seen = outcomes(|| {
        let ((run, context), calls) = (run(Store::new()), Calls::default());
        let [first, second] = [on_end(&calls), on_end(&calls)];
        let accepted = both(&context, |_| drop(run), |context| (first(context), second(context))).1;
        (accepted, calls.count())
    });
    assert_eq!(seen, [((true, true), 2), ((true, false), 1), ((false, false), 0)].into());
}

#[test]
fn callback_sees_values_set_before_its_registration() {
    let seen = outcomes(|| {
        let (run, context) = run(Store::new());
        let (sender, received) = mpsc::channel();
        let register = |context: &RequestContext| {
            context.set(2_u8);
            context
                .sync_scope(|| {
                    RequestContext::on_end(move |end| {
                        sender.send((end == End::Cancelled, RequestContext::get::<u8>())).unwrap()
                    })
                })
                .is_ok()
        };
        (both(&context, |_| drop(run), register).1, received.try_recv().ok())
    });
    assert_eq!(seen, [(true, Some((true, Some(2)))), (false, None)].into());
}

#[test]
fn is_ended_makes_earlier_writes_visible() {
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
fn rejection_makes_writes_before_the_end_visible() {
    let seen = outcomes(|| {
        let (run, context) = run(Store::new().with_value(1_u8));
        let end = |context: &RequestContext| {
            context.set(2_u8);
            drop(run);
        };
        both(&context, end, |context| {
            (context.sync_scope(|| RequestContext::on_end(|_| ())).is_err()).then(|| get(context))
        })
        .1
    });
    assert_eq!(seen, [None, Some(Some(2))].into());
}

#[test]
fn rejection_is_ended_and_current_contexts_are_per_thread() {
    let seen = outcomes(|| {
        let (run, context) = run(Store::new());
        let end = |_: &RequestContext| {
            drop(run);
            RequestContext::is_active()
        };
        let register = |context: &RequestContext| match context.sync_scope(|| RequestContext::on_end(|_| ())) {
            Ok(()) => "accepted",
            Err(CallbackError::Ended) => "ended",
            Err(_) => "rejected for another reason",
        };
        both(&context, end, register)
    });
    assert_eq!(seen, [(false, "accepted"), (false, "ended")].into());
}
