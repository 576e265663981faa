//! Requests that are interrupted after each possible number of steps, in each possible manner.
//!
//! A request is a sequence of steps: the polls of its future, then those of its body. After each number of steps it is
//! dropped normally, it is dropped by a panic, or the next step fails or panics.

mod interruption;
mod log;
mod requests;
mod scripted;

use std::rc::Rc;

use tower_request_context::{End, RequestContext};

use self::{
    interruption::{Manner, Steps, interruptions},
    log::{EventKind, Log, OUTER, SIBLING, drop_recorder, record, store},
    requests::{BODY_KINDS, BodyKind, POLLS_TO_RESPONSE, Surroundings, request},
    scripted::{Script, ScriptedBody, keep_until_dropped, scripted},
};

/// Covers each step, manner and kind of body, alone, inside another request's context, and inside another layer.
#[test]
fn interrupted_request_is_dropped_in_its_context_and_ends_once() {
    for surroundings in [Surroundings::Nothing, Surroundings::Sibling, Surroundings::Layer] {
        for kind in BODY_KINDS {
            for interruption in interruptions(POLLS_TO_RESPONSE + kind.polls()) {
                let script = Rc::new(Script::new(interruption));
                let interrupt = || interruption.apply(|| request(&script, kind, surroundings));
                match surroundings {
                    Surroundings::Sibling => RequestContext::new(store(SIBLING)).sync_scope(interrupt),
                    Surroundings::Nothing | Surroundings::Layer => interrupt(),
                }
                let log = Log::take(format!("{surroundings:?} around {kind:?}, {interruption:?}"));
                let end = match interruption.manner {
                    Manner::Fails => End::Failed,
                    Manner::Panics | Manner::PanicsThrough => End::Panicked,
                    Manner::Dropped | Manner::Unwound if interruption.steps >= kind.delivered_after() => End::Completed,
                    Manner::Dropped | Manner::Unwound => End::Cancelled,
                };
                let responses = usize::from(interruption.steps >= POLLS_TO_RESPONSE);
                log.assert_context(script.user, responses, Some(end));
                match surroundings {
                    Surroundings::Layer => log.assert_context(OUTER, responses, Some(end)),
                    Surroundings::Sibling => log.assert_context(SIBLING, 0, None),
                    Surroundings::Nothing => {}
                }
            }
        }
    }
}

#[test]
fn interrupted_run_is_dropped_in_its_context_and_ends_once() {
    for interruption in interruptions(POLLS_TO_RESPONSE) {
        let script = Rc::new(Script::new(interruption));
        let user = script.user;
        interruption.apply(|| {
            let mut store = store(user);
            store.on_end(move |end| record(user, EventKind::End(end)));
            Steps::of_future(store.run(keep_until_dropped(user, scripted(Rc::clone(&script), drop_recorder(user)))))
        });
        let end = match interruption.manner {
            Manner::Panics | Manner::PanicsThrough => End::Panicked,
            Manner::Dropped | Manner::Unwound if interruption.steps < POLLS_TO_RESPONSE => End::Cancelled,
            Manner::Fails | Manner::Dropped | Manner::Unwound => End::Completed,
        };
        Log::take(format!("a run, {interruption:?}")).assert_context(user, 0, Some(end));
    }
}

#[test]
fn interrupted_scoped_future_is_dropped_in_its_context() {
    for carried in [false, true] {
        for interruption in interruptions(POLLS_TO_RESPONSE) {
            let script = Rc::new(Script::new(interruption));
            interruption.apply(|| {
                let context = RequestContext::new(store(script.user));
                let future = keep_until_dropped(script.user, scripted(Rc::clone(&script), drop_recorder(script.user)));
                let carry = |future| context.sync_scope(|| RequestContext::carry(future));
                Steps::of_future(if carried { carry(future) } else { context.scope(future) })
            });
            Log::take(format!("carried: {carried}, {interruption:?}")).assert_context(script.user, 0, None);
        }
    }
}

#[test]
fn interrupted_scoped_body_is_dropped_in_its_context() {
    for kind in [BodyKind::Chunked, BodyKind::Trailers] {
        for interruption in interruptions(kind.polls()) {
            let script = Rc::new(Script::new(interruption));
            interruption.apply(|| {
                let body = ScriptedBody::new(&script, kind);
                Steps::of_body(RequestContext::new(store(script.user)).scope(body))
            });
            Log::take(format!("a body, {kind:?}, {interruption:?}")).assert_context(script.user, 0, None);
        }
    }
}
