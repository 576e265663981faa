//! A client: a connection of its own, a request in parts, and the whole response.

use std::{convert::Infallible, fmt::Write, net::SocketAddr};

use axum::body::Body;
use futures_util::stream::{self, StreamExt};
use http::{Request, Version};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::yield_now,
};

use super::asks::Ask;
use crate::support::http2_connection;

/// Returns the status of the response when that has been read to its end.
pub(super) async fn visit(address: SocketAddr, ask: &Ask, version: Version) -> u16 {
    if version == Version::HTTP_2 { http2(address, ask).await } else { http1(address, ask).await }
}

async fn http1(address: SocketAddr, ask: &Ask) -> u16 {
    let mut request = format!("{} {} HTTP/1.1\r\nhost: {address}\r\n", ask.method, ask.path);
    let is_upgrade = ask.headers.iter().any(|(name, _)| *name == "upgrade");
    if !is_upgrade {
        write!(request, "connection: close\r\ncontent-length: {}\r\n", ask.body.len()).unwrap();
    }
    for (name, value) in ask.headers {
        write!(request, "{name}: {value}\r\n").unwrap();
    }
    request += "\r\n";

    let mut stream = TcpStream::connect(address).await.unwrap();
    for part in parts(request.as_bytes()).chain(parts(ask.body)) {
        stream.write_all(part).await.unwrap();
        yield_now().await;
    }
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.unwrap();
    let status = response.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.first_chunk::<3>());
    str::from_utf8(status.unwrap()).unwrap().parse().unwrap()
}

async fn http2(address: SocketAddr, ask: &Ask) -> u16 {
    let mut connection = http2_connection(address).await;
    let mut request = Request::builder().method(ask.method).uri(format!("http://{address}{}", ask.path));
    for (name, value) in ask.headers {
        request = request.header(*name, *value);
    }
    let parts = stream::iter(parts(ask.body)).then(async |part| {
        yield_now().await;
        Ok::<_, Infallible>(part)
    });
    let response = connection.send_request(request.body(Body::from_stream(parts)).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    response.into_body().collect().await.unwrap();
    status
}

/// Three parts, between which a client may leave.
fn parts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> + use<'_> {
    bytes.chunks(bytes.len().div_ceil(3).max(1))
}
