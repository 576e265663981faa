//! `on_response` and `on_end` callbacks: when they run, in which context, and for which request.

mod exactly_once;
mod owners;
mod panics;
mod reentrancy;
mod rejected;
mod setup;

use std::{
    collections::VecDeque,
    future::{pending, poll_fn},
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::FutureExt;
use http::{HeaderValue, Request, Response, StatusCode, Version, header::CONTENT_LENGTH};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Bytes;
use tokio::task::yield_now;
use tower::{Layer, Service, service_fn};
use tower_request_context::{RequestContext, RequestContextLayer, ResponseBody};

use crate::{
    recorder::{DropRecorder, Recorder, recorder},
    support::{User, layer},
};

/// `on_response` callbacks run when the response is ready, `on_end` callbacks between the drops of the body and the
/// values.
#[test]
fn callbacks_run_once_in_order_in_the_context() {
    let (recorder, mut reports) = recorder();
    let handler = {
        let (recorder, future) = (recorder.clone(), recorder.drop_of("future dropped"));
        poll_fn(move |_| {
            let _held = &future;
            RequestContext::set(recorder.drop_of("value dropped")).unwrap();
            for what in ["first", "second", "third"] {
                RequestContext::on_end(recorder.end_of(what)).unwrap();
                RequestContext::on_response(recorder.head_of(what)).unwrap();
            }
            Poll::Ready(Ok(Response::new(RecordedBody::new(&recorder, [Ok("data")]))))
        })
    };
    let response = response_of(serve(1, handler));
    let heads = ["future dropped: user 1", "first head: user 1", "second head: user 1", "third head: user 1"];
    assert_eq!(reports.so_far(), heads);

    assert_eq!(read(response), "data");
    let body = ["frame: user 1", "frame: user 1", "body dropped: user 1"];
    let ends = ["first Completed: user 1", "second Completed: user 1", "third Completed: user 1"];
    assert_eq!(reports.so_far(), [&body[..], &ends, &["value dropped: nobody"]].concat());
}

#[test]
fn callbacks_run_for_a_rejection() {
    let (recorder, mut reports) = recorder();
    let seen = recorder.clone();
    #[expect(clippy::result_large_err, reason = "a rejection is a whole response")]
    let rejecting = RequestContextLayer::new(move |store, _| {
        store.insert(User(1));
        store.on_response(|parts| {
            assert_eq!(parts.status, StatusCode::FORBIDDEN);
            parts.headers.insert("x-late", HeaderValue::from_static("yes"));
        });
        store.on_response(seen.head_of("rejected"));
        store.on_end(seen.end_of("rejected"));
        let mut rejection = Response::new(RecordedBody::new(&seen, [Ok("no")]));
        *rejection.status_mut() = StatusCode::FORBIDDEN;
        Err(rejection)
    });
    let never = service_fn(async |_: Request<()>| -> HandlerResult<RecordedBody> {
        unreachable!("the setup rejects the request")
    });
    let response = response_of(rejecting.layer(never).call(Request::new(())));
    assert_eq!(response.headers()["x-late"], "yes");
    assert_eq!(reports.so_far(), ["rejected head: user 1"]);
    assert_eq!(read(response), "no");
    let end = ["frame: user 1", "frame: user 1", "body dropped: user 1", "rejected Completed: user 1"];
    assert_eq!(reports.so_far(), end);
}

#[tokio::test]
async fn nested_functions_can_add_response_headers() {
    fn note(value: &'static str) {
        let context = RequestContext::current().unwrap();
        assert!(
            context
                .sync_scope(|| RequestContext::on_response(move |parts| {
                    parts.headers.append("x-note", HeaderValue::from_static(value));
                }))
                .is_ok()
        );
    }

    async fn two() {
        note("two");
        yield_now().await;
        three();
    }

    fn three() {
        note("three");
    }

    let handler = async {
        note("one");
        two().await;
        Ok(Response::new(String::new()))
    };
    let response = serve(1, handler).await.unwrap();
    assert_eq!(response.headers().get_all("x-note").iter().collect::<Vec<_>>(), ["one", "two", "three"]);
}

#[test]
fn callbacks_leave_the_response_unchanged() {
    for callbacks in [0, 1, 2] {
        let response = response_of(serve(1, async move {
            for _ in 0..callbacks {
                RequestContext::on_response(|_| {}).unwrap();
                RequestContext::on_end(|_| {}).unwrap();
            }
            let response = Response::builder().version(Version::HTTP_2).status(201).header("x-note", "kept");
            Ok(response.extension(User(7)).body(String::from("body")).unwrap())
        }));
        assert_eq!((response.version(), response.status()), (Version::HTTP_2, StatusCode::CREATED));
        assert_eq!(response.headers()["x-note"], "kept");
        assert_eq!((response.extensions().len(), response.extensions().get()), (1, Some(&User(7))));
        assert_eq!(response.body().size_hint().exact(), Some(4));
        assert_eq!(read(response), "body");
    }
}

/// The end of a body that is dropped early depends on the status and headers after the callbacks.
#[test]
fn changed_status_and_headers_decide_the_end() {
    type Edit = fn(&mut http::response::Parts);
    let edits: [(Edit, _); 4] = [
        (|_| {}, "end Cancelled: user 1"),
        (|parts| parts.status = StatusCode::NO_CONTENT, "end Completed: user 1"),
        (|parts| drop(parts.headers.insert(CONTENT_LENGTH, 4.into())), "end Completed: user 1"),
        (|parts| drop(parts.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("+8"))), "end Failed: user 1"),
    ];
    for (edit, expected) in edits {
        let (recorder, mut reports) = recorder();
        let mut response = response_of(serve(1, async {
            RequestContext::on_response(edit).unwrap();
            RequestContext::on_end(recorder.end_of("end")).unwrap();
            Ok(Response::new(RecordedBody::new(&recorder, [Ok("data"), Ok("more")])))
        }));
        response.frame().now_or_never().unwrap().unwrap().unwrap();
        drop(response);
        assert_eq!(reports.so_far().last().unwrap(), expected);
    }
}

pub(crate) type HandlerResult<B> = Result<Response<B>, &'static str>;

/// Calls a layered service as a user. Its only request gets the result of `handler`.
pub(crate) fn serve<B: Body, F: Future<Output = HandlerResult<B>>>(
    user: u32,
    handler: F,
) -> impl Future<Output = HandlerResult<ResponseBody<B>>> + use<B, F> {
    let mut handler = Some(handler);
    let mut service = layer().layer(service_fn(|_: Request<()>| handler.take().expect("one request")));
    service.call(Request::builder().header(User::HEADER, user).body(()).unwrap())
}

/// A handler that runs `act` and returns an empty response.
pub(crate) async fn after(act: impl FnOnce()) -> HandlerResult<String> {
    act();
    Ok(Response::new(String::new()))
}

/// A request whose handler has been polled and never completes. It reports its drop and its end.
fn unfinished(user: u32, recorder: &Recorder) -> impl Future + Send + 'static {
    let (recorder, held) = (recorder.clone(), recorder.drop_of("future dropped"));
    let mut request = Box::pin(serve(user, async move {
        let _held = held;
        RequestContext::on_end(recorder.end_of("unfinished")).unwrap();
        pending::<HandlerResult<String>>().await
    }));
    assert!(request.as_mut().now_or_never().is_none());
    request
}

/// Returns the response of a request that is ready at its first poll.
fn response_of<B>(request: impl Future<Output = HandlerResult<B>>) -> Response<B> {
    request.now_or_never().expect("the request is ready").expect("the handler returns a response")
}

/// Reads a body to its end and drops it. The body must be ready.
pub(crate) fn read<B: Body<Error: std::fmt::Debug>>(response: Response<B>) -> String {
    let bytes = response.collect().now_or_never().expect("the body is ready").unwrap().to_bytes();
    String::from_utf8(bytes.into()).unwrap()
}

/// A body of these frames, which reports each poll and its drop.
struct RecordedBody {
    frames: VecDeque<Result<&'static str, &'static str>>,
    recorder: Recorder,
    _drop: DropRecorder,
}

impl RecordedBody {
    fn new(recorder: &Recorder, frames: impl IntoIterator<Item = Result<&'static str, &'static str>>) -> Self {
        let frames = frames.into_iter().collect();
        Self { frames, recorder: recorder.clone(), _drop: recorder.drop_of("body dropped") }
    }
}

impl Body for RecordedBody {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        self.recorder.saw("frame");
        let frame = self.frames.pop_front();
        Poll::Ready(frame.map(|frame| frame.map(|data| Frame::data(Bytes::from(data)))))
    }
}
