//! The clients under test, and servers that echo the headers of a request.

use std::{fmt, mem, net::SocketAddr, sync::Arc};

use axum::Router;
use futures_util::{FutureExt, future::BoxFuture};
use http::{HeaderMap, Request, Version, uri::PathAndQuery};
use hyper::body::Bytes;
use tonic::{
    body::Body,
    client::{Grpc, GrpcService},
    metadata::MetadataMap,
    service::{Interceptor, InterceptorLayer},
    transport::{Channel, Server},
};
use tower::{Layer, ServiceExt, util::MapRequestLayer};
use tower_request_context::HeaderPropagator;

use super::{lines, unary::Unary};
use crate::{
    support::{client, request, serve, text},
    with_tonic::{connect, echo::codec},
};

/// A client that sends a request with the given headers, and returns the response as text.
#[derive(Clone)]
pub(super) struct TestClient {
    name: &'static str,
    call: Arc<dyn Fn(HeaderMap) -> BoxFuture<'static, String> + Send + Sync>,
}

impl TestClient {
    pub(super) fn call(&self) -> BoxFuture<'static, String> {
        self.call_with(HeaderMap::new())
    }

    pub(super) fn call_with(&self, headers: HeaderMap) -> BoxFuture<'static, String> {
        (self.call)(headers)
    }

    pub(super) fn http(address: SocketAddr, path: &'static str, version: Version, injects: Injects<'_>) -> Self {
        let name = if version == Version::HTTP_2 { "client, HTTP/2" } else { "client, HTTP/1.1" };
        let client = MapRequestLayer::new(inject(injects)).layer(client(version));
        let call = move |headers: HeaderMap| {
            let client = client.clone();
            let mut request = request(address, path, None);
            request.headers_mut().extend(headers);
            async move { text(client.oneshot(request).await.unwrap()).await }.boxed()
        };
        Self { name, call: Arc::new(call) }
    }

    pub(super) fn channel(channel: Channel, injects: Injects<'_>) -> Self {
        Self::grpc("channel", MapRequestLayer::new(inject(injects)).layer(channel))
    }

    fn intercepted(channel: Channel, injects: Injects<'_>) -> Self {
        Self::grpc("interceptor", InterceptorLayer::new(intercept(injects)).layer(channel))
    }

    fn grpc<S>(name: &'static str, service: S) -> Self
    where
        S: GrpcService<Body> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::ResponseBody: http_body::Body<Data = Bytes> + Send + 'static,
        <S::ResponseBody as http_body::Body>::Error: Into<axum::BoxError>,
    {
        let call = move |headers| {
            let mut grpc = Grpc::new(service.clone());
            let mut call = tonic::Request::new(String::new());
            *call.metadata_mut() = MetadataMap::from_headers(headers);
            async move {
                grpc.ready().await.map_err(Into::into).unwrap();
                let path = PathAndQuery::from_static("/hops.Hop/Call");
                grpc.unary(call, path, codec()).await.unwrap().into_inner()
            }
            .boxed()
        };
        Self { name, call: Arc::new(call) }
    }
}

impl fmt::Debug for TestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The propagator of a client, if it has one.
type Injects<'a> = Option<&'a HeaderPropagator>;

pub(super) fn inject<B>(injects: Injects<'_>) -> impl Fn(Request<B>) -> Request<B> + Clone + use<B> {
    let injects = injects.cloned();
    move |mut call| {
        if let Some(propagator) = &injects {
            propagator.inject(call.headers_mut());
        }
        call
    }
}

fn intercept(injects: Injects<'_>) -> impl Interceptor + Clone + use<> {
    let injects = injects.cloned();
    move |mut call: tonic::Request<()>| {
        if let Some(propagator) = &injects {
            let mut headers = mem::take(call.metadata_mut()).into_headers();
            propagator.inject(&mut headers);
            *call.metadata_mut() = MetadataMap::from_headers(headers);
        }
        Ok(call)
    }
}

/// An HTTP server and a gRPC server that respond with the headers of the request.
pub(super) struct EchoServers {
    address: SocketAddr,
    channel: Channel,
}

impl EchoServers {
    pub(super) async fn open() -> Self {
        let address = serve(Router::new().fallback(async |headers: HeaderMap| lines(&headers))).await;
        let grpc = Unary(async |headers: HeaderMap| lines(&headers));
        let channel = connect(|incoming| Server::builder().add_service(grpc).serve_with_incoming(incoming)).await;
        Self { address, channel }
    }

    pub(super) fn clients(&self, injects: Injects<'_>) -> [TestClient; 4] {
        [
            TestClient::http(self.address, "/", Version::HTTP_11, injects),
            TestClient::http(self.address, "/", Version::HTTP_2, injects),
            TestClient::channel(self.channel.clone(), injects),
            TestClient::intercepted(self.channel.clone(), injects),
        ]
    }
}
