//! Panics in callbacks, and in what they own.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind, panic_any},
    pin::pin,
    task::Poll,
};

use futures_util::{FutureExt, StreamExt, stream};
use http::{Request, Response, response::Parts};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Bytes;
use tower::{Layer, Service, service_fn};
use tower_request_context::{RequestContext, RequestContextLayer, Store};

use super::{Answer, Film, after, head, read, serve};
use crate::{
    recorder::{DropRecorder, Recorder, recorder},
    support::User,
};

/// Panics when it is dropped, and reports that.
struct PanicsInDrop {
    _drop: DropRecorder,
}

impl PanicsInDrop {
    fn new(recorder: &Recorder, what: &'static str) -> Self {
        Self { _drop: recorder.drop_of(what) }
    }
}

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("in a drop");
    }
}

/// Leaves end callbacks that panic in each way that there is, between two that do not.
fn register_panics(recorder: &Recorder) {
    let [payload, called] = ["payload dropped", "captured dropped"].map(|what| PanicsInDrop::new(recorder, what));
    RequestContext::on_end(recorder.end_of("first")).unwrap();
    RequestContext::on_end(|_| panic!("in an end callback")).unwrap();
    RequestContext::on_end(move |_| panic_any(payload)).unwrap();
    RequestContext::on_end(move |_| drop(called)).unwrap();
    RequestContext::on_end(recorder.end_of("last")).unwrap();
}

#[test]
fn panicking_end_callbacks_stop_neither_the_others_nor_the_server() {
    let (recorder, mut reports) = recorder();
    let [payload, captured] = ["payload dropped: user 1", "captured dropped: user 1"];
    let told = |how| [format!("first {how}: user 1"), payload.into(), captured.into(), format!("last {how}: user 1")];

    let response = head(serve(1, after(|| register_panics(&recorder))));
    assert_eq!(read(response), "");
    assert_eq!(reports.so_far(), told("Completed"));

    let failing = async {
        register_panics(&recorder);
        Err::<Response<String>, _>("an error")
    };
    assert_eq!(serve(1, failing).now_or_never().unwrap().unwrap_err(), "an error");
    assert_eq!(reports.so_far(), told("Failed"));

    let with_body = async {
        register_panics(&recorder);
        Ok(Response::new(String::from("unread")))
    };
    drop(head(serve(1, with_body)));
    assert_eq!(reports.so_far(), told("Cancelled"));

    assert!(!RequestContext::is_active());
    assert_eq!(read(head(serve(2, async { Ok(Response::new(User::name())) }))), "user 2");
}

#[test]
fn panicking_end_callbacks_do_not_abort_while_another_panic_unwinds() {
    let (recorder, mut reports) = recorder();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _response = head(serve(1, async {
            register_panics(&recorder);
            Ok(Response::new(String::from("unread")))
        }));
        panic!("in the server");
    }));
    assert_eq!(*unwound.unwrap_err().downcast::<&str>().unwrap(), "in the server");
    let dropped = ["payload dropped: user 1", "captured dropped: user 1"];
    let told = ["first Cancelled: user 1", dropped[0], dropped[1], "last Cancelled: user 1"];
    assert_eq!(reports.so_far(), told);
}

#[test]
fn callbacks_that_are_never_called_may_panic_when_they_are_dropped() {
    let (recorder, mut reports) = recorder();
    let uncalled = || {
        let held = PanicsInDrop::new(&recorder, "uncalled dropped");
        move || drop(held)
    };
    let failing = async {
        RequestContext::on_end(recorder.end_of("last")).unwrap();
        for callback in [uncalled(), uncalled()] {
            RequestContext::on_response(move |_| callback()).unwrap();
        }
        Err::<Response<String>, _>("an error")
    };
    assert!(serve(1, failing).now_or_never().unwrap().is_err());
    let told = ["last Failed: user 1", "uncalled dropped: user 1", "uncalled dropped: user 1"];
    assert_eq!(reports.so_far(), told);

    let mut store = Store::new().with_value(recorder.drop_of("value dropped"));
    for callback in [uncalled(), uncalled()] {
        store.on_response(move |_| callback());
    }
    let callback = uncalled();
    store.on_end(move |_| callback());
    drop(RequestContext::new(store));
    let uncalled = "uncalled dropped: nobody";
    assert_eq!(reports.so_far(), [uncalled, uncalled, uncalled, "value dropped: nobody"]);
}

#[test]
fn a_body_that_panics_while_it_is_dropped_is_panicked_however_it_came_to_that() {
    for script in [Some(Ok("data")), Some(Err("an error")), None] {
        let (recorder, mut reports) = recorder();
        let held = PanicsInDrop::new(&recorder, "body dropped");
        let is_read = script.is_some();
        let frames = StreamBody::new(stream::iter(script).map(move |frame| {
            let _held = &held;
            frame.map(|data| Frame::data(Bytes::from(data)))
        }));
        let mut response = head(serve(1, async {
            RequestContext::on_end(recorder.end_of("end")).unwrap();
            Ok(Response::new(frames))
        }));
        let panic = catch_unwind(AssertUnwindSafe(|| {
            while is_read && response.frame().now_or_never().flatten().is_some() {}
            drop(response);
        }));
        assert_eq!(*panic.unwrap_err().downcast::<&str>().unwrap(), "in a drop");
        assert_eq!(reports.so_far(), ["body dropped: user 1", "end Panicked: user 1"]);
    }
}

#[test]
fn a_body_that_panicked_and_is_polled_again_is_panicked_whatever_it_does_then() {
    for then in [Poll::Pending, Poll::Ready(None), Poll::Ready(Some(Ok("data"))), Poll::Ready(Some(Err("an error")))] {
        let (recorder, mut reports) = recorder();
        let mut polls = 0;
        let frames = stream::poll_fn(move |_| {
            polls += 1;
            assert!(polls > 1, "in a frame");
            then.map_ok(|data| Frame::data(Bytes::from(data)))
        });
        let mut response = head(serve(1, async {
            RequestContext::on_end(recorder.end_of("end")).unwrap();
            Ok(Response::new(StreamBody::new(frames)))
        }));
        assert!(catch_unwind(AssertUnwindSafe(|| response.frame().now_or_never().is_some())).is_err());
        let _ = response.frame().now_or_never();
        drop(response);
        assert_eq!(reports.so_far(), ["end Panicked: user 1"], "{then:?}");
    }
}

#[test]
fn a_future_that_panicked_and_is_polled_again_is_panicked_though_it_answers_then() {
    let (recorder, mut reports) = recorder();
    let mut polls = 0;
    let mut request = Box::pin(serve(
        1,
        poll_fn(|_| {
            polls += 1;
            if polls == 1 {
                RequestContext::on_end(recorder.end_of("end")).unwrap();
                panic!("in the handler");
            }
            Poll::Ready(Answer::Ok(Response::new(Film::new(&recorder, []))))
        }),
    ));
    assert!(catch_unwind(AssertUnwindSafe(|| request.as_mut().now_or_never().is_some())).is_err());
    read(request.now_or_never().unwrap().unwrap());
    assert_eq!(reports.so_far(), ["frame: user 1", "body dropped: user 1", "end Panicked: user 1"]);
}

#[test]
fn a_body_whose_drop_panicked_at_its_end_and_that_is_polled_again_is_panicked() {
    let (recorder, mut reports) = recorder();
    let held = PanicsInDrop::new(&recorder, "body dropped");
    let frames = stream::poll_fn(move |_| {
        let _held = &held;
        Poll::Ready(None::<Result<Frame<Bytes>, &str>>)
    });
    let mut response = head(serve(1, async {
        RequestContext::on_end(recorder.end_of("end")).unwrap();
        Ok(Response::new(StreamBody::new(frames)))
    }));
    assert!(catch_unwind(AssertUnwindSafe(|| response.frame().now_or_never().is_some())).is_err());
    assert!(response.frame().now_or_never().flatten().is_none());
    drop(response);
    assert_eq!(reports.so_far(), ["body dropped: user 1", "end Panicked: user 1"]);
}

/// What response callbacks that panic leave behind: the first panic, and reports.
const HEADS: [&str; 4] = ["first head: user 1", "payload dropped: user 1", "last head: user 1", "body dropped: user 1"];

type ResponseCallback = Box<dyn FnOnce(&mut Parts) + Send>;

fn panicking_heads(recorder: &Recorder) -> [ResponseCallback; 4] {
    let second = PanicsInDrop::new(recorder, "payload dropped");
    [
        Box::new(recorder.head_of("first")),
        Box::new(|_| panic!("the first panic")),
        Box::new(move |_| panic_any(second)),
        Box::new(recorder.head_of("last")),
    ]
}

#[test]
fn after_a_panic_in_a_response_callback_the_others_run_and_the_request_fails_with_it() {
    let (recorder, mut reports) = recorder();
    let mut request = Box::pin(serve(1, async {
        RequestContext::on_end(recorder.end_of("end")).unwrap();
        for callback in panicking_heads(&recorder) {
            RequestContext::on_response(callback).unwrap();
        }
        Ok(Response::new(Film::new(&recorder, [])))
    }));
    let panic = catch_unwind(AssertUnwindSafe(|| request.as_mut().now_or_never()));
    assert_eq!(*panic.err().unwrap().downcast::<&str>().unwrap(), "the first panic");
    assert_eq!(reports.so_far(), HEADS);
    assert!(!RequestContext::is_active());
    drop(request);
    assert_eq!(reports.so_far(), ["end Panicked: user 1"]);
}

#[test]
fn a_panic_in_a_response_callback_of_a_refusal_is_no_different() {
    let (recorder, mut reports) = recorder();
    let seen = recorder.clone();
    #[expect(clippy::result_large_err, reason = "a refusal is a whole response")]
    let refusing = RequestContextLayer::new(move |store, _| {
        store.insert(User(1));
        store.on_end(seen.end_of("end"));
        for callback in panicking_heads(&seen) {
            store.on_response(callback);
        }
        Err(Response::new(Film::new(&seen, [])))
    });
    let never = service_fn(async |_: Request<()>| -> Answer<Film> { unreachable!("the setup refuses") });
    let request = refusing.layer(never).call(Request::new(()));
    let panic = catch_unwind(AssertUnwindSafe(|| pin!(request).now_or_never()));
    assert_eq!(*panic.err().unwrap().downcast::<&str>().unwrap(), "the first panic");
    assert_eq!(reports.so_far(), [&HEADS[..], &["end Panicked: user 1"]].concat());
}

/// A payload whose drop panics with a payload of the same kind, as many times as this says.
struct PanicsAgain(u32, Recorder);

impl Drop for PanicsAgain {
    fn drop(&mut self) {
        self.1.saw("payload dropped");
        if self.0 > 0 {
            panic_any(Self(self.0 - 1, self.1.clone()));
        }
    }
}

#[test]
fn payloads_that_panic_in_their_drop_are_dropped_up_to_a_limit() {
    for (panics, drops) in [(0, 1), (1, 2), (7, 8), (8, 8), (u32::MAX, 8)] {
        let (recorder, mut reports) = recorder();
        let payload = PanicsAgain(panics, recorder.clone());
        read(head(serve(1, after(|| RequestContext::on_end(|_| panic_any(payload)).unwrap()))));
        assert_eq!(reports.so_far(), vec!["payload dropped: user 1"; drops], "{panics}");
    }
}
