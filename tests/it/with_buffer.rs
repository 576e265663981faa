//! `tower::buffer`, which calls its service on another task, and the ways back into the context there.

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

/// Where the service below has been, written into the context from there.
#[derive(Clone, Debug, PartialEq)]
struct Trail(Vec<&'static str>);

fn leave(step: &'static str) -> String {
    // Where no context is current there is nothing to write to, and the answer shows it.
    let _ = RequestContext::update(|trail: &mut Trail| trail.0.push(step));
    format!("{step}: {}\n", User::name())
}

/// Answers with whom it sees while it is called, in its future and in its body.
fn below(_: Request<Body>) -> impl Future<Output = Result<Response<Body>, Infallible>> {
    let in_call = leave("call");
    async {
        tokio::task::yield_now().await;
        let head = stream::iter([in_call, leave("future")]);
        let frames = head.chain(stream::once(async { leave("body") }));
        Ok(Response::new(Body::from_stream(frames.map(Ok::<_, Infallible>))))
    }
}

fn request(user: Option<User>) -> Request<Body> {
    support::request(([127, 0, 0, 1], 0).into(), "/", user)
}

async fn answer<B>(response: Response<B>) -> Vec<String>
where
    B: http_body::Body,
    B::Error: Debug,
{
    let bytes = in_time(response.into_body().collect()).await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap().lines().map(String::from).collect()
}

/// Keeps the context that it finds; a new one it seeds as `layer` does, and counts.
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
async fn below_a_buffer_the_call_sees_nobody_though_its_future_and_body_see_the_user() {
    let service = layer().layer(Buffer::new(service_fn(below), 1));
    let response = in_time(service.oneshot(request(Some(User(7))))).await.unwrap();
    assert_eq!(answer(response).await, ["call: nobody", "future: user 7", "body: user 7"]);
}

#[tokio::test]
async fn below_a_buffer_a_reusing_layer_reenters_the_context_of_the_extension() {
    let (setups, outer) = (Arc::default(), Arc::new(OnceLock::new()));
    let keep = {
        let outer = Arc::clone(&outer);
        move |request| {
            RequestContext::set(Trail(vec!["above"])).unwrap();
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
    assert_eq!(answer(response).await, ["call: user 7", "future: user 7", "body: user 7"]);
    assert_eq!(outer.get().unwrap().get(), Some(Trail(vec!["above", "call", "future", "body"])));
    assert_eq!(setups.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn below_a_buffer_the_extension_is_entered_by_hand() {
    let by_hand = service_fn(|request: Request<Body>| {
        let context = request.extensions().get().and_then(WeakRequestContext::upgrade).unwrap();
        context.sync_scope(|| below(request))
    });
    let service = layer().insert_extension().layer(Buffer::new(by_hand, 1));
    let response = in_time(service.oneshot(request(Some(User(7))))).await.unwrap();
    assert_eq!(answer(response).await, ["call: user 7", "future: user 7", "body: user 7"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overlapping_requests_through_one_buffer_are_not_mixed_up() {
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
    let answers = join_all(users.map(async |id| {
        let user = (id > 0).then_some(User(id));
        let response = client.request(support::request(address, "/", user)).await.unwrap();
        (user, text(response).await)
    }));
    for (user, answer) in in_time(answers).await {
        let who = user.map_or_else(|| String::from("nobody"), |User(id)| format!("user {id}"));
        assert_eq!(answer, format!("{who}, {who}"));
    }
    assert_eq!(setups.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_call_that_is_cancelled_on_its_way_out_of_the_buffer_is_dropped_in_its_context() {
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

/// Whom a service below a reusing layer sees, and how often that layer's setup ran for it.
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
    (answer(response.unwrap()).await, setups.load(Ordering::SeqCst))
}

fn context(user: User) -> RequestContext {
    RequestContext::new(Store::new().with_value(user))
}

fn everywhere(who: &str) -> Vec<String> {
    ["call", "future", "body"].iter().map(|step| format!("{step}: {who}")).collect()
}

#[tokio::test]
async fn reuse_prefers_the_extension_to_the_current_context_and_runs_no_setup() {
    let carried = context(User(2));
    assert_eq!(reused(Some(carried.downgrade()), Some(context(User(1)))).await, (everywhere("user 2"), 0));
    assert_eq!(reused(Some(carried.downgrade()), None).await, (everywhere("user 2"), 0));
}

#[tokio::test]
async fn reuse_without_an_extension_keeps_the_current_context_and_runs_no_setup() {
    assert_eq!(reused(None, Some(context(User(1)))).await, (everywhere("user 1"), 0));
}

#[tokio::test]
async fn reuse_without_any_context_makes_a_new_one_by_its_setup() {
    assert_eq!(reused(None, None).await, (everywhere("user 3"), 1));
}

#[tokio::test]
async fn a_dead_handle_in_the_extensions_counts_as_none() {
    let dead = context(User(2)).downgrade();
    assert_eq!(reused(Some(dead.clone()), Some(context(User(1)))).await, (everywhere("user 1"), 0));
    assert_eq!(reused(Some(dead), None).await, (everywhere("user 3"), 1));
}
