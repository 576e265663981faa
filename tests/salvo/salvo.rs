//! The layer in salvo, over a socket.
//!
//! salvo's `compat()` takes any layer. Since version 1.1, the layer's inner service only sends the request to the adapter,
//! which calls the handlers beside the layer's future. So handlers run outside the context, unless a handler enters it.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use salvo::{
    http::ReqBody,
    prelude::{Depot, FlowCtrl, Listener, Request, Response, Router, Server, TcpListener, TowerLayerCompat, handler},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Barrier, mpsc},
    time::timeout,
};
use tower_request_context::{End, RequestContext, RequestContextLayer, Store, WeakRequestContext};

/// The value of a request: its path.
#[derive(Clone, Debug, PartialEq)]
struct Path(String);

fn path() -> String {
    RequestContext::get().map_or_else(|| "none".to_owned(), |Path(path)| path)
}

/// Enters the context of a layer with `insert_extension`, for the handlers below.
#[handler]
async fn enter_context(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    let context = req.extensions().get().and_then(WeakRequestContext::upgrade);
    let context = context.expect("a layer with `insert_extension` is above this handler");
    context.scope(ctrl.call_next(req, depot, res)).await;
}

/// Responds with the path that the context has.
#[handler]
async fn hello(res: &mut Response) {
    tokio::task::yield_now().await;
    res.render(path());
}

#[tokio::test]
async fn handlers_see_no_context() {
    let layer = RequestContextLayer::new(|store, request| {
        store.insert(Path(request.uri.path().to_owned()));
    });
    let port = serve(Router::with_path("{*}").hoop(layer.compat::<ReqBody>()).get(hello)).await;
    assert_eq!(get(port, "/cats").await, "none");
}

#[tokio::test]
async fn handlers_below_enter_context_see_it() {
    let layer = RequestContextLayer::new(|store, request| {
        store.insert(Path(request.uri.path().to_owned()));
    });
    let layer = layer.insert_extension().compat::<ReqBody>();
    let port = serve(Router::with_path("{*}").hoop(layer).hoop(enter_context).get(hello)).await;
    assert_eq!(get(port, "/cats").await, "/cats");
}

#[tokio::test]
async fn overlapping_requests_see_their_own_context() {
    const REQUESTS: usize = 50;

    /// Waits until all requests are here.
    struct Wait(Barrier);

    #[handler]
    impl Wait {
        async fn handle(&self, res: &mut Response) {
            let before = path();
            self.0.wait().await;
            assert_eq!(before, path());
            res.render(before);
        }
    }

    let layer = RequestContextLayer::new(|store, request| {
        store.insert(Path(request.uri.path().to_owned()));
    });
    let layer = layer.insert_extension().compat::<ReqBody>();
    let wait = Wait(Barrier::new(REQUESTS));
    let port = serve(Router::with_path("{*}").hoop(layer).hoop(enter_context).get(wait)).await;
    let requests = (0..REQUESTS).map(|number| {
        tokio::spawn(async move {
            let path = format!("/{number}");
            assert_eq!(get(port, &path).await, path);
        })
    });
    for request in requests.collect::<Vec<_>>() {
        request.await.expect("the response has the path of its own request");
    }
}

/// The places of a request where the test reads the path, and the path there.
type Seen = Arc<Mutex<Vec<(&'static str, String)>>>;

/// Reads the path when it is dropped.
struct OnDrop(&'static str, Seen);

impl Drop for OnDrop {
    fn drop(&mut self) {
        see(&self.1, self.0);
    }
}

fn see(seen: &Seen, place: &'static str) {
    seen.lock().expect("no test panics with the lock").push((place, path()));
}

/// Reads the path in the handler, a task, a local's drop, the body's frame and the body's drop.
struct Probe(Seen);

#[handler]
impl Probe {
    async fn handle(&self, res: &mut Response) {
        let seen = &self.0;
        let _local = OnDrop("drop of a local", Arc::clone(seen));
        see(seen, "handler");
        let in_task = Arc::clone(seen);
        RequestContext::spawn(async move { see(&in_task, "spawned task") }).await.expect("the task does not panic");
        let in_body = OnDrop("drop of the body", Arc::clone(seen));
        res.stream(stream::iter([Ok::<_, Infallible>("hello")]).inspect(move |_| see(&in_body.1, "body frame")));
    }
}

#[tokio::test]
async fn context_is_available_in_tasks_bodies_drops_and_callbacks() {
    let (seen, (ended, mut end)) = (Seen::default(), mpsc::unbounded_channel());
    let in_callbacks = Arc::clone(&seen);
    let layer = RequestContextLayer::new(move |store: &mut Store, _| {
        store.insert(Path("/cats".to_owned()));
        let (on_response, on_end, ended) = (Arc::clone(&in_callbacks), Arc::clone(&in_callbacks), ended.clone());
        store.on_response(move |_| see(&on_response, "on_response"));
        store.on_end(move |end| {
            see(&on_end, "on_end");
            ended.send(end).expect("the test waits for the end");
        });
    });
    let layer = layer.insert_extension().compat::<ReqBody>();
    let probe = Probe(Arc::clone(&seen));
    let port = serve(Router::with_path("{*}").hoop(layer).hoop(enter_context).get(probe)).await;
    assert_eq!(get(port, "/cats").await, "hello");
    assert_eq!(within_seconds(end.recv()).await, Some(End::Completed));
    let places =
        ["handler", "spawned task", "drop of a local", "on_response", "body frame", "drop of the body", "on_end"];
    let seen = seen.lock().expect("no test panics with the lock");
    assert_eq!(*seen, places.map(|place| (place, "/cats".to_owned())));
}

#[tokio::test]
async fn disconnect_drops_the_handler_in_its_context() {
    /// Waits until the client is gone.
    struct Pending(mpsc::UnboundedSender<()>, Seen);

    #[handler]
    impl Pending {
        async fn handle(&self) {
            let _local = OnDrop("drop of a local", Arc::clone(&self.1));
            self.0.send(()).expect("the test waits for the handler");
            std::future::pending::<()>().await;
        }
    }

    let (seen, (ended, mut end), (called, mut call)) =
        (Seen::default(), mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let layer = RequestContextLayer::new(move |store: &mut Store, _| {
        store.insert(Path("/cats".to_owned()));
        let ended = ended.clone();
        store.on_end(move |end| ended.send(end).expect("the test waits for the end"));
    });
    let layer = layer.insert_extension().compat::<ReqBody>();
    let pending = Pending(called, Arc::clone(&seen));
    let port = serve(Router::with_path("{*}").hoop(layer).hoop(enter_context).get(pending)).await;
    let client = send(port, "/cats").await;
    within_seconds(call.recv()).await.expect("the handler is called");
    drop(client);
    assert_eq!(within_seconds(end.recv()).await, Some(End::Cancelled));
    let seen = seen.lock().expect("no test panics with the lock");
    assert_eq!(*seen, [("drop of a local", "/cats".to_owned())]);
}

/// Serves on a free port until the test's runtime is dropped.
async fn serve(router: Router) -> u16 {
    let acceptor = TcpListener::new("127.0.0.1:0").bind().await;
    let port = acceptor.local_addr().expect("the listener is bound").port();
    tokio::spawn(Server::new(acceptor).serve(router));
    port
}

async fn send(port: u16, path: &str) -> TcpStream {
    let mut client = TcpStream::connect(("127.0.0.1", port)).await.expect("the server listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).await.expect("the server reads");
    client
}

/// Returns the body of the response, decoded if it is chunked.
async fn get(port: u16, path: &str) -> String {
    let mut response = String::new();
    within_seconds(send(port, path).await.read_to_string(&mut response)).await.expect("the response is UTF-8");
    assert!(response.starts_with("HTTP/1.1 200 OK"), "{response}");
    let (headers, body) = response.split_once("\r\n\r\n").expect("headers end with an empty line");
    if headers.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        body.split("\r\n").skip(1).step_by(2).collect()
    } else {
        body.to_owned()
    }
}

async fn within_seconds<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future).await.expect("the server responds in time")
}
