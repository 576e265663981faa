//! Calls of `is_end_stream` and `size_hint`, by the library and by the server.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use futures_util::FutureExt;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Bytes;
use tower_request_context::{RequestContext, ResponseBody};

use crate::{
    callbacks::{HandlerResult, read, serve},
    recorder::{DropRecorder, Recorder, Reports, recorder},
};

#[test]
fn are_called_outside_the_context_even_in_a_drop() {
    let (response, mut reports, _) = respond(None);
    assert!(!response.body().is_end_stream());
    drop(response);
    let calls = ["size_hint: nobody", "is_end_stream: nobody", "is_end_stream: nobody"];
    assert_eq!(reports.so_far(), [&calls[..], &["body dropped: user 1", "end Cancelled: user 1"]].concat());
}

#[test]
fn are_not_called_in_a_drop_after_the_last_byte() {
    let (mut response, mut reports, panics) = respond(Some(4));
    assert_eq!(response.frame().now_or_never().unwrap().unwrap().unwrap().into_data().unwrap(), "data");
    panics.store(true, Ordering::Relaxed);
    drop(response);
    assert_eq!(reports.so_far(), ["size_hint: nobody", "body dropped: user 1", "end Completed: user 1"]);
}

#[test]
fn panic_in_a_drop_is_caught_and_reported() {
    for size in [None, Some(4)] {
        let (response, mut reports, panics) = respond(size);
        panics.store(true, Ordering::Relaxed);
        drop(response);
        let reported = ["size_hint: nobody", "is_end_stream: nobody", "body dropped: user 1", "end Panicked: user 1"];
        assert_eq!(reports.so_far(), reported);
    }
}

#[test]
fn panic_in_a_drop_during_unwinding_does_not_abort() {
    let (response, mut reports, panics) = respond(None);
    panics.store(true, Ordering::Relaxed);
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _response = response;
        panic!("in the server");
    }));
    assert_eq!(*unwound.unwrap_err().downcast::<&str>().unwrap(), "in the server");
    assert_eq!(reports.so_far().last().unwrap(), "end Panicked: user 1");
}

#[test]
fn caught_panic_is_reported_even_if_the_body_completes() {
    let calls: [fn(&ResponseBody<ReportingHints>); 2] = [|body| _ = body.is_end_stream(), |body| _ = body.size_hint()];
    for call in calls {
        let (response, mut reports, panics) = respond(Some(4));
        panics.store(true, Ordering::Relaxed);
        assert!(catch_unwind(AssertUnwindSafe(|| call(response.body()))).is_err());
        panics.store(false, Ordering::Relaxed);
        assert_eq!(read(response), "data");
        assert_eq!(reports.so_far().last().unwrap(), "end Panicked: user 1");
    }
}

#[test]
fn body_is_dropped_in_context_if_its_size_hint_panics() {
    let (recorder, mut reports) = recorder();
    let (body, panics) = ReportingHints::new(&recorder, None);
    panics.store(true, Ordering::Relaxed);
    let request = respond_with(&recorder, body);
    assert!(catch_unwind(AssertUnwindSafe(|| request.now_or_never().is_some())).is_err());
    assert!(!RequestContext::is_active());
    assert_eq!(reports.so_far(), ["size_hint: nobody", "body dropped: user 1", "end Panicked: user 1"]);
}

/// Returns a response for user 1. Its body panics in its hints while the flag is set.
fn respond(size: Option<u64>) -> (Response<ResponseBody<ReportingHints>>, Reports, Arc<AtomicBool>) {
    let (recorder, reports) = recorder();
    let (body, panics) = ReportingHints::new(&recorder, size);
    let response = respond_with(&recorder, body)
        .now_or_never()
        .expect("the request is ready")
        .expect("the handler returns a response");
    (response, reports, panics)
}

fn respond_with(
    recorder: &Recorder,
    body: ReportingHints,
) -> impl Future<Output = HandlerResult<ResponseBody<ReportingHints>>> + use<> {
    let end = recorder.end_of("end");
    serve(1, async {
        RequestContext::on_end(end).unwrap();
        Ok(Response::new(body))
    })
}

/// A body of one frame, which reports calls of its hints.
struct ReportingHints {
    frame: Option<&'static str>,
    size: Option<u64>,
    panics: Arc<AtomicBool>,
    recorder: Recorder,
    _drop: DropRecorder,
}

impl ReportingHints {
    fn new(recorder: &Recorder, size: Option<u64>) -> (Self, Arc<AtomicBool>) {
        let (panics, recorder) = (Arc::default(), recorder.clone());
        let drop = recorder.drop_of("body dropped");
        (Self { frame: Some("data"), size, panics: Arc::clone(&panics), recorder, _drop: drop }, panics)
    }

    fn on_hint_called(&self, hint: &str) {
        self.recorder.saw(hint);
        assert!(!self.panics.load(Ordering::Relaxed), "in {hint}");
    }
}

impl Body for ReportingHints {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.frame.take().map(|data| Ok(Frame::data(Bytes::from(data)))))
    }

    fn is_end_stream(&self) -> bool {
        self.on_hint_called("is_end_stream");
        false
    }

    fn size_hint(&self) -> SizeHint {
        self.on_hint_called("size_hint");
        self.size.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
