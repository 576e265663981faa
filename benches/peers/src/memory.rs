//! Counts the bytes that the layer adds to each request in flight: in its future while the handler waits, in its body while
//! the stream waits, and on the heap.
//!
//! Run with `cargo run --release --bin memory [--markdown]` in this folder.

use std::{
    convert::Infallible,
    env,
    future::pending,
    hint::black_box,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use allocation_counter::measure;
use http::{HeaderName, Request, Response, request::Parts};
use http_body::{Body, Frame};
use tower::{Layer, Service, ServiceBuilder, service_fn};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_request_context::{RequestContextLayer, RequestIdPolicy, Store};
use tower_request_context_peers::table::Arguments;

const IN_FLIGHT: [u32; 5] = [1, 10, 100, 1_000, 10_000];
const LIMIT: f64 = 256.0;

/// The three values of a request.
type Three = (u64, [u64; 2], [u64; 4]);

/// A name, the bytes that the layer adds per request with a number of requests in flight, and the limit.
type Row = (&'static str, fn(u32) -> f64, Limit);

enum Limit {
    None,
    Bytes(f64),
    /// The largest figure of the row before.
    RowBefore,
}

fn main() {
    let arguments = Arguments::new(env::args().skip(1));
    let with_values = LIMIT + bytes_of_three();
    let rows: [Row; 8] = [
        ("in the handler, no values", |n| in_handlers(empty(), n) - in_handlers(bare(), n), Limit::Bytes(LIMIT)),
        ("in the body, no values", |n| in_bodies(empty(), n) - in_bodies(bare(), n), Limit::Bytes(LIMIT)),
        (
            "in the handler, three values",
            |n| in_handlers(three(), n) - in_handlers(bare(), n),
            Limit::Bytes(with_values),
        ),
        ("in the body, three values", |n| in_bodies(three(), n) - in_bodies(bare(), n), Limit::Bytes(with_values)),
        (
            "in the handler, tower-http's SetRequestIdLayer and PropagateRequestIdLayer",
            |n| in_handlers(tower_http(), n) - in_handlers(bare(), n),
            Limit::None,
        ),
        ("in the handler, RequestIdPolicy", |n| in_handlers(id(), n) - in_handlers(bare(), n), Limit::RowBefore),
        (
            "in the body, tower-http's SetRequestIdLayer and PropagateRequestIdLayer",
            |n| in_bodies(tower_http(), n) - in_bodies(bare(), n),
            Limit::None,
        ),
        ("in the body, RequestIdPolicy", |n| in_bodies(id(), n) - in_bodies(bare(), n), Limit::None),
    ];
    if arguments.markdown {
        println!(
            "\n| bytes per request, by requests in flight | {} | at most | result |",
            IN_FLIGHT.map(with_separator).join(" | ")
        );
        println!("|---|{}--:|---|", "--:|".repeat(IN_FLIGHT.len()));
    } else {
        println!("{}  at most", IN_FLIGHT.map(|n| format!("{n:>7}")).concat());
    }
    let mut before = 0.0;
    for (name, over, limit) in rows {
        let figures = IN_FLIGHT.map(over);
        let largest = figures.into_iter().fold(0.0, f64::max);
        let limit = match limit {
            Limit::None => None,
            Limit::Bytes(bytes) => Some(bytes),
            Limit::RowBefore => Some(before),
        };
        before = largest;
        let at_most = limit.map(|limit| format!("{limit:.0}")).unwrap_or_default();
        let met = limit.map(|limit| largest <= limit);
        if arguments.markdown {
            let met = met.map_or("", |met| if met { "met" } else { "**missed**" });
            println!("| {name} | {} | {at_most} | {met} |", figures.map(|figure| format!("{figure:.0}")).join(" | "));
        } else {
            let met = met.map_or("", |met| if met { "met" } else { "missed" });
            println!("{}  {at_most:>7}  {met:<6}  {name}", figures.map(|figure| format!("{figure:>7.0}")).concat());
        }
    }
}

fn with_separator(n: u32) -> String {
    if n < 1000 { n.to_string() } else { format!("{},{:03}", n / 1000, n % 1000) }
}

#[allow(clippy::cast_precision_loss, reason = "the size is small")]
fn bytes_of_three() -> f64 {
    size_of::<Three>() as f64
}

/// Waits in the handler if the request says so, otherwise in the body of the response.
async fn wait(request: Request<bool>) -> Result<Response<Endless>, Infallible> {
    if request.into_body() {
        pending::<()>().await;
    }
    Ok(Response::new(Endless))
}

struct Endless;

impl Body for Endless {
    type Data = &'static [u8];
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Infallible>>> {
        Poll::Pending
    }
}

trait Waiting: Service<Request<bool>, Response = Response<Self::Streamed>, Error = Infallible> {
    type Streamed: Body;
}

impl<S, B> Waiting for S
where
    S: Service<Request<bool>, Response = Response<B>, Error = Infallible>,
    B: Body,
{
    type Streamed = B;
}

fn bare() -> impl Waiting {
    service_fn(wait)
}

fn empty() -> impl Waiting {
    RequestContextLayer::new(|_, _| {}).layer(bare())
}

fn three() -> impl Waiting {
    let setup = |store: &mut Store, _: &mut Parts| {
        let values: Three = black_box((1, [2; 2], [3; 4]));
        store.insert(values.0);
        store.insert(values.1);
        store.insert(values.2);
    };
    RequestContextLayer::new(setup).layer(bare())
}

fn tower_http() -> impl Waiting {
    let name = HeaderName::from_static("x-request-id");
    let set = SetRequestIdLayer::new(name.clone(), MakeRequestUuid);
    ServiceBuilder::new().layer(set).layer(PropagateRequestIdLayer::new(name)).service(bare())
}

fn id() -> impl Waiting {
    let ids = RequestIdPolicy::new();
    let setup = move |store: &mut Store, request: &mut Parts| {
        ids.apply(store, request);
    };
    RequestContextLayer::new(setup).layer(bare())
}

fn in_handlers(mut service: impl Waiting, n: u32) -> f64 {
    bytes_each(n, || {
        let mut future = Box::pin(service.call(Request::new(true)));
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        future
    })
}

fn in_bodies(mut service: impl Waiting, n: u32) -> f64 {
    let cx = &mut Context::from_waker(Waker::noop());
    bytes_each(n, || {
        let future = Box::pin(service.call(Request::new(false))).as_mut().poll(cx);
        let Poll::Ready(Ok(response)) = future else { panic!("expected the response at the first poll") };
        let mut body = Box::pin(response.into_body());
        assert!(body.as_mut().poll_frame(cx).is_pending());
        body
    })
}

/// Returns the bytes that `n` of these hold, divided by `n`.
fn bytes_each<T>(n: u32, mut make: impl FnMut() -> T) -> f64 {
    let mut in_flight = Vec::with_capacity(n as usize);
    let bytes = measure(|| in_flight.extend((0..n).map(|_| make()))).bytes_current;
    drop(black_box(in_flight));
    #[allow(clippy::cast_precision_loss, reason = "the size is a few megabytes")]
    let bytes = bytes as f64;
    bytes / f64::from(n)
}
