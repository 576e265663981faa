//! A gRPC service without generated code. Each method replies to every word with the current user.

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

/// Replies to words. It waits for other calls at `meet`, waits forever at `hold`, and fails at `fail`.
#[derive(Clone)]
pub(crate) struct Echo {
    recorder: Recorder,
    gate: Arc<Barrier>,
}

/// The user that the method saw. It is set at the start of the call, and read with every word.
#[derive(Clone)]
struct Caller(String);

type Replies = BoxStream<'static, Result<String, Status>>;

impl Echo {
    /// Creates an echo service in which `calls` calls wait for each other.
    pub(crate) fn new(recorder: Recorder, calls: usize) -> Self {
        Self { recorder, gate: Arc::new(Barrier::new(calls)) }
    }

    async fn unary(self, request: Request<String>) -> Result<Response<String>, Status> {
        self.begin().await?;
        self.replies(words(&request.into_inner())).try_collect().await.map(joined)
    }

    async fn server_streaming(self, request: Request<String>) -> Result<Response<Replies>, Status> {
        self.begin().await?;
        Ok(Response::new(self.replies(words(&request.into_inner()))))
    }

    async fn client_streaming(self, request: Request<Streaming<String>>) -> Result<Response<String>, Status> {
        self.begin().await?;
        self.replies(request.into_inner()).try_collect().await.map(joined)
    }

    async fn bidirectional(self, request: Request<Streaming<String>>) -> Result<Response<Replies>, Status> {
        self.begin().await?;
        Ok(Response::new(self.replies(request.into_inner())))
    }

    async fn begin(&self) -> Result<(), Status> {
        self.recorder.saw("called");
        tokio::task::yield_now().await;
        RequestContext::set(Caller(User::name())).map_err(|error| Status::internal(error.to_string()))
    }

    fn replies(self, words: impl Stream<Item = Result<String, Status>> + Send + 'static) -> Replies {
        let dropped = self.recorder.drop_of("dropped");
        let reply = move |word| {
            let _ = &dropped;
            self.clone().reply(word)
        };
        words.and_then(reply).boxed()
    }

    async fn reply(self, word: String) -> Result<String, Status> {
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
fn joined(replies: Vec<String>) -> Response<String> {
    Response::new(replies.join("\n"))
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
