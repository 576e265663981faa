//! Runs an example: sends requests to its server, prints them with their responses, and stops the server on Ctrl-C.
//!
//! With `-- --once`, the example stops after those requests. `PORT` chooses the port: 3000 by default, any free port
//! with 0.

#![allow(dead_code, reason = "no example needs all of it")]

use std::{
    env,
    fmt::{self, Display},
    io::{self, Write, stdout},
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    BoxError,
    body::Body,
    http::{
        HeaderMap, HeaderName, Method, Request,
        header::{self, AsHeaderName},
    },
};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{net::TcpListener, select, signal, sync::Notify, time::sleep, try_join};

/// How long requests may still run after Ctrl-C. A graceful shutdown closes idle connections, and waits for requests in
/// progress. Some never end: an event stream has no end, and a request may never be sent in full.
const GRACE_PERIOD: Duration = Duration::from_secs(3);

/// The error of `main`, which the standard library prints with `Debug`.
pub(crate) struct Error(BoxError);

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, f)
    }
}

impl<E: Into<BoxError>> From<E> for Error {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// Starts and stops the server of an example, and sends requests to it.
pub(crate) struct Demo {
    client: Client,
    once: bool,
    stop: Arc<Notify>,
}

impl Demo {
    /// Reads the arguments and listens on the port.
    pub(crate) async fn listen() -> Result<(TcpListener, Self), Error> {
        let once = once()?;
        let listener = listen().await?;
        let client = Client {
            address: listener.local_addr()?,
            http: HttpClient::builder(TokioExecutor::new()).build_http(),
            suggestions: Vec::new(),
        };
        Ok((listener, Self { client, once, stop: Arc::default() }))
    }

    /// Returns a future that completes when the server must shut down.
    pub(crate) fn shutdown_signal(&self) -> impl Future<Output = ()> + Send + use<> {
        let stop = Arc::clone(&self.stop);
        async move { stop.notified().await }
    }

    /// Runs the server and sends the requests. With `--once`, the server then stops, otherwise on Ctrl-C.
    pub(crate) async fn run<S, E>(
        self,
        server: S,
        requests: impl AsyncFnOnce(&mut Client) -> Result<(), BoxError>,
    ) -> Result<(), Error>
    where
        S: IntoFuture<Output = Result<(), E>, IntoFuture: Send + 'static>,
        E: Into<BoxError> + Send + 'static,
    {
        let Self { mut client, once, stop } = self;
        let server = tokio::spawn(server.into_future());
        requests(&mut client).await?;
        if !once {
            // Installs the handler for Ctrl-C before it prints that the user may press it.
            try_join!(signal::ctrl_c(), async { print(client.serving_message()) })?;
        }
        drop(client); // closes its idle connections
        stop.notify_one();
        select! {
            result = server => Ok(result?.map_err(Into::into)?),
            () = sleep(GRACE_PERIOD) => {
                Ok(print(format_args!("Stopped with connections still open after {GRACE_PERIOD:?}."))?)
            }
            _ = signal::ctrl_c() => Err("interrupted before all requests were complete".into()),
        }
    }
}

/// Returns whether the example stops by itself.
fn once() -> Result<bool, BoxError> {
    match env::args_os().skip(1).find(|argument| argument != "--once") {
        Some(unknown) => {
            Err(format!("the only argument accepted is --once, not {:?}", unknown.to_string_lossy()).into())
        }
        None => Ok(env::args_os().len() > 1),
    }
}

async fn listen() -> Result<TcpListener, BoxError> {
    let port = match env::var_os("PORT") {
        Some(port) => port.to_str().and_then(|port| port.parse().ok()).ok_or_else(|| {
            format!("PORT must be a number from 0 (any free port) to 65535, not {:?}", port.to_string_lossy())
        })?,
        None => 3000,
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| format!("cannot listen on {address}: {error}; set PORT to choose another port").into())
}

/// Returns the value of a header that was sent exactly once. With two lines, this program may read one and a proxy in
/// front of it the other, so a header that identifies the user must not be repeated.
pub(crate) fn single_header(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// Prints a line. Returns an error instead of panicking when standard output is closed.
pub(crate) fn print(line: impl Display) -> io::Result<()> {
    writeln!(stdout(), "{line}")
}

/// Prints each request as a `curl` command, and its response.
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    http: HttpClient<HttpConnector, Body>,
    suggestions: Vec<String>,
}

impl Client {
    /// Sends a GET request and returns the body of the response.
    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<String, BoxError> {
        self.send(Method::GET, path, headers, "").await
    }

    /// Sends a POST request and returns the body of the response.
    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Result<String, BoxError> {
        self.send(Method::POST, path, headers, body).await
    }

    /// Adds a `curl` command that is printed before the example waits for Ctrl-C.
    pub(crate) fn suggest(&mut self, path: &str, headers: &[(&str, &str)]) {
        self.suggestions.push(self.curl(&Method::GET, path, headers, ""));
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Result<String, BoxError> {
        let body = self.open(method, path, headers, body).await?;
        let text = String::from_utf8(body.collect().await?.to_bytes().into())?;
        print(if text.is_empty() { String::new() } else { format!("{text}\n") })?;
        Ok(text)
    }

    /// Sends a request and returns a response body that need not end. Prints only status and headers of the response.
    pub(crate) async fn open(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Incoming, BoxError> {
        print(format_args!("$ {}", self.curl(&method, path, headers, body)))?;
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.http.request(request.body(Body::from(body.to_owned()))?).await?;
        let (parts, body) = response.into_parts();
        print(parts.status)?;
        for (name, value) in parts.headers.iter().filter(|(name, _)| !NOT_PRINTED.contains(name)) {
            print(format_args!("{name}: {}", value.to_str()?))?;
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

    fn serving_message(&self) -> String {
        match &*self.suggestions {
            [] => format!("Serving http://{} until Ctrl-C.", self.address),
            commands => format!("\nServing until Ctrl-C. Try:\n  {}", commands.join("\n  ")),
        }
    }
}

/// Response headers that show nothing about an example.
const NOT_PRINTED: [HeaderName; 3] = [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::DATE];
