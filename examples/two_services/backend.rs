//! The backend, a gRPC service with one method, and its client. Both stand for the code that tonic-prost-build
//! generates.

use std::{
    convert::Infallible,
    net::SocketAddr,
    task::{Context, Poll},
};

use axum::http;
use futures_util::{FutureExt, future::BoxFuture};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tonic::{
    Request, Response, Status,
    body::Body,
    client, server,
    transport::{self, Channel, Server, server::TcpIncoming},
};
use tonic_prost::ProstCodec;
use tower::{
    Layer, Service, ServiceExt, service_fn,
    util::{MapRequest, MapRequestLayer},
};
use tower_request_context::RequestIdPolicy;

use crate::hop;

/// The number of requests that the gateway may cancel before this server has accepted them. The gateway cancels one
/// request for each client that disconnects. All its requests share one connection. By default, h2 treats more than 20
/// as an attack and closes the connection. A public server should keep the 20.
const MAX_CANCELLED: usize = 1000;

type Injecting<S> = MapRequest<S, fn(http::Request<Body>) -> http::Request<Body>>;

/// The channel to the backend, which adds the propagated headers.
pub(crate) type Backend = Injecting<Channel>;

pub(crate) async fn find(backend: Backend, name: String) -> Result<String, Status> {
    let mut grpc = client::Grpc::new(backend);
    grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
    let path = http::uri::PathAndQuery::from_static("/cats.Cats/Find");
    grpc.unary(Request::new(name), path, codec()).await.map(Response::into_inner)
}

pub(crate) async fn serve(incoming: TcpIncoming, gateway: SocketAddr) -> Result<(), transport::Error> {
    // Without a limit, the client keeps as many idle connections as there ever were concurrent requests.
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(8).build_http();
    let cats = Cats { gateway, client: MapRequestLayer::new(hop::inject as _).layer(client) };
    let context = hop::context(RequestIdPolicy::new().accept_inbound());
    Server::builder()
        .http2_max_pending_accept_reset_streams(Some(MAX_CANCELLED))
        .layer(context)
        .add_service(cats)
        .serve_with_incoming(incoming)
        .await
}

#[derive(Clone)]
struct Cats {
    gateway: SocketAddr,
    client: Injecting<Client<HttpConnector, Body>>,
}

impl Cats {
    async fn find(self, request: Request<String>) -> Result<Response<String>, Status> {
        hop::print("backend");
        self.report().await?;
        Ok(Response::new(format!("{} is asleep\n", request.into_inner())))
    }

    /// Reports the current request to the gateway. This function receives no headers: the client adds them.
    async fn report(self) -> Result<(), Status> {
        let unavailable = |error: &dyn ToString| Status::unavailable(error.to_string());
        let request = http::Request::post(format!("http://{}/audit", self.gateway)).body(Body::empty());
        let request = request.map_err(|error| unavailable(&error))?;
        let response = self.client.oneshot(request).await.map_err(|error| unavailable(&error))?;
        if response.status().is_success() { Ok(()) } else { Err(unavailable(&response.status())) }
    }
}

impl server::NamedService for Cats {
    const NAME: &'static str = "cats.Cats";
}

impl Service<http::Request<Body>> for Cats {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let cats = self.clone();
        async move {
            let find = service_fn(move |request| cats.clone().find(request));
            Ok(match request.uri().path() {
                "/cats.Cats/Find" => server::Grpc::new(codec()).unary(find, request).await,
                _ => Status::unimplemented("").into_http(),
            })
        }
        .boxed()
    }
}

fn codec() -> ProstCodec<String, String> {
    ProstCodec::default()
}
