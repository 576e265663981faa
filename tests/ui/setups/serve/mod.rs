//! A function that takes a layer, without the many bounds of a framework.

use std::{
    convert::Infallible,
    future::Ready,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;
use tower_request_context::{RequestContextLayer, RequestContextService};

pub struct Inner;

impl Service<Request<()>> for Inner {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        std::future::ready(Ok(Response::default()))
    }
}

pub fn serve<F>(_: RequestContextLayer<F>)
where
    RequestContextService<Inner, F>: Service<Request<()>>,
{
}
