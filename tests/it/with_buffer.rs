//! `tower::buffer`, which calls its service on another task, and the ways to enter the context there.

mod inherit;

use std::{
    convert::Infallible,
    fmt::Debug,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, body::Body, error_handling::HandleErrorLayer, routing::get};
use futures_util::{StreamExt, future::join_all, stream};
use http::{Request, Response, StatusCode, Version, request::Parts};
use http_body_util::BodyExt;
use tokio::sync::Barrier;
use tower::{
    BoxError, Layer, Service, ServiceBuilder, ServiceExt,
    buffer::{Buffer, BufferLayer},
    service_fn,
};
use tower_request_context::{Nesting, RequestContext, RequestContextLayer, Store, WeakRequestContext};

use crate::{
    recorder::recorder,
    support::{self, User, client, in_time, layer, serve, text},
};

/// The steps that the inner service has taken. Each step adds itself through the current context.
#[derive(Clone, Debug, PartialEq)]
struct Steps(Vec<&'static str>);

fn record(step: &'static str) -> String {
    // Without a current context, nothing is updated. The response shows that.
    let _ = RequestContext::update(|steps: &mut Steps| steps.0.push(step));
    format!("{step}: {}\n", User::name())
}

/// Responds with the users that it sees in the call, the future and the body.
fn below(_: Request<Body>) -> impl Future<Output = Result<Response<Body>, Infallible>> {
    let in_call = record("call");
    async {
        tokio::task::yield_now().await;
        let head = stream::iter([in_call, record("future")]);
        let frames = head.chain(stream::once(async { record("body") }));
        Ok(Response::new(Body::from_stream(frames.map(Ok::<_, Infallible>))))
    }
}

fn request(user: Option<User>) -> Request<Body> {
    support::request(([127, 0, 0, 1], 0).into(), "/", user)
}

async fn body_lines<B>(response: Response<B>) -> Vec<String>
where
    B: http_body::Body,
    B::Error: Debug,
{
    let bytes = in_time(response.into_body().collect()).await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap().lines().map(String::from).collect()
}

/// Creates a layer with `Nesting::Reuse` that counts its setups. In a new context, it inserts the user as `layer` does.
fn reusing(setups: &Arc<AtomicUsize>) -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) + Clone + use<>> {
    let setups = Arc::clone(setups);
    let layer = RequestContextLayer::new(move |store: &mut Store, head: &mut Parts| {
        setups.fetch_add(1, Ordering::SeqCst);
        if let Some(user) = User::of(head) {
            store.insert(user);
        }
    });
    layer.nesting(Nesting::Reuse)
}

#[tokio::test]
async fn only_the_call_below_a_buffer_is_outside_the_context() {
    let service = layer().layer(Buffer::new(service_fn(below), 1));
    let response = in_time(service.oneshot(request(Some(User(7))))).await.unwrap();
    assert_eq!(body_lines(response).await, ["call: nobody", "future: user 7", "body: user 7"]);
}

#[tokio::test]
async fn reusing_layer_below_a_buffer_enters_the_context() {
    let (setups, outer) = (Arc::default(), Arc::new(OnceLock::new()));
    let keep = {
        let outer = Arc::clone(&outer);
        move |request| {
            RequestContext::set(Steps(vec!["above"])).unwrap();
            outer.set(RequestContext::current().unwrap()).unwrap();
            request
        }
    };
    let service = ServiceBuilder::new()
        .layer(layer().insert_extension())
        .map_request(keep)
        .layer(BufferLayer::new(1))
        .layer(reusing(&setups))
        .service_fn(below);

    let response = in_time(service.oneshot(request(Some(User(7))))).await.unwrap();
    assert_eq!(body_lines(response).await, ["call: user 7", "future: user 7", "body: user 7"]);
    assert_eq!(outer.get().unwrap().get(), Some(Steps(vec!["above", "call", "future", "body"])));
    assert_eq!(setups.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn context_of_the_extension_can_be_entered_manually() {
    let manual = service_fn(|request: Request<Body>| {
        let context = request.extensions().get().and_then(WeakRequestContext::upgrade).unwrap();
        context.sync_scope(|| below(request))
    });
    let service = layer().insert_extension().layer(Buffer::new(manual, 1));
    let response = in_time(service.oneshot(request(Some(User(7))))).await.unwrap();
    assert_eq!(body_lines(response).await, ["call: user 7", "future: user 7", "body: user 7"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overlapping_requests_in_one_buffer_are_isolated() {
    #[derive(Clone)]
    struct Called(String);

    let (users, setups) = (0..32, Arc::default());
    let gate = Arc::new(Barrier::new(users.len()));
    let handler = async move || {
        gate.wait().await;
        let Called(called) = RequestContext::expect();
        Body::from_stream(stream::once(async move {
            gate.wait().await;
            Ok::<_, Infallible>(format!("{called}, {}", User::name()))
        }))
    };
    let stack = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(async |error: BoxError| (StatusCode::BAD_GATEWAY, error.to_string())))
        .layer(layer().insert_extension())
        .layer(BufferLayer::new(4))
        .layer(reusing(&setups))
        .map_request(|request: Request<Body>| {
            RequestContext::set(Called(User::name())).unwrap();
            request
        });
    let address = serve(Router::new().route("/", get(handler)).layer(stack)).await;

    let client = client(Version::HTTP_11);
    let responses = join_all(users.map(async |id| {
        let user = (id > 0).then_some(User(id));
        let response = client.request(support::request(address, "/", user)).await.unwrap();
        (user, text(response).await)
    }));
    for (user, response) in in_time(responses).await {
        let who = user.map_or_else(|| String::from("nobody"), |User(id)| format!("user {id}"));
        assert_eq!(response, format!("{who}, {who}"));
    }
    assert_eq!(setups.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn call_cancelled_in_the_buffer_is_dropped_in_its_context() {
    let (recorder, mut reports) = recorder();
    let below = service_fn(move |_: Request<Body>| {
        let dropped = recorder.drop_of("dropped");
        async move {
            let _dropped = dropped;
            std::future::pending::<Result<Response<Body>, Infallible>>().await
        }
    });
    let (buffer, worker) = Buffer::pair(reusing(&Arc::default()).layer(below), 1);
    let mut service = layer().insert_extension().layer(buffer);
    let call = service.ready().await.unwrap().call(request(Some(User(7))));
    let mut worker = tokio_test::task::spawn(worker);
    tokio_test::assert_pending!(worker.poll());
    assert!(reports.is_empty());
    drop(call);
    assert_eq!(reports.next().await, "dropped: user 7");
}

/// Returns what a service below a reusing layer sees, and how often that layer's setup ran.
async fn reused(extension: Option<WeakRequestContext>, current: Option<RequestContext>) -> (Vec<String>, usize) {
    let setups = Arc::default();
    let mut request = request(Some(User(3)));
    if let Some(context) = extension {
        request.extensions_mut().insert(context);
    }
    let call = reusing(&setups).layer(service_fn(below)).oneshot(request);
    let response = match current {
        Some(context) => context.scope(call).await,
        None => call.await,
    };
    (body_lines(response.unwrap()).await, setups.load(Ordering::SeqCst))
}

fn context(user: User) -> RequestContext {
    RequestContext::new(Store::new().with_value(user))
}

fn everywhere(who: &str) -> Vec<String> {
    ["call", "future", "body"].iter().map(|step| format!("{step}: {who}")).collect()
}

#[tokio::test]
async fn reuse_prefers_the_extension_to_the_current_context() {
    let other = context(User(2));
    assert_eq!(reused(Some(other.downgrade()), Some(context(User(1)))).await, (everywhere("user 2"), 0));
    assert_eq!(reused(Some(other.downgrade()), None).await, (everywhere("user 2"), 0));
}

#[tokio::test]
async fn reuse_without_an_extension_keeps_the_current_context() {
    assert_eq!(reused(None, Some(context(User(1)))).await, (everywhere("user 1"), 0));
}

#[tokio::test]
async fn reuse_without_any_context_runs_its_setup() {
    assert_eq!(reused(None, None).await, (everywhere("user 3"), 1));
}

#[tokio::test]
async fn handle_of_a_dropped_context_is_ignored() {
    let dropped = context(User(2)).downgrade();
    assert_eq!(reused(Some(dropped.clone()), Some(context(User(1)))).await, (everywhere("user 1"), 0));
    assert_eq!(reused(Some(dropped), None).await, (everywhere("user 3"), 1));
}
