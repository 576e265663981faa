//! What the examples have in common: they serve, are visited a few times, and go on serving until Ctrl-C.
//!
//! `-- --once` ends them after the visit. `PORT` chooses the port, 3000 without it, any that is free with 0.

#![allow(dead_code, reason = "no example needs all of it")]

use std::{
    env,
    fmt::Display,
    io::{Write, stdout},
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use axum::{
    BoxError, Router,
    body::Body,
    http::{
        HeaderMap, HeaderName, Method, Request,
        header::{self, AsHeaderName},
    },
};
use futures_util::{FutureExt, future::BoxFuture};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{net::TcpListener, select, signal, sync::oneshot, time::sleep, try_join};

/// How long requests may still run after Ctrl-C. A server that stops gracefully waits for its clients to close their
/// connections, and some never do: an event stream has no end, and a request may never be sent in full.
const GRACE: Duration = Duration::from_secs(3);

/// Serves an application, with the peer's address as `ConnectInfo`; what goes wrong is one sentence and exit code 1.
pub(crate) async fn serve(app: Router, visit: impl AsyncFnOnce(&mut Visitor) -> Result<(), BoxError>) -> ExitCode {
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    serve_with(async |listener, stop| Ok(axum::serve(listener, app).with_graceful_shutdown(stop).await?), visit).await
}

/// As [`serve`], with another server. After `stop`, it ends when it has answered the requests that are left, or is
/// dropped after [`GRACE`].
pub(crate) async fn serve_with<F>(
    server: impl FnOnce(TcpListener, BoxFuture<'static, ()>) -> F,
    visit: impl AsyncFnOnce(&mut Visitor) -> Result<(), BoxError>,
) -> ExitCode
where
    F: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    exit(serve_until_interrupted(server, visit).await)
}

pub(crate) fn exit(result: Result<(), BoxError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve_until_interrupted<F>(
    server: impl FnOnce(TcpListener, BoxFuture<'static, ()>) -> F,
    visit: impl AsyncFnOnce(&mut Visitor) -> Result<(), BoxError>,
) -> Result<(), BoxError>
where
    F: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    let once = once()?;
    let listener = listen().await?;
    let mut visitor = Visitor::of(listener.local_addr()?);
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(server(listener, async { drop(stopped.await) }.boxed()));

    visit(&mut visitor).await?;
    if !once {
        // In this order: whoever reads the invitation may interrupt at once.
        try_join!(signal::ctrl_c(), async { say(visitor.invitation()) })?;
    }
    drop((visitor, stop));
    select! {
        result = server => result?,
        () = sleep(GRACE) => Ok(say(format_args!("Stopped with connections still open after {GRACE:?}."))?),
        _ = signal::ctrl_c() => Err("interrupted again, while requests were still being answered".into()),
    }
}

/// Tells whether the example is to end by itself.
pub(crate) fn once() -> Result<bool, BoxError> {
    match env::args_os().skip(1).find(|argument| argument != "--once") {
        Some(unknown) => Err(format!("the only argument accepted is --once, not {unknown:?}").into()),
        None => Ok(env::args_os().len() > 1),
    }
}

pub(crate) async fn listen() -> Result<TcpListener, BoxError> {
    let port = match env::var_os("PORT") {
        Some(port) => port
            .to_str()
            .and_then(|port| port.parse().ok())
            .ok_or_else(|| format!("PORT must be a number from 0 (any free port) to 65535, not {port:?}"))?,
        None => 3000,
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listening = TcpListener::bind(address).await;
    listening.map_err(|error| format!("cannot listen on {address}: {error}; set PORT to choose another port").into())
}

/// Returns the value of a header that was sent exactly once. With two lines, this program may read one and a proxy in
/// front of it the other, so a header that says who the user is must not be repeated.
pub(crate) fn single_header(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// Prints a line; an error where nobody reads any more.
pub(crate) fn say(line: impl Display) -> std::io::Result<()> {
    writeln!(stdout(), "{line}")
}

/// A client that shows what it asks, as a command to repeat, and what it is answered.
pub(crate) struct Visitor {
    pub(crate) address: SocketAddr,
    client: Client<HttpConnector, Body>,
    invitations: Vec<String>,
}

impl Visitor {
    fn of(address: SocketAddr) -> Self {
        Self { address, client: Client::builder(TokioExecutor::new()).build_http(), invitations: Vec::new() }
    }

    /// Sends a GET, prints it and the answer, and returns the body.
    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<String, BoxError> {
        self.send(Method::GET, path, headers, "").await
    }

    /// Sends a POST, prints it and the answer, and returns the body.
    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Result<String, BoxError> {
        self.send(Method::POST, path, headers, body).await
    }

    /// Leaves it to the reader to ask this.
    pub(crate) fn invite(&mut self, path: &str, headers: &[(&str, &str)]) {
        self.invitations.push(self.curl(&Method::GET, path, headers, ""));
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Result<String, BoxError> {
        let body = self.open(method, path, headers, body).await?;
        let text = String::from_utf8(body.collect().await?.to_bytes().into())?;
        say(if text.is_empty() { String::new() } else { format!("{text}\n") })?;
        Ok(text)
    }

    /// Sends a request, prints it and the head of the answer, and returns a body that may have no end.
    pub(crate) async fn open(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Incoming, BoxError> {
        say(format_args!("$ {}", self.curl(&method, path, headers, body)))?;
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.client.request(request.body(Body::from(body.to_owned()))?).await?;
        let (head, body) = response.into_parts();
        say(head.status)?;
        for (name, value) in head.headers.iter().filter(|(name, _)| !PLAIN.contains(name)) {
            say(format_args!("{name}: {}", value.to_str()?))?;
        }
        Ok(body)
    }

    fn curl(&self, method: &Method, path: &str, headers: &[(&str, &str)], body: &str) -> String {
        let mut words = vec![String::from("curl")];
        if method == Method::POST {
            words.push(format!("-d '{body}'"));
        }
        words.extend(headers.iter().map(|(name, value)| {
            let is_secret = header::COOKIE.as_str().eq_ignore_ascii_case(name);
            if is_secret { format!("-H \"{name}: $COOKIE\"") } else { format!("-H '{name}: {value}'") }
        }));
        words.push(format!("http://{}{path}", self.address));
        words.join(" ")
    }

    fn invitation(&self) -> String {
        match &*self.invitations {
            [] => format!("Serving http://{} until Ctrl-C.", self.address),
            these => format!("\nServing until Ctrl-C. Try:\n  {}", these.join("\n  ")),
        }
    }
}

/// Headers that say nothing about the example.
const PLAIN: [HeaderName; 3] = [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::DATE];
