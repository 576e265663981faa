//! The clients. Each sends one request after the other, and some disconnect before the response is complete.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use axum::{
    BoxError,
    body::Body,
    http::{Request, Response},
};
use fastrand::Rng;
use futures_util::future::join_all;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::{sleep, timeout};
use tonic::{Code, transport::Channel};

use crate::{
    counters::COUNTERS,
    grpc,
    number::{NUMBER, Number},
};

/// Number of clients that share their connections.
const CLIENTS: usize = 6;

/// Number of requests of each client, after which the connections are replaced. h2 counts the streams of a connection
/// that are reset while data is in flight. After a thousand, it treats the connection as an attack.
const REQUESTS: usize = 500;

/// Sends random requests until the given time.
pub(crate) async fn group(http: SocketAddr, grpc: SocketAddr, mut random: Rng, until: Instant) -> Result<(), BoxError> {
    while Instant::now() < until {
        let client = Client::connect(http, grpc).await?;
        join_all((0..CLIENTS).map(|_| client.send_requests(random.fork(), until))).await;
    }
    Ok(())
}

struct Client {
    address: SocketAddr,
    http1: legacy::Client<HttpConnector, Body>,
    http2: legacy::Client<HttpConnector, Body>,
    channel: Channel,
}

impl Client {
    async fn connect(address: SocketAddr, grpc: SocketAddr) -> Result<Self, BoxError> {
        let build = |is_http2| legacy::Client::builder(TokioExecutor::new()).http2_only(is_http2).build_http();
        let channel = Channel::from_shared(format!("http://{grpc}"))?.connect().await?;
        Ok(Self { address, http1: build(false), http2: build(true), channel })
    }

    async fn send_requests(&self, mut random: Rng, until: Instant) {
        static NEXT: AtomicU64 = AtomicU64::new(0);

        for _ in 0..REQUESTS {
            if Instant::now() >= until {
                return;
            }
            let number = Number(NEXT.fetch_add(1, Ordering::Relaxed));
            match random.u32(..20) {
                0..4 => self.read("/work", number, &mut random).await,
                4..6 => self.read("/nested", number, &mut random).await,
                6 => self.read("/reused", number, &mut random).await,
                7..10 => self.read("/stream", number, &mut random).await,
                10 => self.disconnect("/endless", number, &mut random).await,
                11 => self.disconnect("/hang", number, &mut random).await,
                12 => self.read_broken("/panic/handler", number, &mut random).await,
                13 => self.read_broken("/panic/body", number, &mut random).await,
                14..17 => self.call(number).await,
                17..19 => self.read_stream(number, None).await,
                _ => self.read_stream(number, Some(random.usize(..10))).await,
            }
            sleep(Duration::from_millis(random.u64(..10))).await; // time between two requests
        }
    }

    async fn get(&self, path: &str, number: Number, random: &mut Rng) -> Option<Response<Incoming>> {
        let client = if random.bool() { &self.http1 } else { &self.http2 };
        let request = Request::get(format!("http://{}{path}", self.address)).header(NUMBER, number.0);
        client.request(request.body(Body::empty()).expect("path and number are valid")).await.ok()
    }

    /// Reads a response to its end, and checks the numbers in it.
    async fn read(&self, path: &str, number: Number, random: &mut Rng) {
        let response = self.get(path, number, random).await.expect("the server responds");
        COUNTERS.record_read("the header of a response", Some(number), Number::of(response.headers()));
        let body = response.into_body().collect().await.expect("the response is complete").to_bytes();
        for found in body.chunks(400) {
            COUNTERS.record_read("the body of a response", Some(number), Number::read(found));
        }
    }

    /// Reads a part of a response, if there is one, and disconnects.
    async fn disconnect(&self, path: &str, number: Number, random: &mut Rng) {
        let frames = random.usize(..6);
        let limit = Duration::from_millis(random.u64(1..20));
        let reading = async {
            let mut body = self.get(path, number, random).await?.into_body();
            for _ in 0..frames {
                body.frame().await?.ok()?;
            }
            Some(())
        };
        let _ = timeout(limit, reading).await;
    }

    /// Waits for a response that ends early or never starts.
    async fn read_broken(&self, path: &str, number: Number, random: &mut Rng) {
        if let Some(response) = self.get(path, number, random).await {
            let _ = response.into_body().collect().await;
        }
    }

    async fn call(&self, number: Number) {
        match grpc::call(self.channel.clone(), number).await {
            Ok(found) => COUNTERS.record_read("the reply of a method", Some(number), Number::read(found.as_bytes())),
            Err(status) => assert_eq!((status.code(), number.0 % 5), (Code::NotFound, 0), "{status}"),
        }
    }

    /// Reads a stream to its end, or up to this number of messages.
    async fn read_stream(&self, number: Number, up_to: Option<usize>) {
        let stream = grpc::open(self.channel.clone(), number, up_to.is_some()).await;
        let mut stream = stream.expect("the server responds");
        for _ in 0..up_to.unwrap_or(usize::MAX) {
            let Some(found) = stream.message().await.expect("the stream is complete") else { break };
            COUNTERS.record_read("a message of a method", Some(number), Number::read(found.as_bytes()));
        }
    }
}
