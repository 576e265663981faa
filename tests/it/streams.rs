//! `Scoped` as a stream: the context is current while items are created and in the stream's drop.

use std::{convert::Infallible, pin::pin, sync::Arc, task::Poll};

use axum::{
    Router,
    body::{Body, Bytes},
    routing::get,
};
use futures_util::{Stream, StreamExt, poll, stream};
use http::Version;
use tokio::{sync::Barrier, task::yield_now};
use tonic::{Request, client::Grpc, codegen::http::uri::PathAndQuery};
use tower_request_context::{RequestContext, Scoped, Store};

use crate::{
    recorder::{Recorder, recorder},
    support::{User, VERSIONS, client, in_time, layer, request, serve, text},
    with_tonic::{
        connect_to,
        echo::{Echo, Method, codec},
    },
};

fn context(id: u32) -> RequestContext {
    RequestContext::new(Store::new().with_value(User(id)))
}

/// Returns a stream of three items. Each suspends the task once, and names the current user.
fn users(recorder: &Recorder) -> impl Stream<Item = String> + Send + use<> {
    let dropped = recorder.drop_of("dropped");
    stream::iter(0..3).then(move |_| {
        let _ = &dropped;
        async {
            yield_now().await;
            User::name()
        }
    })
}

fn carried(id: u32, recorder: &Recorder) -> Scoped<impl Stream<Item = String> + Send + use<>> {
    context(id).sync_scope(|| RequestContext::carry(users(recorder)))
}

#[tokio::test]
async fn carried_stream_creates_each_item_in_its_context() {
    let (recorder, mut reports) = recorder();
    let items = tokio::spawn(carried(1, &recorder).collect::<Vec<_>>()).await.unwrap();
    assert_eq!(items, ["user 1"; 3]);
    assert_eq!(reports.so_far(), ["dropped: user 1"]);

    let items = context(2).scope(carried(1, &recorder).map(|item| (item, User::name())).collect::<Vec<_>>()).await;
    assert_eq!(items, vec![(String::from("user 1"), String::from("user 2")); 3]);
}

#[tokio::test]
async fn carried_stream_is_dropped_in_its_context_after_any_item() {
    for items in 0..=4 {
        let (recorder, mut reports) = recorder();
        let mut stream = Box::pin(carried(1, &recorder));
        for _ in 0..items {
            stream.next().await;
        }
        assert!(items > 3 || poll!(stream.next()).is_pending() == (items < 3));
        context(2).sync_scope(|| drop(stream));
        assert_eq!(reports.so_far(), ["dropped: user 1"], "after {items} items");
    }
}

#[tokio::test]
async fn exited_stream_sees_no_context() {
    let (recorder, mut reports) = recorder();
    let items = context(1).scope(RequestContext::exit(users(&recorder)).collect::<Vec<_>>()).await;
    assert_eq!(items, ["nobody"; 3]);
    assert_eq!(reports.so_far(), ["dropped: nobody"]);
}

#[test]
fn scoped_stream_forwards_the_size_hint() {
    let mut stream = pin!(context(1).scope(stream::iter([1, 2])));
    assert_eq!(stream.size_hint(), (2, Some(2)));
    let cx = &mut std::task::Context::from_waker(std::task::Waker::noop());
    assert_eq!(stream.as_mut().poll_next(cx), Poll::Ready(Some(1)));
    assert_eq!(stream.size_hint(), (1, Some(1)));
}

/// The handler moves the stream to a task without a context, and responds with the items that this task forwards.
#[tokio::test]
async fn carried_stream_may_be_polled_by_another_task() {
    async fn handler() -> Body {
        let (recorder, _) = recorder();
        let mut items = Box::pin(RequestContext::carry(users(&recorder)));
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            while let Some(item) = items.next().await {
                sender.send(format!("{item} polled by {}, ", User::name())).await.unwrap();
            }
        });
        let frames = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
        Body::from_stream(frames.map(Ok::<_, Infallible>))
    }
    async fn direct() -> Body {
        let (recorder, _) = recorder();
        Body::from_stream(RequestContext::carry(users(&recorder).map(|item| Ok::<_, Infallible>(Bytes::from(item)))))
    }

    let address = serve(Router::new().route("/", get(handler)).route("/direct", get(direct)).layer(layer())).await;
    for version in VERSIONS {
        let get = |path| {
            let mut request = request(address, path, Some(User(7)));
            *request.version_mut() = version;
            client(version).request(request)
        };
        let items = text(in_time(get("/")).await.unwrap()).await;
        assert_eq!(items, "user 7 polled by nobody, ".repeat(3), "{version:?}");
        assert_eq!(text(in_time(get("/direct")).await.unwrap()).await, "user 7".repeat(3), "{version:?}");
    }
    assert_eq!(VERSIONS[1], Version::HTTP_2);
}

/// The task of the connection polls the client's messages, while other calls run.
#[tokio::test]
async fn tonic_client_messages_are_created_in_their_context() {
    let (echo, _) = recorder();
    let channel = connect_to(Echo::new(echo, 1)).await;
    let all = Arc::new(Barrier::new(8));
    let calls = (1..=8).map(|id| {
        let (mut grpc, all) = (Grpc::new(channel.clone()), Arc::clone(&all));
        tokio::spawn(context(id).scope(async move {
            let (recorder, mut reports) = recorder();
            let messages = users(&recorder).then(move |user| {
                let all = Arc::clone(&all);
                async move {
                    all.wait().await;
                    user
                }
            });
            grpc.ready().await.unwrap();
            let path = PathAndQuery::from_static(Method::ClientStreaming.path());
            let request = Request::new(RequestContext::carry(messages));
            let response = grpc.client_streaming::<_, String, String, _>(request, path, codec()).await.unwrap();
            (id, response.into_inner(), reports.until("dropped").await)
        }))
    });
    for call in in_time(futures_util::future::join_all(calls)).await {
        let (id, echoed, dropped) = call.unwrap();
        let expected = vec![format!("user {id}: nobody, called by nobody"); 3].join("\n");
        assert_eq!((echoed, dropped), (expected, vec![format!("dropped: user {id}")]));
    }
}
