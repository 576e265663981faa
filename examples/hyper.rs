//! Run with `cargo run --example hyper`.
//!
//! hyper without a framework: its server for HTTP/1.1 and HTTP/2, one function as the service, and the layer around it.
//! The response body echoes the request body while that is still being received, and puts the name of the user before
//! each part. The function has returned by then, so a `tokio::task_local!` scope around it would have ended.
//!
//! `curl -N -T - -H 'x-user-id: 7' http://127.0.0.1:3000` sends what you type.

mod shared;

use std::{convert::Infallible, pin::pin, time::Duration};

use axum::BoxError;
use http_body_util::BodyExt;
use hyper::{
    Request, Response,
    body::{Body, Bytes, Incoming},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, select, time::sleep};
use tower::{Layer, service_fn};
use tower_request_context::{RequestContext, RequestContextLayer};

use self::shared::{Demo, single_header};

/// The user of a request. The layer inserts it. For real identities see the example `identity`.
#[derive(Clone)]
struct UserId(u64);

async fn echo(
    request: Request<Incoming>,
) -> Result<Response<impl Body<Data = Bytes, Error = hyper::Error>>, Infallible> {
    Ok(Response::new(request.into_body().map_frame(|frame| frame.map_data(signed))))
}

/// Called for each frame, after `echo` has returned.
fn signed(data: Bytes) -> Bytes {
    if data.is_empty() {
        return data; // HTTP/2 may end a body with an empty frame
    }
    [user_name().as_bytes(), b": ", &*data].concat().into()
}

fn user_name() -> String {
    RequestContext::get().map_or_else(|| String::from("anonymous"), |UserId(id)| format!("user {id}"))
}

pub(crate) async fn serve(listener: TcpListener, stop: impl Future<Output = ()>) -> Result<(), BoxError> {
    let context = RequestContextLayer::new(|store, request| {
        if let Some(Ok(id)) = single_header(&request.headers, "x-user-id").map(str::parse) {
            store.insert(UserId(id));
        }
    });
    let service = TowerToHyperService::new(context.layer(service_fn(echo)));
    let (server, connections) = (auto::Builder::new(TokioExecutor::new()), GracefulShutdown::new());
    let mut stop = pin!(stop);
    loop {
        let accepted = select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let Ok((stream, _)) = accepted else {
            // The client has disconnected, or too many files are open. The server continues with the other clients.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let connection = server.serve_connection(TokioIo::new(stream), service.clone()).into_owned();
        // An error concerns this connection only: the client has disconnected, or does not speak HTTP.
        tokio::spawn(connections.watch(connection));
    }
    drop(listener); // rejects new connections during the shutdown
    connections.shutdown().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), shared::Error> {
    let (listener, demo) = Demo::listen().await?;
    let server = serve(listener, demo.shutdown_signal());
    demo.run(server, async |client| {
        client.post("/", &[("x-user-id", "7")], "where is my cat?").await?;
        client.post("/", &[], "here is a cat").await?;
        Ok(())
    })
    .await
}
