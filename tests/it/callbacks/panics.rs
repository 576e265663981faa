//! Panics in callbacks, and in the values that they capture.

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

use super::{HandlerResult, RecordedBody, after, read, response_of, serve};
use crate::{
    recorder::{DropRecorder, Recorder, recorder},
    support::User,
};

/// Reports its drop and panics in it.
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

/// Registers `on_end` callbacks that panic in different ways, between two that do not panic.
fn register_panics(recorder: &Recorder) {
    let [payload, called] = ["payload dropped", "captured dropped"].map(|what| PanicsInDrop::new(recorder, what));
    RequestContext::on_end(recorder.end_of("first")).unwrap();
    RequestContext::on_end(|_| panic!("in an end callback")).unwrap();
    RequestContext::on_end(move |_| panic_any(payload)).unwrap();
    RequestContext::on_end(move |_| drop(called)).unwrap();
    RequestContext::on_end(recorder.end_of("last")).unwrap();
}

#[test]
fn panic_in_on_end_stops_neither_other_callbacks_nor_the_server() {
    let (recorder, mut reports) = recorder();
    let [payload, captured] = ["payload dropped: user 1", "captured dropped: user 1"];
    let expected_reports =
        |how| [format!("first {how}: user 1"), payload.into(), captured.into(), format!("last {how}: user 1")];

    let response = response_of(serve(1, after(|| register_panics(&recorder))));
    assert_eq!(read(response), "");
    assert_eq!(reports.so_far(), expected_reports("Completed"));

    let failing = async {
        register_panics(&recorder);
        Err::<Response<String>, _>("an error")
    };
    assert_eq!(serve(1, failing).now_or_never().unwrap().unwrap_err(), "an error");
    assert_eq!(reports.so_far(), expected_reports("Failed"));

    let with_body = async {
        register_panics(&recorder);
        Ok(Response::new(String::from("unread")))
    };
    drop(response_of(serve(1, with_body)));
    assert_eq!(reports.so_far(), expected_reports("Cancelled"));

    assert!(!RequestContext::is_active());
    assert_eq!(read(response_of(serve(2, async { Ok(Response::new(User::name())) }))), "user 2");
}

#[test]
fn panic_in_on_end_during_unwinding_does_not_abort() {
    let (recorder, mut reports) = recorder();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _response = response_of(serve(1, async {
            register_panics(&recorder);
            Ok(Response::new(String::from("unread")))
        }));
        panic!("in the server");
    }));
    assert_eq!(*unwound.unwrap_err().downcast::<&str>().unwrap(), "in the server");
    let dropped = ["payload dropped: user 1", "captured dropped: user 1"];
    let expected_reports = ["first Cancelled: user 1", dropped[0], dropped[1], "last Cancelled: user 1"];
    assert_eq!(reports.so_far(), expected_reports);
}

#[test]
fn uncalled_callbacks_may_panic_in_their_drop() {
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
    let expected_reports = ["last Failed: user 1", "uncalled dropped: user 1", "uncalled dropped: user 1"];
    assert_eq!(reports.so_far(), expected_reports);

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
fn panic_in_the_drop_of_a_body_is_reported() {
    for script in [Some(Ok("data")), Some(Err("an error")), None] {
        let (recorder, mut reports) = recorder();
        let held = PanicsInDrop::new(&recorder, "body dropped");
        let is_read = script.is_some();
        let frames = StreamBody::new(stream::iter(script).map(move |frame| {
            let _held = &held;
            frame.map(|data| Frame::data(Bytes::from(data)))
        }));
        let mut response = response_of(serve(1, async {
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
fn panic_in_a_body_is_reported_if_it_is_polled_again() {
    for then in [Poll::Pending, Poll::Ready(None), Poll::Ready(Some(Ok("data"))), Poll::Ready(Some(Err("an error")))] {
        let (recorder, mut reports) = recorder();
        let mut polls = 0;
        let frames = stream::poll_fn(move |_| {
            polls += 1;
            assert!(polls > 1, "in a frame");
            then.map_ok(|data| Frame::data(Bytes::from(data)))
        });
        let mut response = response_of(serve(1, async {
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
fn panic_in_a_future_is_reported_if_it_responds_later() {
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
            Poll::Ready(HandlerResult::Ok(Response::new(RecordedBody::new(&recorder, []))))
        }),
    ));
    assert!(catch_unwind(AssertUnwindSafe(|| request.as_mut().now_or_never().is_some())).is_err());
    read(request.now_or_never().unwrap().unwrap());
    assert_eq!(reports.so_far(), ["frame: user 1", "body dropped: user 1", "end Panicked: user 1"]);
}

#[test]
fn panic_in_the_drop_of_a_finished_body_is_reported() {
    let (recorder, mut reports) = recorder();
    let held = PanicsInDrop::new(&recorder, "body dropped");
    let frames = stream::poll_fn(move |_| {
        let _held = &held;
        Poll::Ready(None::<Result<Frame<Bytes>, &str>>)
    });
    let mut response = response_of(serve(1, async {
        RequestContext::on_end(recorder.end_of("end")).unwrap();
        Ok(Response::new(StreamBody::new(frames)))
    }));
    assert!(catch_unwind(AssertUnwindSafe(|| response.frame().now_or_never().is_some())).is_err());
    assert!(response.frame().now_or_never().flatten().is_none());
    drop(response);
    assert_eq!(reports.so_far(), ["body dropped: user 1", "end Panicked: user 1"]);
}

/// The reports of [`panicking_response_callbacks`], up to the drop of the body.
const RESPONSE_REPORTS: [&str; 4] =
    ["first head: user 1", "payload dropped: user 1", "last head: user 1", "body dropped: user 1"];

type ResponseCallback = Box<dyn FnOnce(&mut Parts) + Send>;

fn panicking_response_callbacks(recorder: &Recorder) -> [ResponseCallback; 4] {
    let second = PanicsInDrop::new(recorder, "payload dropped");
    [
        Box::new(recorder.head_of("first")),
        Box::new(|_| panic!("the first panic")),
        Box::new(move |_| panic_any(second)),
        Box::new(recorder.head_of("last")),
    ]
}

/// The first panic is resumed after the other callbacks have run.
#[test]
fn panic_in_on_response_unwinds_after_the_other_callbacks() {
    let (recorder, mut reports) = recorder();
    let mut request = Box::pin(serve(1, async {
        RequestContext::on_end(recorder.end_of("end")).unwrap();
        for callback in panicking_response_callbacks(&recorder) {
            RequestContext::on_response(callback).unwrap();
        }
        Ok(Response::new(RecordedBody::new(&recorder, [])))
    }));
    let panic = catch_unwind(AssertUnwindSafe(|| request.as_mut().now_or_never()));
    assert_eq!(*panic.err().unwrap().downcast::<&str>().unwrap(), "the first panic");
    assert_eq!(reports.so_far(), RESPONSE_REPORTS);
    assert!(!RequestContext::is_active());
    drop(request);
    assert_eq!(reports.so_far(), ["end Panicked: user 1"]);
}

#[test]
fn panic_in_on_response_of_a_rejection_unwinds_too() {
    let (recorder, mut reports) = recorder();
    let seen = recorder.clone();
    #[expect(clippy::result_large_err, reason = "a rejection is a whole response")]
    let rejecting = RequestContextLayer::new(move |store, _| {
        store.insert(User(1));
        store.on_end(seen.end_of("end"));
        for callback in panicking_response_callbacks(&seen) {
            store.on_response(callback);
        }
        Err(Response::new(RecordedBody::new(&seen, [])))
    });
    let never = service_fn(async |_: Request<()>| -> HandlerResult<RecordedBody> {
        unreachable!("the setup rejects the request")
    });
    let request = rejecting.layer(never).call(Request::new(()));
    let panic = catch_unwind(AssertUnwindSafe(|| pin!(request).now_or_never()));
    assert_eq!(*panic.err().unwrap().downcast::<&str>().unwrap(), "the first panic");
    assert_eq!(reports.so_far(), [&RESPONSE_REPORTS[..], &["end Panicked: user 1"]].concat());
}

/// A payload whose drop panics with another such payload, this many times.
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
fn at_most_8_payloads_that_panic_in_their_drop_are_dropped() {
    for (panics, drops) in [(0, 1), (1, 2), (7, 8), (8, 8), (u32::MAX, 8)] {
        let (recorder, mut reports) = recorder();
        let payload = PanicsAgain(panics, recorder.clone());
        read(response_of(serve(1, after(|| RequestContext::on_end(|_| panic_any(payload)).unwrap()))));
        assert_eq!(reports.so_far(), vec!["payload dropped: user 1"; drops], "{panics}");
    }
}
