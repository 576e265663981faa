//! The way out inside and outside of what else is around a client: retries, clones, a buffer.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{BoxError, Router};
use futures_util::{FutureExt, future::BoxFuture};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{
    Layer, Service, ServiceBuilder, ServiceExt,
    buffer::BufferLayer,
    retry::{Policy, RetryLayer},
    util::{BoxCloneService, MapRequestLayer},
};

use super::{context, headers, lines, propagator, travelled, ways};
use crate::support::{in_time, serve, text};

type Call = Request<Empty<Bytes>>;
type Boxed = BoxCloneService<Call, Response<Incoming>, BoxError>;

fn plain() -> Client<HttpConnector, Empty<Bytes>> {
    Client::builder(TokioExecutor::new()).build_http()
}

fn inject() -> MapRequestLayer<impl Fn(Call) -> Call + Clone> {
    MapRequestLayer::new(ways::inject(Some(&propagator())))
}

fn call(address: SocketAddr) -> Call {
    Request::get(format!("http://{address}/")).body(Empty::new()).unwrap()
}

fn boxed<S>(service: S) -> Boxed
where
    S: Service<Call, Response = Response<Incoming>, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
{
    service.map_err(Into::into).boxed_clone()
}

/// Tries again as long as it is told to, not within the same poll.
#[derive(Clone)]
struct Again;

impl<E> Policy<Call, Response<Incoming>, E> for Again {
    type Future = BoxFuture<'static, ()>;

    fn retry(&mut self, _: &mut Call, result: &mut Result<Response<Incoming>, E>) -> Option<Self::Future> {
        let answer = result.as_ref().ok()?;
        (answer.status() == StatusCode::SERVICE_UNAVAILABLE).then(|| tokio::task::yield_now().boxed())
    }

    fn clone_request(&mut self, call: &Call) -> Option<Call> {
        Some(call.clone())
    }
}

/// Puts calls off until the third, and remembers the headers of each.
async fn put_off() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let arrived = Arc::<Mutex<Vec<_>>>::default();
    let log = Arc::clone(&arrived);
    let answer = async move |headers: HeaderMap| {
        let mut log = log.lock().unwrap();
        log.push(lines(&headers));
        if log.len() < 3 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    };
    (serve(Router::new().fallback(answer)).await, arrived)
}

async fn mirror() -> SocketAddr {
    serve(Router::new().fallback(async |headers: HeaderMap| lines(&headers))).await
}

#[tokio::test]
async fn each_attempt_of_a_retry_takes_the_headers_along_once_inside_outside_and_on_both_sides_of_it() {
    let retry = || RetryLayer::new(Again);
    let clients = [
        ("inside", boxed(ServiceBuilder::new().layer(retry()).layer(inject()).service(plain()))),
        ("outside", boxed(ServiceBuilder::new().layer(inject()).layer(retry()).service(plain()))),
        ("both", boxed(ServiceBuilder::new().layer(inject()).layer(retry()).layer(inject()).service(plain()))),
    ];
    for (place, client) in clients {
        let (address, arrived) = put_off().await;
        let answer = in_time(context(7).scope(client.oneshot(call(address)))).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{place}");
        let arrived: Vec<_> = arrived.lock().unwrap().iter().map(|lines| travelled(lines)).collect();
        assert_eq!(arrived, vec![lines(&headers(7)); 3], "{place}");
    }
}

#[tokio::test]
async fn a_clone_of_a_client_takes_along_what_belongs_to_the_request_that_uses_it() {
    let address = mirror().await;
    let client = context(1).sync_scope(|| inject().layer(plain()));
    let clone = context(2).sync_scope(|| client.clone());
    for (request, client) in [(3, &clone), (4, &client), (5, &clone)] {
        let answer = in_time(context(request).scope(client.clone().oneshot(call(address)))).await.unwrap();
        assert_eq!(travelled(&text(answer).await), lines(&headers(request)));
    }
    let answer = in_time(clone.oneshot(call(address))).await.unwrap();
    assert_eq!(travelled(&text(answer).await), "");
}

#[tokio::test]
async fn around_a_buffer_the_headers_are_put_on_outside_of_it_and_not_on_its_worker() {
    let buffer = || BufferLayer::new(1);
    let outside = boxed(ServiceBuilder::new().layer(inject()).layer(buffer()).service(plain()));
    let worker = boxed(ServiceBuilder::new().layer(buffer()).layer(inject()).service(plain()));
    let address = mirror().await;
    for (client, expected) in [(outside, lines(&headers(7))), (worker, String::new())] {
        let answer = in_time(context(7).scope(client.oneshot(call(address)))).await.unwrap();
        assert_eq!(travelled(&text(answer).await), expected);
    }
}
