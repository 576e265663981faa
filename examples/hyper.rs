//! Run with `cargo run --example hyper`.
//!
//! No framework: hyper's server for HTTP/1.1 and HTTP/2, one function as its service, and the layer around that. The
//! body echoes what the client sends, when it sends it, with the name of the user before each part: the function has
//! long returned by then. It replaces a value that is cloned into each closure of a stream, or `tokio::task_local!`,
//! which ends with the function. `curl -N -T - -H 'x-user-id: 7' http://127.0.0.1:3000` sends what you type.

mod shared;

use std::{convert::Infallible, pin::pin, process::ExitCode, time::Duration};

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

use self::shared::single_header;

/// Who asks: seeded by the layer. For real identities see the example `identity`.
#[derive(Clone)]
struct UserId(u64);

async fn echo(
    request: Request<Incoming>,
) -> Result<Response<impl Body<Data = Bytes, Error = hyper::Error>>, Infallible> {
    Ok(Response::new(request.into_body().map_frame(|frame| frame.map_data(signed))))
}

fn signed(words: Bytes) -> Bytes {
    if words.is_empty() {
        return words; // as HTTP/2 may end a body
    }
    [author().as_bytes(), b": ", &*words].concat().into()
}

fn author() -> String {
    RequestContext::get().map_or_else(|| String::from("a stranger"), |UserId(id)| format!("user {id}"))
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
            // The client has left already, or too many files are open. The others are still to be served.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let connection = server.serve_connection(TokioIo::new(stream), service.clone()).into_owned();
        // Its error would say that the client has left, or does not speak HTTP: nothing for the others.
        tokio::spawn(connections.watch(connection));
    }
    drop(listener); // nobody new is to wait for those who are still served
    connections.shutdown().await;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    shared::serve_with(serve, async |visitor| {
        visitor.post("/", &[("x-user-id", "7")], "where is my cat?").await?;
        visitor.post("/", &[], "here is a cat").await?;
        Ok(())
    })
    .await
}
