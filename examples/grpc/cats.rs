//! The trait, server and client of the service. They stand for code that tonic-prost-build generates.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use tonic::{
    Request, Response, Status, Streaming, async_trait,
    body::Body,
    client,
    codegen::{BoxFuture, BoxStream, Service, http, http::uri::PathAndQuery},
    metadata::{Ascii, MetadataValue},
    server::{Grpc, NamedService},
    transport::{Channel, Error},
};
use tonic_prost::ProstCodec;
use tower::service_fn;

const FEED: &str = "/cats.Cats/Feed";
const WATCH: &str = "/cats.Cats/Watch";

#[async_trait]
pub(crate) trait Cats: Send + Sync + 'static {
    async fn feed(&self, request: Request<String>) -> Result<Response<String>, Status>;
    async fn watch(&self, request: Request<()>) -> Result<Response<BoxStream<String>>, Status>;
}

pub(crate) struct CatsServer<T>(Arc<T>);

impl<T> CatsServer<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self(Arc::new(inner))
    }
}

impl<T> Clone for CatsServer<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> NamedService for CatsServer<T> {
    const NAME: &'static str = "cats.Cats";
}

impl<T: Cats> Service<http::Request<Body>> for CatsServer<T> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let Self(cats) = self.clone();
        Box::pin(async move {
            Ok(match request.uri().path() {
                FEED => {
                    let feed = service_fn(async |request| cats.feed(request).await);
                    Grpc::new(ProstCodec::default()).unary(feed, request).await
                }
                WATCH => {
                    let watch = service_fn(async |request| cats.watch(request).await);
                    Grpc::new(ProstCodec::default()).server_streaming(watch, request).await
                }
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

/// A client that sends the same token with each request.
#[derive(Clone)]
pub(crate) struct CatsClient {
    channel: Channel,
    token: MetadataValue<Ascii>,
}

impl CatsClient {
    pub(crate) async fn connect(server: &str, token: &'static str) -> Result<Self, Error> {
        let channel = Channel::from_shared(server.to_owned())
            .expect("an `http://` and a socket address are a URI")
            .connect()
            .await?;
        Ok(Self { channel, token: MetadataValue::from_static(token) })
    }

    pub(crate) async fn feed(&self, cat: &str) -> Result<String, Status> {
        let path = PathAndQuery::from_static(FEED);
        let response = self.grpc().await?.unary(self.request(cat.to_owned()), path, ProstCodec::default()).await?;
        Ok(response.into_inner())
    }

    pub(crate) async fn watch(&self) -> Result<Streaming<String>, Status> {
        let path = PathAndQuery::from_static(WATCH);
        let response = self.grpc().await?.server_streaming(self.request(()), path, ProstCodec::default()).await?;
        Ok(response.into_inner())
    }

    async fn grpc(&self) -> Result<client::Grpc<Channel>, Status> {
        let mut grpc = client::Grpc::new(self.channel.clone());
        grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(grpc)
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.token.clone());
        request
    }
}
