//! Panics in code that a request runs and does not name: the `Drop` of a value that it replaces, and its waker.

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
use http_body_util::{Empty, StreamBody};
use hyper::body::Bytes;
use tower::{Layer, Service, service_fn};
use tower_request_context::{RequestContext, RequestContextLayer};

use crate::{
    callbacks::{Answer, read, serve},
    recorder::{Recorder, Reports, recorder},
    support::User,
};

type Frames = Option<Result<Frame<Bytes>, Infallible>>;

#[test]
fn of_a_value_that_the_setup_replaces_are_reported() {
    let (recorder, mut reports) = recorder();
    let layer = RequestContextLayer::new(move |store, _| {
        store.insert(User(1));
        store.on_end(recorder.end_of("end"));
        store.insert(Bomb);
        store.insert(Bomb);
    });
    let never = service_fn(async |_: Request<()>| -> Answer<String> { unreachable!("the setup panics") });
    let mut service = layer.layer(never);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(service.call(Request::new(()))))).is_err());
    assert_eq!(reports.so_far(), ["end Panicked: user 1"]);
}

#[test]
fn of_a_value_that_the_future_replaces_are_reported() {
    let handler = async {
        replace();
        Ok(Response::new(Empty::<Bytes>::new()))
    };
    assert_eq!(panics(|recorder| handle(&recorder, handler)).so_far(), ["end Panicked: user 1"]);
}

#[test]
fn of_a_value_that_on_response_replaces_are_reported() {
    let handler = async {
        RequestContext::on_response(|_: &mut Parts| replace()).unwrap();
        Ok(Response::new(Empty::<Bytes>::new()))
    };
    assert_eq!(panics(|recorder| handle(&recorder, handler)).so_far(), ["end Panicked: user 1"]);
}

#[test]
fn of_a_value_that_a_frame_replaces_are_reported() {
    let body = StreamBody::new(stream::poll_fn(|_| -> Poll<Frames> {
        replace();
        Poll::Ready(None)
    }));
    let handler = async { Ok(Response::new(body)) };
    assert_eq!(panics(|recorder| handle(&recorder, handler)).so_far(), ["end Panicked: user 1"]);
}

#[test]
fn of_a_value_that_the_drop_of_a_body_replaces_are_reported() {
    struct Replaces;

    impl Drop for Replaces {
        fn drop(&mut self) {
            replace();
        }
    }

    let replaces = Replaces;
    let body = StreamBody::new(stream::poll_fn(move |_| -> Poll<Frames> {
        let _held = &replaces;
        Poll::Ready(None)
    }));
    let handler = async { Ok(Response::new(body)) };
    assert_eq!(panics(|recorder| handle(&recorder, handler)).so_far(), ["end Panicked: user 1"]);
}

#[test]
fn of_a_waker_that_a_future_or_a_frame_wakes_are_reported() {
    struct Broken;

    impl Wake for Broken {
        fn wake(self: Arc<Self>) {
            panic!("in a waker");
        }
    }

    let waker = Waker::from(Arc::new(Broken));
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
        let mut reports = panics(|recorder| {
            let cx = &mut Context::from_waker(&waker);
            let Poll::Ready(response) = pin!(register(&recorder, handler)).poll(cx) else { panic!("it is ready") };
            let _ = pin!(response.unwrap().into_body()).poll_frame(cx).is_ready();
        });
        assert_eq!(reports.so_far(), ["end Panicked: user 1"], "{is_in_frame}");
    }
}

/// A value that panics in its drop.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in a drop");
    }
}

/// Replaces a [`Bomb`], whose drop panics here, with another, whose drop is contained.
fn replace() {
    RequestContext::set(Bomb).unwrap();
    RequestContext::set(Bomb).unwrap();
}

/// What is reported of a request whose code panics.
fn panics(request: impl FnOnce(Recorder)) -> Reports {
    let (recorder, reports) = recorder();
    assert!(catch_unwind(AssertUnwindSafe(|| request(recorder))).is_err());
    reports
}

/// Serves a request and reads its response.
fn handle<B: Body<Error = Infallible>>(recorder: &Recorder, handler: impl Future<Output = Answer<B>>) {
    let response = register(recorder, handler).now_or_never().expect("nothing is waited for");
    read(response.unwrap());
}

fn register<B: Body>(
    recorder: &Recorder,
    handler: impl Future<Output = Answer<B>>,
) -> impl Future<Output = Answer<tower_request_context::ResponseBody<B>>> {
    let end = recorder.end_of("end");
    serve(1, async {
        RequestContext::on_end(end).unwrap();
        handler.await
    })
}
