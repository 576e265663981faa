//! Those who wait for the response of a request, or for its end while the response is sent.

use std::{convert::Infallible, pin::Pin, sync::Arc};

use http::{HeaderValue, header::WARNING};
use tower_request_context::{CallbackError, RequestContext};

use crate::support::{Answer, Calls, both, done, get, on_end, outcomes, request};

#[test]
fn a_callback_is_shown_the_head_once_or_refused() {
    let seen = outcomes(|| {
        let ((request, context), calls) = (request(), Calls::default());
        let (headers, accepted) = both(&context, |_| headers(request), on_response(&calls));
        (accepted, calls.count(), headers)
    });
    assert_eq!(seen, [(true, 1, 1), (false, 0, 0)].into());
}

#[test]
fn whoever_waits_for_the_end_is_not_forgotten_when_the_response_is_sent() {
    let seen = outcomes(|| {
        let ((request, context), calls) = (request(), Calls::default());
        (both(&context, |_| headers(request), on_end(&calls)).1, calls.count())
    });
    assert_eq!(seen, [(true, 1), (false, 0)].into());
}

#[test]
fn whoever_waits_for_the_end_is_not_forgotten_when_another_waits_already() {
    let seen = outcomes(|| {
        let (request, context) = request();
        let (early, late) = (Calls::default(), Calls::default());
        assert!(on_end(&early)(&context));
        (both(&context, |_| headers(request), on_end(&late)).1, late.count(), early.count())
    });
    assert_eq!(seen, [(true, 1, 1), (false, 0, 1)].into());
}

#[test]
fn whoever_waits_for_the_end_is_not_forgotten_while_others_are_shown_the_head() {
    let seen = outcomes(|| {
        let (request, context) = request();
        let (shown, early, late) = (Calls::default(), Calls::default(), Calls::default());
        assert!(on_response(&shown)(&context) && on_end(&early)(&context));
        let accepted = both(&context, |_| headers(request), on_end(&late)).1;
        (accepted, late.count(), (shown.count(), early.count()))
    });
    assert_eq!(seen, [(true, 1, (1, 1)), (false, 0, (1, 1))].into());
}

#[test]
fn the_response_and_the_end_are_waited_for_by_two_threads_at_once() {
    let seen = outcomes(|| {
        let (request, context) = request();
        let (shown, told) = (Calls::default(), Calls::default());
        let register = {
            let (on_response, on_end) = (on_response(&shown), on_end(&told));
            |context: &RequestContext| both(context, on_response, on_end)
        };
        let (accepted, _) = both(&context, register, |_| headers(request));
        (accepted, shown.count(), told.count())
    });
    let all = [((true, true), 1, 1), ((true, false), 1, 0), ((false, true), 0, 1), ((false, false), 0, 0)];
    assert_eq!(seen, all.into());
}

#[test]
fn whoever_waits_for_a_response_that_does_not_come_is_refused_or_dropped_by_the_end() {
    let seen = outcomes(|| {
        let ((request, context), calls) = (request(), Calls::default());
        let held = Arc::new(());
        let register = {
            let (calls, held) = (calls.clone(), Arc::clone(&held));
            move |context: &RequestContext| {
                context.sync_scope(|| RequestContext::on_response(move |_| {
                    calls.add();
                    drop(held);
                })).is_ok()
            }
        };
        (both(&context, |_| drop(request), register).1, calls.count(), Arc::strong_count(&held))
    });
    assert_eq!(seen, [(true, 0, 1), (false, 0, 1)].into());
}

#[test]
fn whoever_is_refused_sees_what_was_set_before_the_response() {
    let seen = outcomes(|| {
        let (request, context) = request();
        let respond = |context: &RequestContext| {
            context.set(2_u8);
            done(request).unwrap()
        };
        let register = |context: &RequestContext| {
            let registered = context.sync_scope(|| RequestContext::on_response(|_| ()));
            registered.err().map(|error| (error == CallbackError::HeadersSent, get(context)))
        };
        // While the answer is there, the request is not over.
        let (_answer, refused) = both(&context, respond, register);
        refused
    });
    assert_eq!(seen, [None, Some((true, Some(2)))].into());
}

/// Registers a callback that counts itself, and adds a header.
fn on_response(calls: &Calls) -> impl FnOnce(&RequestContext) -> bool + use<> {
    let calls = calls.clone();
    move |context| {
        context.sync_scope(|| RequestContext::on_response(move |head| {
            calls.add();
            head.headers.append(WARNING, HeaderValue::from_static("seen"));
        })).is_ok()
    }
}

/// Sends the response, whose body is dropped, and says how many headers were added to it.
fn headers(request: Pin<Box<impl Future<Output = Result<Answer, Infallible>>>>) -> usize {
    let answer = done(request).unwrap();
    answer.headers().get_all(WARNING).iter().count()
}
