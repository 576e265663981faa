//! A client that sends one request in parts, over a connection of its own, and reads the whole response.

use std::{convert::Infallible, error::Error, fmt::Write, net::SocketAddr};

use axum::body::Body;
use futures_util::stream::{self, StreamExt};
use http::{Request, Version};
use http_body_util::BodyExt;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::yield_now,
};

use super::requests::TestRequest;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Returns the status of the response, after its body has ended.
pub(super) async fn send(address: SocketAddr, request: &TestRequest, version: Version) -> Result<u16> {
    if version == Version::HTTP_2 { http2(address, request).await } else { http1(address, request).await }
}

async fn http1(address: SocketAddr, request: &TestRequest) -> Result<u16> {
    let mut head = format!("{} {} HTTP/1.1\r\nhost: {address}\r\n", request.method, request.path);
    let is_upgrade = request.headers.iter().any(|(name, _)| *name == "upgrade");
    if !is_upgrade {
        write!(head, "connection: close\r\ncontent-length: {}\r\n", request.body.len())?;
    }
    for (name, value) in request.headers {
        write!(head, "{name}: {value}\r\n")?;
    }
    head += "\r\n";

    let mut stream = TcpStream::connect(address).await?;
    for part in parts(head.as_bytes()).chain(parts(request.body)) {
        stream.write_all(part).await?;
        yield_now().await;
    }
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await?;
    let status = response.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.first_chunk::<3>());
    let status = status.ok_or_else(|| format!("not a response: {:?}", String::from_utf8_lossy(&response)))?;
    Ok(str::from_utf8(status)?.parse()?)
}

async fn http2(address: SocketAddr, request: &TestRequest) -> Result<u16> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut builder = Request::builder().method(request.method).uri(format!("http://{address}{}", request.path));
    for (name, value) in request.headers {
        builder = builder.header(*name, *value);
    }
    let parts = stream::iter(parts(request.body)).then(async |part| {
        yield_now().await;
        Ok::<_, Infallible>(part)
    });
    let response = sender.send_request(builder.body(Body::from_stream(parts))?).await?;
    let status = response.status().as_u16();
    response.into_body().collect().await?;
    Ok(status)
}

/// Splits bytes into three parts, between which a client may cancel the request.
fn parts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> + use<'_> {
    bytes.chunks(bytes.len().div_ceil(3).max(1))
}
