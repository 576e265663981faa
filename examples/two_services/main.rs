//! Run with `cargo run --example two_services`.
//!
//! A gateway (axum) asks a backend (tonic), and the backend reports back to the gateway: three hops over real sockets. The
//! id of a request, its trace and its tenant travel along in headers; no function is handed them. Each hop prints what it
//! was sent. `-- --once` makes one request and stops. `PORT` chooses the gateway's port.

mod backend;
mod gateway;
mod hop;
#[path = "../shared/mod.rs"]
mod shared;

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use axum::{BoxError, body::Body, http::Request};
use http_body_util::BodyExt;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{select, signal, time::timeout, try_join};
use tonic::transport::{Channel, server::TcpIncoming};

use self::shared::{exit, listen, once, say};

const PATH: &str = "/cats/tom";

/// What a client outside sends. The gateway does not let it choose the request's id, and makes another.
const HEADERS: [(&str, &str); 4] = [
    ("x-request-id", "made-up"),
    ("x-tenant", "cats-and-co"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("tracestate", "shop=42"),
];

#[tokio::main]
async fn main() -> ExitCode {
    exit(run().await)
}

async fn run() -> Result<(), BoxError> {
    let once = once()?;
    let front = listen().await?;
    let back = TcpIncoming::bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let address = front.local_addr()?;
    let channel = Channel::from_shared(format!("http://{}", back.local_addr()?))?.connect_lazy();

    let gateway = axum::serve(front, gateway::app(channel));
    let backend = backend::serve(back, address);
    let visit = async {
        ask(address).await?;
        if once { Ok(()) } else { invite(address).await }
    };
    select! {
        result = gateway.into_future() => Ok(result?),
        result = backend => Ok(result?),
        result = visit => result,
    }
}

async fn ask(address: SocketAddr) -> Result<(), BoxError> {
    say(hop::heading())?;
    let request = HEADERS
        .iter()
        .fold(Request::get(format!("http://{address}{PATH}")), |request, (name, value)| request.header(*name, *value));
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = async {
        let answer = client.request(request.body(Body::empty())?).await?;
        let status = answer.status();
        Ok::<_, BoxError>((status, answer.into_body().collect().await?.to_bytes()))
    };
    let (status, body) =
        timeout(Duration::from_secs(60), answer).await.map_err(|_| "no answer within 60 seconds")??;
    let text = String::from_utf8_lossy(&body);
    if !status.is_success() {
        return Err(format!("the gateway answered {status}: {}", text.trim_end()).into());
    }
    Ok(say(format_args!("\nThe gateway answered: {}", text.trim_end()))?)
}

async fn invite(address: SocketAddr) -> Result<(), BoxError> {
    let headers = HEADERS.map(|(name, value)| format!(" -H '{name}: {value}'")).concat();
    let invite = format!("\nServing until Ctrl-C. Try:\n  curl http://{address}{PATH}{headers}\n\n{}", hop::heading());
    // In this order: whoever reads the invitation may interrupt at once.
    try_join!(signal::ctrl_c(), async { say(&invite) })?;
    Ok(())
}
