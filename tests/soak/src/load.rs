//! The clients: each asks for one thing after the other, and some do not wait for the answer.

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
    counters::LEDGER,
    grpc,
    number::{NUMBER, Number},
};

/// So many clients share their connections,
const CLIENTS: usize = 6;

/// and renew them after so many requests each. Of every connection h2 counts the streams that were reset while there was
/// still something on the way, and after a thousand it takes that for an attack.
const REQUESTS: usize = 500;

/// Asks for this and that until the time has come.
pub(crate) async fn group(http: SocketAddr, grpc: SocketAddr, mut random: Rng, until: Instant) -> Result<(), BoxError> {
    while Instant::now() < until {
        let client = Client::connect(http, grpc).await?;
        join_all((0..CLIENTS).map(|_| client.ask(random.fork(), until))).await;
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

    async fn ask(&self, mut random: Rng, until: Instant) {
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
                10 => self.leave("/endless", number, &mut random).await,
                11 => self.leave("/hang", number, &mut random).await,
                12 => self.watch("/panic/handler", number, &mut random).await,
                13 => self.watch("/panic/body", number, &mut random).await,
                14..17 => self.call(number).await,
                17..19 => self.hear(number, None).await,
                _ => self.hear(number, Some(random.usize(..10))).await,
            }
            sleep(Duration::from_millis(random.u64(..10))).await; // clients think, too
        }
    }

    async fn get(&self, path: &str, number: Number, random: &mut Rng) -> Option<Response<Incoming>> {
        let client = if random.bool() { &self.http1 } else { &self.http2 };
        let request = Request::get(format!("http://{}{path}", self.address)).header(NUMBER, number.0);
        client.request(request.body(Body::empty()).expect("a path and a number")).await.ok()
    }

    /// Reads an answer to its end, and compares the numbers in it.
    async fn read(&self, path: &str, number: Number, random: &mut Rng) {
        let response = self.get(path, number, random).await.expect("the server answers");
        LEDGER.read("the header of an answer", Some(number), Number::of(response.headers()));
        let body = response.into_body().collect().await.expect("the server answers whole").to_bytes();
        for found in body.chunks(400) {
            LEDGER.read("the body of an answer", Some(number), Number::read(found));
        }
    }

    /// Reads a part of an answer, if there comes one, and goes.
    async fn leave(&self, path: &str, number: Number, random: &mut Rng) {
        let frames = random.usize(..6);
        let patience = Duration::from_millis(random.u64(1..20));
        let reading = async {
            let mut body = self.get(path, number, random).await?.into_body();
            for _ in 0..frames {
                body.frame().await?.ok()?;
            }
            Some(())
        };
        let _ = timeout(patience, reading).await;
    }

    /// Waits for an answer that breaks off, or never begins.
    async fn watch(&self, path: &str, number: Number, random: &mut Rng) {
        if let Some(response) = self.get(path, number, random).await {
            let _ = response.into_body().collect().await;
        }
    }

    async fn call(&self, number: Number) {
        match grpc::call(self.channel.clone(), number).await {
            Ok(found) => LEDGER.read("the answer of a method", Some(number), Number::read(found.as_bytes())),
            Err(status) => assert_eq!((status.code(), number.0 % 5), (Code::NotFound, 0), "{status}"),
        }
    }

    /// Reads a stream, to its end or to here.
    async fn hear(&self, number: Number, up_to: Option<usize>) {
        let stream = grpc::open(self.channel.clone(), number, up_to.is_some()).await;
        let mut stream = stream.expect("the server answers");
        for _ in 0..up_to.unwrap_or(usize::MAX) {
            let Some(found) = stream.message().await.expect("the server answers whole") else { break };
            LEDGER.read("a message of a method", Some(number), Number::read(found.as_bytes()));
        }
    }
}
