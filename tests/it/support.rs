//! What the modules share: an identity, the layer that seeds it, real servers and clients on loopback.

use std::{
    any::Any,
    cell::RefCell,
    env,
    fmt::Debug,
    iter,
    net::{self, Shutdown, SocketAddr},
    panic::{self, UnwindSafe, catch_unwind},
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

/// The identity that must not be lost or mixed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct User(pub(crate) u32);

impl User {
    pub(crate) const HEADER: &str = "x-user-id";

    pub(crate) fn of(head: &Parts) -> Option<Self> {
        head.headers.get(Self::HEADER)?.to_str().ok()?.parse().ok().map(Self)
    }

    /// The user of the current context, as text; `nobody` where there is none.
    pub(crate) fn name() -> String {
        RequestContext::get::<Self>().map_or_else(|| String::from("nobody"), |user| format!("user {}", user.0))
    }
}

pub(crate) type Setup = fn(&mut Store, &mut Parts);

/// The layer under test: seeds the user that the header names, if it names one.
pub(crate) fn layer() -> RequestContextLayer<Setup> {
    RequestContextLayer::new(|store, head| {
        if let Some(user) = User::of(head) {
            store.insert(user);
        }
    })
}

/// Serves an axum application, HTTP/1.1 and HTTP/2 alike, until the test's runtime ends.
pub(crate) async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    address
}

/// A client that keeps its connections, for the protocol version that each request gets.
pub(crate) fn client(version: Version) -> Client<HttpConnector, Body> {
    Client::builder(TokioExecutor::new()).http2_only(version == Version::HTTP_2).build_http()
}

pub(crate) const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

/// A GET as a user, or as nobody.
pub(crate) fn request(address: SocketAddr, path: &str, user: Option<User>) -> Request<Body> {
    let uri = Uri::builder().scheme("http").authority(address.to_string()).path_and_query(path).build().unwrap();
    let mut request = Request::builder().uri(uri);
    if let Some(User(id)) = user {
        request = request.header(User::HEADER, id);
    }
    request.body(Body::empty()).unwrap()
}

/// A request without a socket, as a user or as nobody.
pub(crate) fn bare_request(user: Option<u32>) -> Request<()> {
    let mut request = Request::builder();
    if let Some(id) = user {
        request = request.header(User::HEADER, id);
    }
    request.body(()).unwrap()
}

/// The whole body, as text.
pub(crate) async fn text<B: http_body::Body<Error: Debug>>(response: Response<B>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.into()).unwrap()
}

/// One connection, without a pool that might open another.
pub(crate) enum Connection {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr, version: Version) -> Self {
        Self::open_to_abort(address, version).await.0
    }

    /// Also returns what closes the socket at once, whatever is still to be sent or read.
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

    /// Sends a request after the last one is done; an error where the connection is gone.
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

/// The socket of a connection, which hyper hands to a task of its own over HTTP/2, and to whoever upgrades it.
pub(crate) struct Socket(net::TcpStream);

impl Socket {
    pub(crate) fn abort(&self) {
        // It may be closed already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// One connection for many requests at once: clone the sender.
pub(crate) async fn http2_connection(address: SocketAddr) -> http2::SendRequest<Body> {
    let stream = connect(address).await;
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.unwrap();
    // What resets a stream or opens its window is small, and would wait for an answer to what was sent before.
    stream.set_nodelay(true).unwrap();
    stream
}

/// What no test should take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What `work` returns, unless it hangs: then the test fails and not the patience of its reader.
pub(crate) async fn in_time<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("the test hangs")
}

/// What an environment variable says, for runs that are longer than those of every day.
pub(crate) fn from_env<T: FromStr<Err: Debug>>(name: &str) -> Option<T> {
    env::var(name).ok().map(|value| value.parse().expect(name))
}

/// A map that would take so many names and no more.
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

/// The text of the panic that `work` ends with.
pub(crate) fn panic_text<T>(work: impl FnOnce() -> T + UnwindSafe) -> String {
    let panic: Box<dyn Any + Send> = catch_unwind(|| drop(work())).expect_err("it did not panic");
    *panic.downcast().expect("a text")
}

/// The file in which `work` panics, as the panic hook reports it: its caller's, if that is `#[track_caller]`.
pub(crate) fn panic_file<T>(work: impl FnOnce() -> T + UnwindSafe) -> String {
    thread_local! {
        static FILE: RefCell<Option<String>> = const { RefCell::new(None) };
    }
    // The hook belongs to the whole process. Installing it twice at the same time could lose one.
    static INSTALL: Once = Once::new();

    INSTALL.call_once(|| {
        let earlier = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            FILE.set(panic.location().map(|location| location.file().to_owned()));
            earlier(panic);
        }));
    });
    assert!(catch_unwind(|| drop(work())).is_err(), "it did not panic");
    FILE.take().expect("the hook has run on this thread")
}

/// The names of headers that HTTP itself needs.
pub(crate) const OF_ONE_MESSAGE: [&str; 9] = [
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
