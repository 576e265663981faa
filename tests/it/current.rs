//! Functions on the current context that write to it: without a context, in a child, and after the request has ended.

use std::sync::{Arc, Barrier};

use futures_util::FutureExt;
use tower_request_context::{CallbackError, ContextError, RequestContext, Store};

use crate::{
    callbacks::{after, read, serve},
    recorder::{DropRecorder, recorder},
    support::User,
};

#[derive(Clone, Debug, PartialEq)]
struct Name(&'static str);

const ANN: Name = Name("Ann");
const BOB: Name = Name("Bob");

/// A context and a child of it, which both hold a `u8`; the parent also holds a name.
fn parent_and_child() -> (RequestContext, RequestContext) {
    let parent = RequestContext::new(Store::new().with_value(ANN).with_value(1_u8));
    let child = parent.child(Store::new().with_value(2_u8));
    (parent, child)
}

/// The context of a request that has ended.
fn ended(value: Option<Name>) -> RequestContext {
    let mut kept = None;
    let handler = after(|| {
        if let Some(value) = value {
            RequestContext::set(value).unwrap();
        }
        kept = RequestContext::current();
    });
    read(serve(1, handler).now_or_never().unwrap().unwrap());
    let kept = kept.unwrap();
    assert!(kept.is_ended());
    kept
}

#[test]
fn set_if_absent_without_a_context_drops_the_value() {
    let (recorder, mut reports) = recorder();
    assert_eq!(RequestContext::set_if_absent(recorder.drop_of("dropped")), Err(ContextError::NoContext));
    assert_eq!(reports.so_far(), ["dropped: nobody"]);
    let (parent, _) = parent_and_child();
    assert_eq!(
        parent.sync_scope(|| RequestContext::sync_exit(|| RequestContext::set_if_absent(7_u16))),
        Err(ContextError::NoContext)
    );
    assert_eq!(parent.get::<u16>(), None);
}

#[test]
fn set_if_absent_keeps_a_value_of_the_parent() {
    let (parent, child) = parent_and_child();
    child.sync_scope(|| {
        assert_eq!(RequestContext::set_if_absent(BOB), Ok(false));
        assert_eq!(RequestContext::set_if_absent(3_u8), Ok(false));
        assert_eq!(RequestContext::set_if_absent(3_u16), Ok(true));
        assert_eq!(RequestContext::set_if_absent(4_u16), Ok(false));
    });
    assert_eq!((child.get(), child.get(), child.get()), (Some(ANN), Some(2_u8), Some(3_u16)));
    assert_eq!(parent.get::<u16>(), None);
}

#[test]
fn set_if_absent_sets_a_value_that_was_removed() {
    let (parent, child) = parent_and_child();
    child.sync_scope(|| {
        assert_eq!(RequestContext::remove::<Name>(), Ok(true));
        assert_eq!(RequestContext::set_if_absent(BOB), Ok(true));
    });
    assert_eq!((parent.get(), child.get()), (Some(ANN), Some(BOB)));
}

#[test]
fn remove_without_a_context_is_an_error() {
    assert_eq!(RequestContext::remove::<Name>(), Err(ContextError::NoContext));
    let (parent, _) = parent_and_child();
    assert_eq!(
        parent.sync_scope(|| RequestContext::sync_exit(RequestContext::remove::<Name>)),
        Err(ContextError::NoContext)
    );
    assert_eq!(parent.get(), Some(ANN));
}

#[test]
fn remove_hides_a_value_of_the_parent() {
    let (parent, child) = parent_and_child();
    child.sync_scope(|| {
        assert_eq!(RequestContext::remove::<Name>(), Ok(true));
        assert_eq!(RequestContext::remove::<Name>(), Ok(false));
        assert_eq!(RequestContext::remove::<u8>(), Ok(true));
        assert_eq!(RequestContext::remove::<u16>(), Ok(false));
        assert_eq!((RequestContext::get::<Name>(), RequestContext::get::<u8>()), (None, None));
    });
    assert_eq!((parent.get(), parent.get()), (Some(ANN), Some(1_u8)));
}

#[test]
fn removed_value_is_dropped_in_the_context() {
    let (recorder, mut reports) = recorder();
    let context = RequestContext::new(Store::new().with_value(User(1)));
    context.set(recorder.drop_of("dropped"));
    context.sync_scope(|| {
        assert_eq!(RequestContext::remove::<DropRecorder>(), Ok(true));
        assert_eq!(reports.so_far(), ["dropped: user 1"]);
    });
}

#[test]
fn get_or_insert_with_without_a_context_calls_the_closure() {
    assert_eq!(RequestContext::get_or_insert_with(|| ANN), ANN);
    assert_eq!(RequestContext::get_or_insert_with(|| BOB), BOB);
    let (parent, _) = parent_and_child();
    let outside = parent.sync_scope(|| RequestContext::sync_exit(|| RequestContext::get_or_insert_with(|| BOB)));
    assert_eq!((outside, parent.get()), (BOB, Some(ANN)));
}

#[test]
fn get_or_insert_with_returns_a_value_of_the_parent() {
    let (parent, child) = parent_and_child();
    child.sync_scope(|| {
        assert_eq!(RequestContext::get_or_insert_with(|| -> Name { unreachable!("the parent holds one") }), ANN);
        assert_eq!(RequestContext::get_or_insert_with(|| 7_u16), 7);
        assert_eq!(RequestContext::get_or_insert_with(|| -> u16 { unreachable!("it is set") }), 7);
    });
    assert_eq!((parent.get::<u16>(), child.get()), (None, Some(7_u16)));
}

#[test]
fn closure_of_get_or_insert_with_may_use_the_context() {
    let (parent, child) = parent_and_child();
    let made = child.sync_scope(|| {
        RequestContext::get_or_insert_with(|| {
            assert_eq!(RequestContext::get::<u8>(), Some(2));
            RequestContext::set(8_u8).unwrap();
            parent.sync_scope(|| assert_eq!(RequestContext::get_or_insert_with(|| 9_u32), 9));
            RequestContext::get_or_insert_with(|| 7_u64);
            7_u16
        })
    });
    assert_eq!((made, child.get(), child.get(), child.get()), (7, Some(8_u8), Some(9_u32), Some(7_u64)));
    assert_eq!((parent.get::<u16>(), parent.get::<u64>()), (None, None));
}

#[test]
fn concurrent_callers_of_get_or_insert_with_return_one_value() {
    let context = RequestContext::new(Store::new());
    let all_run = Barrier::new(4);
    let values = std::thread::scope(|threads| {
        let call = |caller| {
            context.sync_scope(|| {
                RequestContext::get_or_insert_with(|| {
                    all_run.wait(); // so that none has set its value yet
                    Arc::new(caller)
                })
            })
        };
        let callers: Vec<_> = (0..4_u8).map(|caller| threads.spawn(move || call(caller))).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect::<Vec<_>>()
    });
    let kept = context.get::<Arc<u8>>().unwrap();
    assert!(values.iter().all(|value| Arc::ptr_eq(value, &kept)));
}

#[test]
fn context_of_an_ended_request_can_still_be_written() {
    let context = ended(None);
    for context in [context.child(Store::new()), context] {
        context.sync_scope(|| {
            assert!(RequestContext::is_ended());
            assert_eq!(RequestContext::set_if_absent(ANN), Ok(true));
            assert_eq!(RequestContext::set_if_absent(BOB), Ok(false));
            assert_eq!(RequestContext::remove::<Name>(), Ok(true));
            assert_eq!(RequestContext::get_or_insert_with(|| BOB), BOB);
            assert_eq!(RequestContext::get::<User>(), Some(User(1)));
            assert_eq!(RequestContext::on_end(|_| {}), Err(CallbackError::Ended));
            assert_eq!(RequestContext::on_response(|_| {}), Err(CallbackError::Ended));
        });
    }
    assert_eq!(ended(Some(ANN)).sync_scope(|| RequestContext::get_or_insert_with(|| BOB)), ANN);
}

#[test]
fn is_ended_agrees_with_the_handle() {
    assert!(!RequestContext::is_ended());
    let (parent, child) = parent_and_child();
    assert!(!child.sync_scope(RequestContext::is_ended), "a scoped context never ends");
    drop((parent, child));

    let (recorder, mut reports) = recorder();
    let handler = after(|| {
        let is_ended = |what| format!("{what} {}", RequestContext::is_ended());
        recorder.saw(&is_ended("handler"));
        let (at_response, at_end) = (recorder.clone(), recorder.clone());
        RequestContext::on_response(move |_| at_response.saw(&is_ended("response"))).unwrap();
        RequestContext::on_end(move |_| at_end.saw(&is_ended("end"))).unwrap();
        let run = Store::new().run(async { RequestContext::current().unwrap() });
        let run = run.now_or_never().unwrap();
        assert!(run.sync_scope(RequestContext::is_ended));
        assert!(run.child(Store::new()).sync_scope(RequestContext::is_ended));
        assert!(!RequestContext::is_ended(), "the request goes on");
    });
    read(serve(1, handler).now_or_never().unwrap().unwrap());
    assert_eq!(reports.so_far(), ["handler false: user 1", "response false: user 1", "end true: user 1"]);
    let ended = ended(None);
    assert!(ended.sync_scope(RequestContext::is_ended));
    assert!(!ended.sync_scope(|| RequestContext::sync_exit(RequestContext::is_ended)));
}
