//! A hand-written gRPC service with one unary method. It passes the request's headers to a function and returns its
//! output.

use std::{
    convert::Infallible,
    future::Future,
    task::{Context, Poll},
};

use futures_util::{FutureExt, future::BoxFuture};
use http::HeaderMap;
use tonic::{
    Request, Response,
    body::Body,
    server::{Grpc, NamedService},
};
use tower::{Service, service_fn};

use crate::with_tonic::echo::codec;

#[derive(Clone)]
pub(super) struct Unary<F>(pub(super) F);

impl<F> NamedService for Unary<F> {
    const NAME: &'static str = "hops.Hop";
}

impl<F, T> Service<http::Request<Body>> for Unary<F>
where
    F: Fn(HeaderMap) -> T + Clone + Send + 'static,
    T: Future<Output = String> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let respond = self.0.clone();
        let method = service_fn(move |call: Request<String>| {
            respond(call.into_parts().0.into_headers()).map(|text| Ok(Response::new(text)))
        });
        async move { Ok(Grpc::new(codec()).unary(method, request).await) }.boxed()
    }
}
