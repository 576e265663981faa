//! What handlers answer with.

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

use super::row::Answer;
use crate::recorder::{DropRecorder, Recorder};

/// A body that is reported when it is dropped.
pub(crate) struct Watched {
    body: Body,
    _dropped: DropRecorder,
}

impl Watched {
    pub(crate) fn response(response: Response, recorder: &Recorder) -> Response {
        response.map(|body| Body::new(Self { body, _dropped: recorder.drop_of("body") }))
    }
}

impl http_body::Body for Watched {
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

/// A body whose hints depend on how many bytes it has given.
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

/// Of a size that nobody knows.
pub(crate) fn chunked() -> Body {
    Body::from_stream(stream::iter(["one ", "two"]).map(Ok::<_, Infallible>))
}

/// As [`chunked`], but it knows when it is at its end.
pub(crate) fn knowing_its_end() -> Body {
    Body::new(Hinted { is_end_stream: |given| given == 7, ..Hinted::new(chunked()) })
}

/// As [`chunked`], but it knows its size.
pub(crate) fn sized() -> Body {
    Body::new(Hinted { size_hint: |given| SizeHint::with_exact(7 - given), ..Hinted::new(chunked()) })
}

/// As [`chunked`], but its exact size stays the total.
pub(crate) fn telling_its_total() -> Body {
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

/// Begins, fails, and goes on if it is asked to.
pub(crate) fn failing() -> Body {
    Body::from_stream(stream::iter([Ok("one "), Err(io::Error::other("on purpose")), Ok("two")]).then(flushed))
}

/// Begins and never ends.
pub(crate) fn unending() -> Body {
    Body::from_stream(stream::iter([Ok::<_, Infallible>("one ")]).chain(stream::pending()))
}

/// Begins and panics.
pub(crate) fn panicking() -> Body {
    Body::from_stream(stream::iter([Some("one "), None]).then(flushed).map(|text| Ok::<_, Infallible>(text.unwrap())))
}

/// As [`chunked`], with this `is_end_stream`, and slowly, so that the server sends each frame.
pub(crate) fn asking(is_end_stream: fn(u64) -> bool) -> Body {
    let slow = Body::from_stream(stream::iter(["one ", "two"]).then(flushed).map(Ok::<_, Infallible>));
    Body::new(Hinted { is_end_stream, ..Hinted::new(slow) })
}

pub(crate) fn panicking_in_size_hint() -> Body {
    Body::new(Hinted { size_hint: |_| panic!("in size_hint"), ..Hinted::new(chunked()) })
}

pub(crate) async fn file(request: Request<Body>) -> Answer {
    let response = ServeFile::new(concat!(env!("CARGO_MANIFEST_DIR"), "/LICENSE")).oneshot(request).await?;
    Ok(response.into_response())
}

/// Switches protocols, to one that echoes.
pub(crate) async fn switched(request: Request<Body>) -> Answer {
    echo(request);
    Ok((StatusCode::SWITCHING_PROTOCOLS, [(CONNECTION, "upgrade"), (UPGRADE, "echo")], chunked()).into_response())
}

/// Answers a CONNECT with a tunnel that echoes.
pub(crate) async fn connected(request: Request<Body>) -> Answer {
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

/// Lets the server send what it has.
async fn flushed<T>(frame: T) -> T {
    tokio::task::yield_now().await;
    frame
}
