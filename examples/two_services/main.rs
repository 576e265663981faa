//! Run with `cargo run --example two_services`.
//!
//! Request id, trace and tenant propagated through two services. A client sends a request to a gateway (axum). The
//! gateway sends a gRPC request to a backend (tonic), which sends a request back to the gateway. These are three hops
//! over real sockets. No function receives the headers as an argument. Each hop prints the headers that it propagates.

mod backend;
mod gateway;
mod hop;
#[path = "../shared/mod.rs"]
mod shared;

use std::net::Ipv4Addr;

use axum::BoxError;
use tokio::select;
use tonic::transport::{Channel, server::TcpIncoming};

use self::shared::Demo;

const PATH: &str = "/cats/tom";

/// The headers of an outside client. The gateway replaces the request id.
const HEADERS: [(&str, &str); 4] = [
    ("x-request-id", "made-up"),
    ("x-tenant", "cats-and-co"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("tracestate", "shop=42"),
];

#[tokio::main]
async fn main() -> Result<(), shared::Error> {
    let (listener, demo) = Demo::listen().await?;
    let gateway_address = listener.local_addr()?;
    let incoming = TcpIncoming::bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let channel = Channel::from_shared(format!("http://{}", incoming.local_addr()?))?.connect_lazy();

    let backend = backend::serve(incoming, gateway_address);
    let gateway = axum::serve(listener, gateway::app(channel)).with_graceful_shutdown(demo.shutdown_signal());
    let servers = async {
        select! {
            result = gateway.into_future() => Ok::<_, BoxError>(result?),
            result = backend => Ok(result?),
        }
    };
    demo.run(servers, async |client| {
        shared::print(hop::heading())?;
        client.get(PATH, &HEADERS).await?;
        client.suggest(PATH, &HEADERS);
        Ok(())
    })
    .await
}
