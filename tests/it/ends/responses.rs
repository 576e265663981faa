//! The responses and bodies of the handlers.

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    Error,
    body::{Body, Bytes},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use http::{
    HeaderMap, HeaderValue, Request, StatusCode,
    header::{CONNECTION, TRAILER, UPGRADE},
};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use tokio::io::{copy, split};
use tower::ServiceExt;
use tower_http::services::ServeFile;

use super::row::HandlerResult;
use crate::recorder::{DropRecorder, Recorder};

/// A body that reports its drop.
pub(crate) struct DropReportingBody {
    body: Body,
    _dropped: DropRecorder,
}

impl DropReportingBody {
    pub(crate) fn response(response: Response, recorder: &Recorder) -> Response {
        response.map(|body| Body::new(Self { body, _dropped: recorder.drop_of("body") }))
    }
}

impl http_body::Body for DropReportingBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body whose hints depend on the number of bytes in the frames that it has returned.
pub(crate) struct Hinted {
    pub(crate) given: u64,
    pub(crate) is_end_stream: fn(u64) -> bool,
    pub(crate) size_hint: fn(u64) -> SizeHint,
    pub(crate) body: Body,
}

impl Hinted {
    /// A body without hints.
    pub(crate) fn new(body: Body) -> Self {
        Self { given: 0, is_end_stream: |_| false, size_hint: |_| SizeHint::default(), body }
    }
}

impl http_body::Body for Hinted {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            self.given += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        (self.is_end_stream)(self.given)
    }

    fn size_hint(&self) -> SizeHint {
        (self.size_hint)(self.given)
    }
}

pub(crate) fn fixed() -> Body {
    Body::from("one two")
}

/// A body without a size.
pub(crate) fn chunked() -> Body {
    Body::from_stream(stream::iter(["one ", "two"]).map(Ok::<_, Infallible>))
}

/// Like [`chunked`], but `is_end_stream` returns true after the last byte.
pub(crate) fn with_end_stream() -> Body {
    Body::new(Hinted { is_end_stream: |given| given == 7, ..Hinted::new(chunked()) })
}

/// Like [`chunked`], but `size_hint` returns the exact remaining size.
pub(crate) fn sized() -> Body {
    Body::new(Hinted { size_hint: |given| SizeHint::with_exact(7 - given), ..Hinted::new(chunked()) })
}

/// Like [`chunked`], but `size_hint` always returns the total size.
pub(crate) fn with_total_size() -> Body {
    Body::new(Hinted { size_hint: |_| SizeHint::with_exact(7), ..Hinted::new(chunked()) })
}

pub(crate) fn sized_and_empty() -> Body {
    let empty = Body::from_stream(stream::empty::<Result<Bytes, Error>>());
    Body::new(Hinted { size_hint: |_| SizeHint::with_exact(0), ..Hinted::new(empty) })
}

pub(crate) fn trailing() -> impl IntoResponse {
    const NAME: &str = "x-trailer";
    let trailers = HeaderMap::from_iter([(NAME.parse().unwrap(), HeaderValue::from_static("three"))]);
    ([(TRAILER, NAME)], Body::new(chunked().with_trailers(async { Some(Ok(trailers)) })))
}

/// A body with an error after its first frame. If it is polled again, another frame follows.
pub(crate) fn failing() -> Body {
    Body::from_stream(stream::iter([Ok("one "), Err(io::Error::other("on purpose")), Ok("two")]).then(flushed))
}

/// A body that is pending forever after its first frame.
pub(crate) fn unending() -> Body {
    Body::from_stream(stream::iter([Ok::<_, Infallible>("one ")]).chain(stream::pending()))
}

/// A body that panics after its first frame.
pub(crate) fn panicking() -> Body {
    Body::from_stream(stream::iter([Some("one "), None]).then(flushed).map(|text| Ok::<_, Infallible>(text.unwrap())))
}

/// Like [`chunked`], with this `is_end_stream`. It yields before each frame, so that the server sends each one.
pub(crate) fn with_is_end_stream(is_end_stream: fn(u64) -> bool) -> Body {
    let slow = Body::from_stream(stream::iter(["one ", "two"]).then(flushed).map(Ok::<_, Infallible>));
    Body::new(Hinted { is_end_stream, ..Hinted::new(slow) })
}

pub(crate) fn panicking_in_size_hint() -> Body {
    Body::new(Hinted { size_hint: |_| panic!("in size_hint"), ..Hinted::new(chunked()) })
}

pub(crate) async fn file(request: Request<Body>) -> HandlerResult {
    let response = ServeFile::new(concat!(env!("CARGO_MANIFEST_DIR"), "/LICENSE")).oneshot(request).await?;
    Ok(response.into_response())
}

/// Switches to a protocol that echoes.
pub(crate) async fn switched(request: Request<Body>) -> HandlerResult {
    echo(request);
    Ok((StatusCode::SWITCHING_PROTOCOLS, [(CONNECTION, "upgrade"), (UPGRADE, "echo")], chunked()).into_response())
}

/// Responds to CONNECT with a tunnel that echoes.
pub(crate) async fn connected(request: Request<Body>) -> HandlerResult {
    echo(request);
    Ok(chunked().into_response())
}

fn echo(request: Request<Body>) {
    let upgraded = hyper::upgrade::on(request);
    tokio::spawn(async {
        let (mut reader, mut writer) = split(TokioIo::new(upgraded.await.unwrap()));
        copy(&mut reader, &mut writer).await.unwrap();
    });
}

/// Yields, so that the server sends the frames that it has.
async fn flushed<T>(frame: T) -> T {
    tokio::task::yield_now().await;
    frame
}
