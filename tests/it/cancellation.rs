//! A request can be cut off at each of its moments. Here it is, at every one and in every way.
//!
//! A request is a row of steps: the polls of its future, then those of its body. After each number of steps it is
//! dropped, or unwound, or the next step fails or panics.

mod cut;
mod log;
mod requests;
mod work;

use std::rc::Rc;

use tower_request_context::{End, RequestContext};

use self::{
    cut::{Fate, Steps, cuts},
    log::{Log, OUTER, SIBLING, What, held, store, tell},
    requests::{Around, HEAD, KINDS, Kind, request},
    work::{Reel, Script, keeping, work},
};

#[test]
fn a_request_that_is_cut_off_anywhere_is_dropped_in_its_own_context_and_ends_once() {
    for around in [Around::Nothing, Around::Sibling, Around::Layer] {
        for kind in KINDS {
            for cut in cuts(HEAD + kind.polls()) {
                let script = Rc::new(Script::new(cut));
                let cut_off = || cut.off(|| request(&script, kind, around));
                match around {
                    Around::Sibling => RequestContext::new(store(SIBLING)).sync_scope(cut_off),
                    Around::Nothing | Around::Layer => cut_off(),
                }
                let log = Log::take(format!("{around:?} around {kind:?}, {cut:?}"));
                let end = match cut.fate {
                    Fate::Fails => End::Failed,
                    Fate::Panics | Fate::PanicsThrough => End::Panicked,
                    Fate::Dropped | Fate::Unwound if cut.steps >= kind.delivered_after() => End::Completed,
                    Fate::Dropped | Fate::Unwound => End::Cancelled,
                };
                let heads = usize::from(cut.steps >= HEAD);
                log.assert_context(script.me, heads, Some(end));
                match around {
                    Around::Layer => log.assert_context(OUTER, heads, Some(end)),
                    Around::Sibling => log.assert_context(SIBLING, 0, None),
                    Around::Nothing => {}
                }
            }
        }
    }
}

#[test]
fn a_run_that_is_cut_off_anywhere_is_dropped_in_its_own_context_and_ends_once() {
    for cut in cuts(HEAD) {
        let script = Rc::new(Script::new(cut));
        let me = script.me;
        cut.off(|| {
            let mut store = store(me);
            store.on_end(move |end| tell(me, What::End(end)));
            Steps::of_future(store.run(keeping(me, work(Rc::clone(&script), held(me)))))
        });
        let end = match cut.fate {
            Fate::Panics | Fate::PanicsThrough => End::Panicked,
            Fate::Dropped | Fate::Unwound if cut.steps < HEAD => End::Cancelled,
            Fate::Fails | Fate::Dropped | Fate::Unwound => End::Completed,
        };
        Log::take(format!("a run, {cut:?}")).assert_context(me, 0, Some(end));
    }
}

#[test]
fn a_scoped_future_that_is_cut_off_anywhere_is_dropped_in_its_context() {
    for carried in [false, true] {
        for cut in cuts(HEAD) {
            let script = Rc::new(Script::new(cut));
            cut.off(|| {
                let context = RequestContext::new(store(script.me));
                let work = keeping(script.me, work(Rc::clone(&script), held(script.me)));
                let carry = |work| context.sync_scope(|| RequestContext::carry(work));
                Steps::of_future(if carried { carry(work) } else { context.scope(work) })
            });
            Log::take(format!("carried: {carried}, {cut:?}")).assert_context(script.me, 0, None);
        }
    }
}

#[test]
fn a_scoped_body_that_is_cut_off_anywhere_is_dropped_in_its_context() {
    for kind in [Kind::Chunked, Kind::Trailers] {
        for cut in cuts(kind.polls()) {
            let script = Rc::new(Script::new(cut));
            cut.off(|| {
                let body = Reel::new(&script, kind);
                Steps::of_body(RequestContext::new(store(script.me)).scope(body))
            });
            Log::take(format!("a body, {kind:?}, {cut:?}")).assert_context(script.me, 0, None);
        }
    }
}
