//! Shared helpers: a user id, the layer that inserts it, and real servers and clients on loopback.

use std::{
    any::Any,
    cell::RefCell,
    env,
    fmt::Debug,
    iter,
    net::{self, Shutdown, SocketAddr},
    panic::{self, UnwindSafe, catch_unwind},
    process::Command,
    str::FromStr,
    sync::Once,
    time::Duration,
};

use axum::{Router, body::Body};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, Version, request::Parts};
use http_body_util::BodyExt;
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tower_request_context::{RequestContext, RequestContextLayer, Store};

/// User id of a request. Tests assert that it is neither lost nor taken from another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct User(pub(crate) u32);

impl User {
    pub(crate) const HEADER: &str = "x-user-id";

    pub(crate) fn of(head: &Parts) -> Option<Self> {
        head.headers.get(Self::HEADER)?.to_str().ok()?.parse().ok().map(Self)
    }

    /// Returns the current context's user as a string, or `nobody` if there is none.
    pub(crate) fn name() -> String {
        RequestContext::get::<Self>().map_or_else(|| String::from("nobody"), |user| format!("user {}", user.0))
    }
}

pub(crate) type Setup = fn(&mut Store, &mut Parts);

/// Creates the layer under test. It inserts the user that the request header names, if there is one.
pub(crate) fn layer() -> RequestContextLayer<Setup> {
    RequestContextLayer::new(|store, head| {
        if let Some(user) = User::of(head) {
            store.insert(user);
        }
    })
}

/// Serves an axum application over HTTP/1.1 and HTTP/2 until the test's runtime shuts down.
pub(crate) async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    address
}

/// Creates a client with a connection pool for one version of HTTP.
pub(crate) fn client(version: Version) -> Client<HttpConnector, Body> {
    Client::builder(TokioExecutor::new()).http2_only(version == Version::HTTP_2).build_http()
}

pub(crate) const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

/// Builds a GET request, with a user header if `user` is set.
pub(crate) fn request(address: SocketAddr, path: &str, user: Option<User>) -> Request<Body> {
    let uri = Uri::builder().scheme("http").authority(address.to_string()).path_and_query(path).build().unwrap();
    let mut request = Request::builder().uri(uri);
    if let Some(User(id)) = user {
        request = request.header(User::HEADER, id);
    }
    request.body(Body::empty()).unwrap()
}

/// Builds a request for tests without a socket, with a user header if `user` is set.
pub(crate) fn bare_request(user: Option<u32>) -> Request<()> {
    let mut request = Request::builder();
    if let Some(id) = user {
        request = request.header(User::HEADER, id);
    }
    request.body(()).unwrap()
}

/// Reads the whole body as a string.
pub(crate) async fn text<B: http_body::Body<Error: Debug>>(response: Response<B>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.into()).unwrap()
}

/// A single client connection, without a pool that could open another one.
pub(crate) enum Connection {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr, version: Version) -> Self {
        Self::open_to_abort(address, version).await.0
    }

    /// Like `open`, and also returns a handle that closes the socket immediately, even with unsent or unread data.
    pub(crate) async fn open_to_abort(address: SocketAddr, version: Version) -> (Self, Socket) {
        let stream = connect(address).await.into_std().unwrap();
        let socket = Socket(stream.try_clone().unwrap());
        let io = TokioIo::new(TcpStream::from_std(stream).unwrap());
        if version == Version::HTTP_2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            return (Self::Http2(sender), socket);
        }
        let (sender, connection) = http1::handshake(io).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        (Self::Http1(sender), socket)
    }

    /// Sends a request once the previous one is done. Returns an error if the connection is closed.
    pub(crate) async fn send(&mut self, request: Request<Body>) -> hyper::Result<Response<Incoming>> {
        in_time(async {
            match self {
                Self::Http1(sender) => {
                    sender.ready().await?;
                    sender.send_request(request).await
                }
                Self::Http2(sender) => sender.send_request(request).await,
            }
        })
        .await
    }
}

/// A second handle to the socket of a connection, to close it. The stream itself moves to the task of the connection,
/// and to an upgrade.
pub(crate) struct Socket(net::TcpStream);

impl Socket {
    pub(crate) fn abort(&self) {
        // The socket may already be closed.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// Opens an HTTP/2 connection for concurrent requests. Clone the sender for each of them.
pub(crate) async fn http2_connection(address: SocketAddr) -> http2::SendRequest<Body> {
    let stream = connect(address).await;
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.unwrap();
    // RST_STREAM and WINDOW_UPDATE are small. Nagle's algorithm would delay them until earlier data is acknowledged.
    stream.set_nodelay(true).unwrap();
    stream
}

/// Time limit for a wait in a test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Awaits `work`, and fails the test if it takes longer than [`PATIENCE`].
pub(crate) async fn in_time<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("the work completes within the time limit")
}

/// Reads an environment variable that makes a test run longer than it does by default.
pub(crate) fn from_env<T: FromStr<Err: Debug>>(name: &str) -> Option<T> {
    env::var(name).ok().map(|value| value.parse().expect(name))
}

/// Runs cargo in the workspace, and returns what it printed. Panics with all its output if it fails.
pub(crate) fn cargo(arguments: &[&str]) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    let output = cargo.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    printed
}

/// Returns a header map with capacity for `room` more names before it is full.
pub(crate) fn map_with_room_for(room: usize) -> HeaderMap {
    let mut names = (0_u32..).map(|n| HeaderName::try_from(format!("x-{n}")).unwrap());
    let mut headers = HeaderMap::new();
    let full = iter::from_fn(|| headers.try_insert(names.next()?, HeaderValue::from_static("")).ok()).count();
    assert!(full > 1 << 14);
    for n in 0..room {
        headers.remove(format!("x-{n}")).unwrap();
    }
    headers
}

/// Returns the message of the panic in `work`.
pub(crate) fn panic_text<T>(work: impl FnOnce() -> T + UnwindSafe) -> String {
    let panic: Box<dyn Any + Send> = catch_unwind(|| drop(work())).expect_err("`work` panics");
    *panic.downcast().expect("the panic message is a `String`")
}

/// Returns the file that the panic hook reports for a panic in `work`. With `#[track_caller]`, it is the caller's file.
pub(crate) fn panic_file<T>(work: impl FnOnce() -> T + UnwindSafe) -> String {
    thread_local! {
        static FILE: RefCell<Option<String>> = const { RefCell::new(None) };
    }
    // The hook is global to the process. Two threads that install it at the same time could lose an earlier hook.
    static INSTALL: Once = Once::new();

    INSTALL.call_once(|| {
        let earlier = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            FILE.set(panic.location().map(|location| location.file().to_owned()));
            earlier(panic);
        }));
    });
    assert!(catch_unwind(|| drop(work())).is_err(), "`work` panics");
    FILE.take().expect("the hook ran on this thread")
}

/// Headers that frame a message or belong to one connection.
pub(crate) const NOT_FORWARDABLE: [&str; 9] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
