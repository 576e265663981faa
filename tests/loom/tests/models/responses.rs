//! Registration of callbacks while the response of a request is sent, or while the request ends without one.

use std::{convert::Infallible, pin::Pin, sync::Arc};

use http::{HeaderValue, header::WARNING};
use tower_request_context::{CallbackError, RequestContext};

use crate::support::{Calls, TestResponse, both, done, get, on_end, outcomes, request};

#[test]
fn on_response_runs_once_or_is_rejected() {
    let seen = outcomes(|| {
        let ((request, context), calls) = (request(), Calls::default());
        let (headers, accepted) = both(&context, |_| headers(request), on_response(&calls));
        (accepted, calls.count(), headers)
    });
    assert_eq!(seen, [(true, 1, 1), (false, 0, 0)].into());
}

#[test]
fn on_end_is_kept_when_the_response_is_sent() {
    let seen = outcomes(|| {
        let ((request, context), calls) = (request(), Calls::default());
        (both(&context, |_| headers(request), on_end(&calls)).1, calls.count())
    });
    assert_eq!(seen, [(true, 1), (false, 0)].into());
}

#[test]
fn second_on_end_is_kept_when_the_response_is_sent() {
    let seen = outcomes(|| {
        let (request, context) = request();
        let (early, late) = (Calls::default(), Calls::default());
        assert!(on_end(&early)(&context));
        (both(&context, |_| headers(request), on_end(&late)).1, late.count(), early.count())
    });
    assert_eq!(seen, [(true, 1, 1), (false, 0, 1)].into());
}

#[test]
fn on_end_is_kept_while_on_response_callbacks_run() {
    let seen = outcomes(|| {
        let (request, context) = request();
        let (responded, early, late) = (Calls::default(), Calls::default(), Calls::default());
        assert!(on_response(&responded)(&context) && on_end(&early)(&context));
        let accepted = both(&context, |_| headers(request), on_end(&late)).1;
        (accepted, late.count(), (responded.count(), early.count()))
    });
    assert_eq!(seen, [(true, 1, (1, 1)), (false, 0, (1, 1))].into());
}

#[test]
fn on_response_and_on_end_race_on_two_threads() {
    let seen = outcomes(|| {
        let (request, context) = request();
        let (responded, ended) = (Calls::default(), Calls::default());
        let register = {
            let (on_response, on_end) = (on_response(&responded), on_end(&ended));
            |context: &RequestContext| both(context, on_response, on_end)
        };
        let (accepted, _) = both(&context, register, |_| headers(request));
        (accepted, responded.count(), ended.count())
    });
    let all = [((true, true), 1, 1), ((true, false), 1, 0), ((false, true), 0, 1), ((false, false), 0, 0)];
    assert_eq!(seen, all.into());
}

#[test]
fn on_response_without_a_response_is_rejected_or_dropped() {
    let seen = outcomes(|| {
        let ((request, context), calls) = (request(), Calls::default());
        let held = Arc::new(());
        let register = {
            let (calls, held) = (calls.clone(), Arc::clone(&held));
            move |context: &RequestContext| {
                context
                    .sync_scope(|| {
                        RequestContext::on_response(move |_| {
                            calls.add();
                            drop(held);
                        })
                    })
                    .is_ok()
            }
        };
        (both(&context, |_| drop(request), register).1, calls.count(), Arc::strong_count(&held))
    });
    assert_eq!(seen, [(true, 0, 1), (false, 0, 1)].into());
}

#[test]
fn rejection_makes_writes_before_the_response_visible() {
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
        // The request has not ended while its response is alive.
        let (_response, rejected) = both(&context, respond, register);
        rejected
    });
    assert_eq!(seen, [None, Some((true, Some(2)))].into());
}

/// Registers an `on_response` callback that counts its calls and adds a header.
fn on_response(calls: &Calls) -> impl FnOnce(&RequestContext) -> bool + use<> {
    let calls = calls.clone();
    move |context| {
        context
            .sync_scope(|| {
                RequestContext::on_response(move |head| {
                    calls.add();
                    head.headers.append(WARNING, HeaderValue::from_static("seen"));
                })
            })
            .is_ok()
    }
}

/// Sends the response, drops its body, and returns the number of headers that were added to it.
fn headers(request: Pin<Box<impl Future<Output = Result<TestResponse, Infallible>>>>) -> usize {
    let response = done(request).unwrap();
    response.headers().get_all(WARNING).iter().count()
}
