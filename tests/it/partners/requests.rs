//! Overlapping requests, their server and their clients.

use std::{collections::BTreeMap, convert::Infallible, future::pending, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract,
    routing::{get, post},
};
use futures_util::{
    FutureExt, Stream, StreamExt,
    future::{BoxFuture, join_all},
    stream::{self, BoxStream},
};
use http::{Response, request::Parts};
use http_body_util::BodyExt;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use tokio::{
    runtime::Builder,
    sync::{Barrier, Semaphore},
    task::yield_now,
};
use tonic::{
    Status,
    server::Grpc,
    service::Routes,
    transport::{Channel, Server},
};
use tower::{ServiceBuilder, service_fn};
use tower_request_context::{RequestContext, RequestContextLayer, Store};

use super::{Observations, Partner, Protocol};
use crate::{
    support::{User, client, in_time, request, serve},
    with_tonic::{
        client::open,
        connect,
        echo::{Method, codec},
    },
};

const REQUESTS: u32 = 200;
/// Number of frames in a body. Every second body stops after its first frame, and its client drops it.
const FRAMES: usize = 3;

/// Serves all requests at the same time and asserts what was current in each place. Returns how often code ran in a
/// context.
pub(super) fn serve_all(partner: &impl Partner, protocol: Protocol) -> usize {
    let all = Arc::new(SharedState::default());
    let on_thread = partner.clone();
    let runtime = Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .on_thread_start(move || on_thread.start_thread())
        .build()
        .unwrap();
    runtime.block_on(in_time(async {
        match protocol {
            Protocol::Http(version) => {
                let (address, client) = (serve(app(partner.clone(), &all)).await, client(version));
                join_all((1..=REQUESTS).map(|number| send_http(&client, address, number))).await;
            }
            Protocol::Grpc => {
                let routes = Routes::from(app(partner.clone(), &all));
                let serve = |incoming| Server::builder().add_routes(routes).serve_with_incoming(incoming);
                let channel = connect(serve).await;
                join_all((1..=REQUESTS).map(|number| send_grpc(&channel, number))).await;
            }
        }
        all.ended.acquire_many(REQUESTS).await.unwrap().forget();
    }));
    // Waits for the worker threads, which may still be dropping the last contexts.
    drop(runtime);

    let mismatches = all.observations.mismatches.lock().unwrap();
    assert!(mismatches.is_empty(), "{protocol:?}, {} mismatches: {mismatches:#?}", mismatches.len());
    let counts = all.observations.counts.lock().unwrap();
    assert_eq!(*counts, expected_counts(), "{protocol:?}");
    counts.iter().filter(|(place, _)| !place.starts_with("outside")).map(|(_, count)| count).sum()
}

/// Returns how often code should run in each place.
fn expected_counts() -> BTreeMap<String, usize> {
    let all = REQUESTS as usize;
    let half = all / 2;
    let counts = [
        ("outside, before", all),
        ("handler", all),
        ("after an await", all),
        ("spawned task", all),
        ("spawn_blocking", all),
        ("child context", all),
        ("outside, bare task", all),
        ("drop of a local", all),
        ("on_response", all),
        ("outside, after", all),
        ("frame", half * FRAMES + half),
        ("drop of a completed body", half),
        ("drop of a cancelled body", half),
        ("on_end, Completed", half),
        ("on_end, Cancelled", half),
    ];
    counts.into_iter().map(|(place, count)| (String::from(place), count)).collect()
}

fn is_cancelled(request: u32) -> bool {
    request % 2 == 0
}

/// State shared by all requests.
struct SharedState {
    observations: Observations,
    /// All requests wait here for each other: in their handlers, and in their bodies.
    handlers: Barrier,
    bodies: Barrier,
    ended: Semaphore,
}

impl Default for SharedState {
    fn default() -> Self {
        let barrier = || Barrier::new(REQUESTS as usize);
        Self { observations: Observations::default(), handlers: barrier(), bodies: barrier(), ended: Semaphore::new(0) }
    }
}

/// Checks what is current in the code of one request.
struct Probe<P: Partner> {
    partner: P,
    request: u32,
    all: Arc<SharedState>,
}

impl<P: Partner> Clone for Probe<P> {
    fn clone(&self) -> Self {
        Self { partner: self.partner.clone(), request: self.request, all: Arc::clone(&self.all) }
    }
}

impl<P: Partner> Probe<P> {
    fn of(head: &Parts, partner: &P, all: &Arc<SharedState>) -> Self {
        let User(request) = User::of(head).expect("each request has a user");
        Self { partner: partner.clone(), request, all: Arc::clone(all) }
    }

    fn check(&self, place: &str) {
        self.check_is(place, Some(self.request));
    }

    fn check_is(&self, place: &str, expected: Option<u32>) {
        self.all.observations.record(place, expected, self.partner.current(expected));
    }

    fn check_on_drop(&self, place: &'static str) -> CheckOnDrop<P> {
        CheckOnDrop(self.clone(), place)
    }

    fn set_up(self, store: &mut Store) {
        self.partner.register(store, self.request);
        let at_response = self.clone();
        store.on_response(move |_| at_response.check("on_response"));
        store.on_end(move |end| {
            self.check(&format!("on_end, {end:?}"));
            self.all.ended.add_permits(1);
        });
    }

    /// The handler. Returns the messages of the response.
    async fn handle(self) -> BoxStream<'static, String> {
        let _local = self.check_on_drop("drop of a local");
        self.check("handler");
        self.all.handlers.wait().await;
        self.check("after an await");
        self.check_tasks().await;
        let child = RequestContext::current().unwrap().child(Store::new());
        let in_child = async {
            yield_now().await;
            self.check("child context");
        };
        child.scope(in_child).await;
        self.clone().messages().boxed()
    }

    async fn check_tasks(&self) {
        let [spawned, blocking, bare] = [(); 3].map(|()| self.clone());
        let spawned = RequestContext::spawn(async move {
            yield_now().await;
            spawned.check("spawned task");
        });
        let blocking = RequestContext::spawn_blocking(move || blocking.check("spawn_blocking"));
        let bare = tokio::spawn(async move { bare.check_is("outside, bare task", None) });
        spawned.await.unwrap();
        blocking.await.unwrap();
        bare.await.unwrap();
    }

    fn messages(self) -> impl Stream<Item = String> + Send {
        let is_cancelled = is_cancelled(self.request);
        let held =
            self.check_on_drop(if is_cancelled { "drop of a cancelled body" } else { "drop of a completed body" });
        stream::unfold((self, held, 0), move |(probe, held, sent)| async move {
            match sent {
                0 => _ = probe.all.bodies.wait().await,
                1 if is_cancelled => pending().await,
                FRAMES => return None,
                _ => yield_now().await,
            }
            probe.check("frame");
            Some((String::from("message"), (probe, held, sent + 1)))
        })
    }
}

/// Checks in its drop what is current.
struct CheckOnDrop<P: Partner>(Probe<P>, &'static str);

impl<P: Partner> Drop for CheckOnDrop<P> {
    fn drop(&mut self) {
        self.0.check(self.1);
    }
}

/// Serves HTTP and gRPC below the layer, with a middleware outside it.
fn app<P: Partner>(partner: P, all: &Arc<SharedState>) -> Router {
    let probe = {
        let (partner, all) = (partner.clone(), Arc::clone(all));
        move |head: &Parts| Probe::of(head, &partner, &all)
    };
    let in_setup = probe.clone();
    let context = RequestContextLayer::new(move |store: &mut Store, head: &mut Parts| in_setup(head).set_up(store));
    let outside = {
        let (partner, all) = (partner, Arc::clone(all));
        move |place| all.observations.record(place, None, partner.current(None))
    };
    let after = outside.clone();
    let middleware = ServiceBuilder::new()
        .map_request(move |request: extract::Request| {
            outside("outside, before");
            request
        })
        .map_response(move |response: Response<_>| {
            after("outside, after");
            response
        })
        .layer(context);
    let in_call = probe.clone();
    let http = move |request: extract::Request| {
        let probe = probe(&request.into_parts().0);
        async { Response::new(Body::from_stream(probe.handle().await.map(Ok::<_, Infallible>))) }
    };
    let grpc = move |request: extract::Request| {
        let (head, body) = request.into_parts();
        let probe = in_call(&head);
        let method = service_fn(move |_: tonic::Request<String>| grpc_response(probe.clone()));
        async { Grpc::new(codec()).server_streaming(method, extract::Request::from_parts(head, body)).await }
    };
    Router::new().route("/", get(http)).route(Method::ServerStreaming.path(), post(grpc)).layer(middleware)
}

type GrpcResult = Result<tonic::Response<BoxStream<'static, Result<String, Status>>>, Status>;

fn grpc_response<P: Partner>(probe: Probe<P>) -> BoxFuture<'static, GrpcResult> {
    async { Ok(tonic::Response::new(probe.handle().await.map(Ok).boxed())) }.boxed()
}

/// Sends a request and reads the response, or drops it after its first frame.
async fn send_http(client: &Client<HttpConnector, Body>, address: SocketAddr, number: u32) {
    let mut response = client.request(request(address, "/", Some(User(number)))).await.unwrap();
    response.frame().await.unwrap().unwrap();
    if !is_cancelled(number) {
        response.collect().await.unwrap();
    }
}

async fn send_grpc(channel: &Channel, number: u32) {
    let mut stream = open(channel, Method::ServerStreaming, Some(User(number)), &[]).await.unwrap();
    stream.message().await.unwrap().unwrap();
    while !is_cancelled(number) && stream.message().await.unwrap().is_some() {}
}
