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
use crate::witness::{DropWitness, Witness};

/// A body that is reported when it is dropped.
pub(crate) struct Watched {
    body: Body,
    _dropped: DropWitness,
}

impl Watched {
    pub(crate) fn response(response: Response, witness: &Witness) -> Response {
        response.map(|body| Body::new(Self { body, _dropped: witness.drop_of("body") }))
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

/// A body that knows what it has still to give, and tells either its size or its end.
struct Counted {
    left: u64,
    tells: Tells,
    body: Body,
}

#[derive(PartialEq, Eq)]
enum Tells {
    Size,
    End,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            self.left -= frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.tells == Tells::End && self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        if self.tells == Tells::Size { SizeHint::with_exact(self.left) } else { SizeHint::default() }
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
    Body::new(Counted { left: 7, tells: Tells::End, body: chunked() })
}

/// As [`chunked`], but it knows its size.
pub(crate) fn sized() -> Body {
    Body::new(Counted { left: 7, tells: Tells::Size, body: chunked() })
}

pub(crate) fn sized_and_empty() -> Body {
    Body::new(Counted { left: 0, tells: Tells::Size, body: Body::from_stream(stream::empty::<Result<Bytes, Error>>()) })
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
