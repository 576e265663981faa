//! A timeout layer below a `tower::buffer`: it creates a child of the request's context, which holds the deadline.

use std::{
    convert::Infallible,
    future::{pending, ready},
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body, error_handling::HandleErrorLayer};
use futures_util::{StreamExt, future::join_all, stream};
use http::{Request, Response, StatusCode, Version};
use tokio::{sync::Barrier, task::yield_now};
use tower::{
    BoxError, Layer, Service, ServiceBuilder, ServiceExt, buffer::BufferLayer, service_fn, util::BoxCloneSyncService,
};
use tower_request_context::{Nesting, RequestContext, RequestContextLayer, Store, WeakRequestContext};

use crate::{
    recorder::{Recorder, recorder},
    support::{Connection, User, VERSIONS, client, in_time, layer, request, serve, text},
};

/// A service whose `call` runs immediately where it is called, unlike that of a `Router`.
type App = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

#[derive(Clone, Copy, Debug)]
struct Deadline(Duration);

/// How the timeout layer creates its context.
#[derive(Clone, Copy, Debug)]
enum Method {
    Layer,
    LayerWithoutExtension,
    ReuseThenLayer,
    ChildOfExtension,
    InheritInCall,
    InheritInFuture,
}

const BOTH: &str = "9s: user 7";
const NO_USER: &str = "9s: nobody";

/// The method, and the values that are read below the layer without a buffer and with one.
const ROWS: [(Method, &str, &str); 6] = [
    (Method::Layer, BOTH, BOTH),
    (Method::LayerWithoutExtension, BOTH, NO_USER),
    (Method::ReuseThenLayer, BOTH, BOTH),
    (Method::ChildOfExtension, BOTH, BOTH),
    (Method::InheritInCall, BOTH, NO_USER),
    (Method::InheritInFuture, BOTH, BOTH),
];

#[tokio::test]
async fn child_below_a_buffer_keeps_the_requests_values() {
    for version in VERSIONS {
        for (method, unbuffered, buffered) in ROWS {
            for (is_buffered, values) in [(false, unbuffered), (true, buffered)] {
                let seen = responded_and_cancelled(method, is_buffered, version).await;
                let responded = ["call", "poll", "drop of the future", "frame", "drop of the body"];
                let cancelled = ["call", "poll", "drop of the future"];
                let expected = [&responded[..], &cancelled].concat();
                let expected: Vec<_> = expected.iter().map(|place| format!("{place}, {values}")).collect();
                assert_eq!(seen, expected, "{method:?}, buffered: {is_buffered}, {version:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overlapping_requests_each_inherit_their_own_user() {
    let users = 1..=32;
    let all = Arc::new(Barrier::new(users.clone().count()));
    let handler = service_fn(move |_: Request<Body>| {
        let (in_call, all) = (User::name(), Arc::clone(&all));
        async move {
            all.wait().await;
            Ok(Response::new(Body::from(format!("{in_call}, {}", User::name()))))
        }
    });
    let inheriting = RequestContextLayer::default().nesting(Nesting::Inherit).layer(handler);
    let app = layer().insert_extension().layer(buffered(boxed(inheriting)));
    let address = serve(Router::new().fallback_service(app)).await;
    let client = client(Version::HTTP_11);
    let responses = join_all(users.map(async |id| {
        let response = client.request(request(address, "/", Some(User(id)))).await.unwrap();
        (id, text(response).await)
    }));
    for (id, response) in in_time(responses).await {
        assert_eq!(response, format!("user {id}, user {id}"));
    }
}

/// Returns what a handler reads in a request that gets a response, and in one whose client disconnects.
async fn responded_and_cancelled(method: Method, is_buffered: bool, version: Version) -> Vec<String> {
    let (recorder, mut reports) = recorder();
    let address = serve(Router::new().fallback_service(method.app(is_buffered, &recorder))).await;

    let response = client(version).request(request(address, "/", Some(User(7)))).await.unwrap();
    assert_eq!(text(response).await, "a frame");
    let mut seen = reports.until("drop of the body").await;

    let (mut connection, socket) = Connection::open_to_abort(address, version).await;
    let request = request(address, "/pending", Some(User(7)));
    let client = tokio::spawn(async move { connection.send(request).await.map(drop) });
    seen.extend(reports.until("poll").await);
    socket.abort();
    seen.extend(reports.until("drop of the future").await);
    assert!(client.await.unwrap().is_err());
    seen
}

impl Method {
    fn app(self, is_buffered: bool, recorder: &Recorder) -> App {
        let mut app = self.timeout(handler(recorder.clone()));
        if is_buffered {
            app = buffered(app);
        }
        match self {
            Self::LayerWithoutExtension => boxed(layer().layer(app)),
            _ => boxed(layer().insert_extension().layer(app)),
        }
    }

    fn timeout(self, handler: App) -> App {
        let deadline = RequestContextLayer::new(|store, _| *store = store_of_deadline()).nesting(Nesting::Inherit);
        match self {
            Self::Layer | Self::LayerWithoutExtension => boxed(deadline.layer(handler)),
            Self::ReuseThenLayer => {
                boxed(ServiceBuilder::new().layer(layer().nesting(Nesting::Reuse)).layer(deadline).service(handler))
            }
            Self::ChildOfExtension => in_call(handler, |request| {
                let outer = request.extensions().get().and_then(WeakRequestContext::upgrade).unwrap();
                outer.child(store_of_deadline())
            }),
            Self::InheritInCall => in_call(handler, |_| RequestContext::inherit(store_of_deadline())),
            Self::InheritInFuture => boxed(service_fn(move |request| {
                let handler = handler.clone();
                async { in_call(handler, |_| RequestContext::inherit(store_of_deadline())).oneshot(request).await }
            })),
        }
    }
}

fn buffered(app: App) -> App {
    let failed = HandleErrorLayer::new(async |_: BoxError| StatusCode::BAD_GATEWAY);
    boxed(ServiceBuilder::new().layer(failed).layer(BufferLayer::new(4)).service(app))
}

fn store_of_deadline() -> Store {
    Store::new().with_value(Deadline(Duration::from_secs(9)))
}

/// Creates a context in `call`, in which the inner call, its future and the body run.
fn in_call(mut inner: App, create: fn(&Request<Body>) -> RequestContext) -> App {
    boxed(service_fn(move |request| {
        let context = create(&request);
        let called = context.scope(context.sync_scope(|| inner.call(request)));
        async move { Ok(called.await?.map(|body| Body::new(context.scope(body)))) }
    }))
}

fn handler(recorder: Recorder) -> App {
    boxed(service_fn(move |request: Request<Body>| {
        record(&recorder, "call");
        let (future, recorder) = (RecordOnDrop("drop of the future", recorder.clone()), recorder.clone());
        async move {
            let _future = future;
            yield_now().await;
            record(&recorder, "poll");
            if request.uri().path() == "/pending" {
                pending::<()>().await;
            }
            let body = RecordOnDrop("drop of the body", recorder);
            let frames = stream::once(ready("a frame")).inspect(move |_| record(&body.1, "frame"));
            Ok(Response::new(Body::from_stream(frames.map(Ok::<_, Infallible>))))
        }
    }))
}

fn record(recorder: &Recorder, place: &str) {
    let deadline = RequestContext::with(|Deadline(left)| format!("{left:?}"));
    recorder.saw(&format!("{place}, {}", deadline.unwrap_or_default()));
}

struct RecordOnDrop(&'static str, Recorder);

impl Drop for RecordOnDrop {
    fn drop(&mut self) {
        record(&self.1, self.0);
    }
}

fn boxed<S, B>(service: S) -> App
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static,
    B: http_body::Body<Data = hyper::body::Bytes, Error: Into<BoxError>> + Send + 'static,
{
    BoxCloneSyncService::new(service.map_response(|response| response.map(Body::new)))
}
