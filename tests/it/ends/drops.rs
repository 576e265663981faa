//! Panics in code that a request runs indirectly, which are reported as `Panicked`: the `Drop` of a replaced value or
//! of the body, and its waker.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use futures_util::{FutureExt, stream};
use http::{Request, Response, response::Parts};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::Bytes;
use tower::{Layer, Service, service_fn};
use tower_request_context::{RequestContext, RequestContextLayer};

use crate::{
    callbacks::{HandlerResult, read, serve},
    recorder::{Recorder, Reports, recorder},
    support::User,
};

type Frames = Option<Result<Frame<Bytes>, Infallible>>;

#[test]
fn panic_in_the_drop_of_a_value_replaced_in_the_setup() {
    let (recorder, mut reports) = recorder();
    let layer = RequestContextLayer::new(move |store, _| {
        store.insert(User(1));
        store.on_end(recorder.end_of("end"));
        store.insert(PanicsInDrop);
        store.insert(PanicsInDrop);
    });
    let never = service_fn(async |_: Request<()>| -> HandlerResult<String> { unreachable!("the setup panics") });
    let mut service = layer.layer(never);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(service.call(Request::new(()))))).is_err());
    assert_eq!(reports.so_far(), ["end Panicked: user 1"]);
}

#[test]
fn panic_in_the_drop_of_a_value_replaced_in_the_future() {
    let handler = async {
        replace_value();
        Ok(Response::new(Empty::<Bytes>::new()))
    };
    assert_eq!(reports_of_panic(|recorder| handle(&recorder, handler)).so_far(), ["end Panicked: user 1"]);
}

#[test]
fn panic_in_the_drop_of_a_value_replaced_in_on_response() {
    let handler = async {
        RequestContext::on_response(|_: &mut Parts| replace_value()).unwrap();
        Ok(Response::new(Empty::<Bytes>::new()))
    };
    assert_eq!(reports_of_panic(|recorder| handle(&recorder, handler)).so_far(), ["end Panicked: user 1"]);
}

#[test]
fn panic_in_the_drop_of_a_value_replaced_in_a_frame() {
    let body = StreamBody::new(stream::poll_fn(|_| -> Poll<Frames> {
        replace_value();
        Poll::Ready(None)
    }));
    let handler = async { Ok(Response::new(body)) };
    assert_eq!(reports_of_panic(|recorder| handle(&recorder, handler)).so_far(), ["end Panicked: user 1"]);
}

#[test]
fn panic_in_the_drop_of_a_value_replaced_in_a_body_drop() {
    struct Replaces;

    impl Drop for Replaces {
        fn drop(&mut self) {
            replace_value();
        }
    }

    let handler = async { Ok(Response::new(empty_body_holding(Replaces))) };
    assert_eq!(reports_of_panic(|recorder| handle(&recorder, handler)).so_far(), ["end Panicked: user 1"]);
}

/// Code that catches the panic may keep the body.
#[test]
fn panic_in_the_drop_of_a_body_is_reported_while_it_is_kept() {
    let (recorder, mut reports) = recorder();
    let handler = async { Ok(Response::new(empty_body_holding(PanicsInDrop))) };
    let mut response = register(&recorder, handler).now_or_never().expect("the request is ready").unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| response.frame().now_or_never())).is_err());
    assert_eq!(reports.so_far(), ["end Panicked: user 1"]);
    drop(response);
    assert!(reports.is_empty());
}

#[test]
fn panic_in_a_waker_called_by_a_future_or_frame() {
    struct PanicsOnWake;

    impl Wake for PanicsOnWake {
        fn wake(self: Arc<Self>) {
            panic!("in a waker");
        }
    }

    let waker = Waker::from(Arc::new(PanicsOnWake));
    for is_in_frame in [false, true] {
        let wake = |cx: &mut Context<'_>| cx.waker().wake_by_ref();
        let body = StreamBody::new(stream::poll_fn(move |cx| -> Poll<Frames> {
            wake(cx);
            Poll::Ready(None)
        }));
        let handler = std::future::poll_fn(move |cx| {
            if !is_in_frame {
                wake(cx);
            }
            Poll::Ready(())
        });
        let handler = async {
            handler.await;
            Ok(Response::new(body))
        };
        let mut reports = reports_of_panic(|recorder| {
            let cx = &mut Context::from_waker(&waker);
            let Poll::Ready(response) = pin!(register(&recorder, handler)).poll(cx) else { panic!("it is ready") };
            let _ = pin!(response.unwrap().into_body()).poll_frame(cx).is_ready();
        });
        assert_eq!(reports.so_far(), ["end Panicked: user 1"], "{is_in_frame}");
    }
}

/// A value that panics in its drop.
struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("in a drop");
    }
}

/// Replaces a value whose drop panics here. The drop of the second value panics when the store is dropped, where the
/// panic is caught.
fn replace_value() {
    RequestContext::set(PanicsInDrop).unwrap();
    RequestContext::set(PanicsInDrop).unwrap();
}

/// Returns an empty body that drops `held` when it is dropped.
fn empty_body_holding<T>(held: T) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
    StreamBody::new(stream::poll_fn(move |_| -> Poll<Frames> {
        let _held = &held;
        Poll::Ready(None)
    }))
}

/// Asserts that the request panics, and returns its reports.
fn reports_of_panic(request: impl FnOnce(Recorder)) -> Reports {
    let (recorder, reports) = recorder();
    assert!(catch_unwind(AssertUnwindSafe(|| request(recorder))).is_err());
    reports
}

/// Serves a request and reads its response.
fn handle<B: Body<Error = Infallible>>(recorder: &Recorder, handler: impl Future<Output = HandlerResult<B>>) {
    let response = register(recorder, handler).now_or_never().expect("the request is ready");
    read(response.unwrap());
}

fn register<B: Body>(
    recorder: &Recorder,
    handler: impl Future<Output = HandlerResult<B>>,
) -> impl Future<Output = HandlerResult<tower_request_context::ResponseBody<B>>> {
    let end = recorder.end_of("end");
    serve(1, async {
        RequestContext::on_end(end).unwrap();
        handler.await
    })
}
