//! A gRPC service by hand, as protoc would have it: each method answers every word with who heard it.

use std::{
    convert::Infallible,
    future,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{
    FutureExt, Stream, StreamExt, TryStreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use tokio::sync::Barrier;
use tonic::{
    Request, Response, Status, Streaming,
    body::Body,
    server::{Grpc, NamedService},
};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};
use tower_request_context::RequestContext;

use crate::{recorder::Recorder, support::User};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Unary,
    ServerStreaming,
    ClientStreaming,
    Bidirectional,
}

impl Method {
    pub(crate) const ALL: [Self; 4] = [Self::Unary, Self::ServerStreaming, Self::ClientStreaming, Self::Bidirectional];

    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Unary => "/echo.Echo/Unary",
            Self::ServerStreaming => "/echo.Echo/ServerStreaming",
            Self::ClientStreaming => "/echo.Echo/ClientStreaming",
            Self::Bidirectional => "/echo.Echo/Bidirectional",
        }
    }
}

/// Answers words. At `meet` it waits for others, at `hold` for ever, and at `fail` it fails.
#[derive(Clone)]
pub(crate) struct Echo {
    recorder: Recorder,
    gate: Arc<Barrier>,
}

/// Whom the method saw: written as it is called, read with every word.
#[derive(Clone)]
struct Caller(String);

type Answers = BoxStream<'static, Result<String, Status>>;

impl Echo {
    /// An echo in which so many calls meet.
    pub(crate) fn new(recorder: Recorder, meeting: usize) -> Self {
        Self { recorder, gate: Arc::new(Barrier::new(meeting)) }
    }

    async fn unary(self, request: Request<String>) -> Result<Response<String>, Status> {
        self.begin().await?;
        self.answers(words(&request.into_inner())).try_collect().await.map(joined)
    }

    async fn server_streaming(self, request: Request<String>) -> Result<Response<Answers>, Status> {
        self.begin().await?;
        Ok(Response::new(self.answers(words(&request.into_inner()))))
    }

    async fn client_streaming(self, request: Request<Streaming<String>>) -> Result<Response<String>, Status> {
        self.begin().await?;
        self.answers(request.into_inner()).try_collect().await.map(joined)
    }

    async fn bidirectional(self, request: Request<Streaming<String>>) -> Result<Response<Answers>, Status> {
        self.begin().await?;
        Ok(Response::new(self.answers(request.into_inner())))
    }

    async fn begin(&self) -> Result<(), Status> {
        self.recorder.saw("called");
        tokio::task::yield_now().await;
        RequestContext::set(Caller(User::name())).map_err(|error| Status::internal(error.to_string()))
    }

    fn answers(self, words: impl Stream<Item = Result<String, Status>> + Send + 'static) -> Answers {
        let dropped = self.recorder.drop_of("dropped");
        let answer = move |word| {
            let _ = &dropped;
            self.clone().answer(word)
        };
        words.and_then(answer).boxed()
    }

    async fn answer(self, word: String) -> Result<String, Status> {
        match word.as_str() {
            "meet" => {
                self.gate.wait().await;
            }
            "hold" => {
                self.recorder.saw("holding");
                future::pending::<()>().await;
            }
            "fail" => return Err(Status::aborted(User::name())),
            _ => tokio::task::yield_now().await,
        }
        let caller = RequestContext::get::<Caller>().map_or_else(|| String::from("unknown"), |caller| caller.0);
        Ok(format!("{word}: {}, called by {caller}", User::name()))
    }
}

fn words(text: &str) -> impl Stream<Item = Result<String, Status>> + use<> {
    stream::iter(text.split(' ').map(|word| Ok(word.to_owned())).collect::<Vec<_>>())
}

#[expect(clippy::needless_pass_by_value, reason = "mapped over a `Result`")]
fn joined(answers: Vec<String>) -> Response<String> {
    Response::new(answers.join("\n"))
}

pub(crate) fn codec() -> ProstCodec<String, String> {
    ProstCodec::default()
}

impl NamedService for Echo {
    const NAME: &'static str = "echo.Echo";
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let echo = self.clone();
        async move {
            let mut grpc = Grpc::new(codec());
            let method = Method::ALL.into_iter().find(|method| method.path() == request.uri().path());
            Ok(match method {
                Some(Method::Unary) => grpc.unary(service_fn(move |call| echo.clone().unary(call)), request).await,
                Some(Method::ServerStreaming) => {
                    grpc.server_streaming(service_fn(move |call| echo.clone().server_streaming(call)), request).await
                }
                Some(Method::ClientStreaming) => {
                    grpc.client_streaming(service_fn(move |call| echo.clone().client_streaming(call)), request).await
                }
                Some(Method::Bidirectional) => {
                    grpc.streaming(service_fn(move |call| echo.clone().bidirectional(call)), request).await
                }
                None => Status::unimplemented("").into_http(),
            })
        }
        .boxed()
    }
}
