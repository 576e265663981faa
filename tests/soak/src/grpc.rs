//! The tonic server and its client, in place of the code that tonic-prost-build would generate.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{Stream, stream};
use tokio::task::yield_now;
use tonic::{
    Request, Response, Status, Streaming,
    body::Body,
    client,
    codegen::{BoxFuture, Service, http, http::uri::PathAndQuery},
    metadata::MetadataValue,
    server::{Grpc, NamedService},
    transport::Channel,
};
use tonic_prost::ProstCodec;
use tower::service_fn;
use tower_request_context::RequestContext;

use crate::number::{NUMBER, Number};

const UNARY: &str = "/numbers.Numbers/Unary";
const COUNTED: &str = "/numbers.Numbers/Counted";
const ENDLESS: &str = "/numbers.Numbers/Endless";

#[derive(Clone, Copy)]
pub(crate) struct Numbers;

impl NamedService for Numbers {
    const NAME: &'static str = "numbers.Numbers";
}

impl Service<http::Request<Body>> for Numbers {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::default());
            Ok(match request.uri().path() {
                UNARY => grpc.unary(service_fn(unary), request).await,
                COUNTED => {
                    grpc.server_streaming(service_fn(async |request| messages(&request, Some(10))), request).await
                }
                ENDLESS => grpc.server_streaming(service_fn(async |request| messages(&request, None)), request).await,
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

async fn unary(request: Request<String>) -> Result<Response<String>, Status> {
    let number = number(&request)?;
    let _dropped = number.check_on_drop("the drop of a method");
    yield_now().await;
    number.check("a method");
    let task = RequestContext::spawn(async move { number.check("a task of a method") });
    task.await.map_err(|error| Status::internal(error.to_string()))?;
    if number.0 % 5 == 0 { Err(Status::not_found("")) } else { Ok(Response::new(number.text())) }
}

type Messages = Response<Pin<Box<dyn Stream<Item = Result<String, Status>> + Send>>>;

fn messages(request: &Request<String>, count: Option<u64>) -> Result<Messages, Status> {
    let number = number(request)?;
    let dropped = number.check_on_drop("the drop of a stream");
    Ok(Response::new(Box::pin(stream::unfold((0_u64, dropped), move |(sent, dropped)| async move {
        yield_now().await;
        number.check("a message");
        (Some(sent) != count).then(|| (Ok(number.text()), (sent + 1, dropped)))
    }))))
}

fn number(request: &Request<String>) -> Result<Number, Status> {
    Number::of(request.metadata().as_ref()).ok_or_else(|| Status::invalid_argument("no number"))
}

/// Calls the unary method, which replies or returns a status.
pub(crate) async fn call(channel: Channel, number: Number) -> Result<String, Status> {
    let mut grpc = ready(channel).await?;
    let path = PathAndQuery::from_static(UNARY);
    grpc.unary(request(number), path, ProstCodec::default()).await.map(Response::into_inner)
}

/// Opens a stream of ten messages, or one without an end.
pub(crate) async fn open(channel: Channel, number: Number, is_endless: bool) -> Result<Streaming<String>, Status> {
    let mut grpc = ready(channel).await?;
    let path = PathAndQuery::from_static(if is_endless { ENDLESS } else { COUNTED });
    grpc.server_streaming(request(number), path, ProstCodec::default()).await.map(Response::into_inner)
}

async fn ready(channel: Channel) -> Result<client::Grpc<Channel>, Status> {
    let mut grpc = client::Grpc::new(channel);
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    Ok(grpc)
}

fn request(number: Number) -> Request<String> {
    let mut request = Request::new(number.text());
    request.metadata_mut().insert(NUMBER, MetadataValue::from(number.0));
    request
}
