//! Run with `cargo run --release --bin memory [--markdown]` in this folder.
//!
//! Holds requests in flight, and counts the bytes that each takes more than on the bare service: in its future while the
//! handler waits, in its body while the stream does, and on the heap.

use std::{
    convert::Infallible,
    env,
    future::pending,
    hint::black_box,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use allocation_counter::measure;
use http::{Request, Response, request::Parts};
use http_body::{Body, Frame};
use tower::{Layer, Service, service_fn};
use tower_request_context::{RequestContextLayer, Store};
use tower_request_context_peers::table::Wanted;

const IN_FLIGHT: [u32; 5] = [1, 10, 100, 1_000, 10_000];
const AT_MOST: f64 = 256.0;

/// What three values are, without what it takes to keep them.
type Three = (u64, [u64; 2], [u64; 4]);

/// A name, the bytes a request of so many in flight, and the bytes of the values themselves.
type Row = (&'static str, fn(u32) -> f64, f64);

fn main() {
    let wanted = Wanted::new(env::args().skip(1));
    let rows: [Row; 4] = [
        ("in the handler, no values", |n| in_handlers(empty(), n) - in_handlers(bare(), n), 0.0),
        ("in the body, no values", |n| in_bodies(empty(), n) - in_bodies(bare(), n), 0.0),
        ("in the handler, three values", |n| in_handlers(three(), n) - in_handlers(bare(), n), bytes_of_three()),
        ("in the body, three values", |n| in_bodies(three(), n) - in_bodies(bare(), n), bytes_of_three()),
    ];
    if wanted.markdown {
        println!(
            "\n| bytes a request in flight, over the bare service | {} | at most | |",
            IN_FLIGHT.map(group).join(" | ")
        );
        println!("|---|{}--:|---|", "--:|".repeat(IN_FLIGHT.len()));
    } else {
        println!("{}  at most", IN_FLIGHT.map(|n| format!("{n:>7}")).concat());
    }
    for (name, over, values) in rows {
        let figures = IN_FLIGHT.map(over);
        let at_most = AT_MOST + values;
        let met = figures.iter().all(|&figure| figure <= at_most);
        if wanted.markdown {
            let met = if met { "met" } else { "**missed**" };
            println!("| {name} | {} | {at_most} | {met} |", figures.map(|figure| format!("{figure:.0}")).join(" | "));
        } else {
            let met = if met { "met" } else { "missed" };
            println!("{}  {at_most:>7}  {met:<6}  {name}", figures.map(|figure| format!("{figure:>7.0}")).concat());
        }
    }
}

fn group(n: u32) -> String {
    if n < 1000 { n.to_string() } else { format!("{},{:03}", n / 1000, n % 1000) }
}

#[allow(clippy::cast_precision_loss, reason = "it is small")]
fn bytes_of_three() -> f64 {
    size_of::<Three>() as f64
}

/// Waits in the handler or, if it is told so, in the body of the answer.
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

fn in_handlers(mut service: impl Waiting, n: u32) -> f64 {
    held(n, || {
        let mut future = Box::pin(service.call(Request::new(true)));
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        future
    })
}

fn in_bodies(mut service: impl Waiting, n: u32) -> f64 {
    let cx = &mut Context::from_waker(Waker::noop());
    held(n, || {
        let future = Box::pin(service.call(Request::new(false))).as_mut().poll(cx);
        let Poll::Ready(Ok(response)) = future else { panic!("the head is ready at once") };
        let mut body = Box::pin(response.into_body());
        assert!(body.as_mut().poll_frame(cx).is_pending());
        body
    })
}

/// The bytes that `n` of them hold, divided by `n`.
fn held<T>(n: u32, mut make: impl FnMut() -> T) -> f64 {
    let mut parked = Vec::with_capacity(n as usize);
    let bytes = measure(|| parked.extend((0..n).map(|_| make()))).bytes_current;
    drop(black_box(parked));
    #[allow(clippy::cast_precision_loss, reason = "it is a few megabytes")]
    let bytes = bytes as f64;
    bytes / f64::from(n)
}
