//! tonic over real sockets: its server, interceptors and channel.

use futures_util::future::join_all;
use tonic::{
    Code, Status,
    body::Body,
    service::{InterceptorLayer, LayerExt, Routes},
    transport::{self, Channel, Server, server::TcpIncoming},
};
use tower_request_context::{RequestContext, RequestContextLayer};

use self::{
    client::{call, open},
    echo::{Echo, Method},
};
use crate::{
    recorder::recorder,
    support::{User, in_time, layer, serve},
};

pub(crate) mod client;
pub(crate) mod echo;

/// Starts a server, and connects a channel to it.
pub(crate) async fn connect<F>(serve: impl FnOnce(TcpIncoming) -> F) -> Channel
where
    F: Future<Output = Result<(), transport::Error>> + Send + 'static,
{
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = incoming.local_addr().unwrap();
    tokio::spawn(serve(incoming));
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

pub(crate) async fn connect_to(echo: Echo) -> Channel {
    connect(|incoming| Server::builder().layer(layer()).add_service(echo).serve_with_incoming(incoming)).await
}

fn expected(words: &[&str], who: &str) -> Vec<String> {
    words.iter().map(|word| format!("{word}: {who}, called by {who}")).collect()
}

#[tokio::test]
async fn all_methods_see_the_user_in_calls_and_messages() {
    let (recorder, mut reports) = recorder();
    let channel = connect_to(Echo::new(recorder, 1)).await;
    for method in Method::ALL {
        let words = ["one", "two", "three"];
        let replies = in_time(call(&channel, method, Some(User(7)), &words)).await;
        assert_eq!(replies.unwrap(), expected(&words, "user 7"), "{method:?}");
        assert_eq!(reports.until("dropped").await, ["called: user 7", "dropped: user 7"], "{method:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overlapping_calls_on_one_channel_are_isolated() {
    let users: Vec<_> = (0..16).map(|id| (id > 0).then_some(User(id))).collect();
    let (recorder, mut reports) = recorder();
    let channel = connect_to(Echo::new(recorder, users.len() * Method::ALL.len())).await;

    let words = ["one", "meet", "two", "meet", "three"];
    let calls = users.iter().flat_map(|user| Method::ALL.map(|method| (*user, method)));
    let replies = join_all(calls.map(async |(user, method)| {
        let replies = call(&channel, method, user, &words).await;
        (user, method, replies.unwrap())
    }));
    for (user, method, replies) in in_time(replies).await {
        let who = user.map_or_else(|| String::from("nobody"), |User(id)| format!("user {id}"));
        assert_eq!(replies, expected(&words, &who), "{method:?}");
    }

    let mut dropped = Vec::new();
    while dropped.len() < users.len() * Method::ALL.len() {
        dropped.extend(reports.until("dropped").await.pop());
    }
    for user in users.into_iter().flatten() {
        let who = format!("dropped: user {}", user.0);
        assert_eq!(dropped.iter().filter(|report| **report == who).count(), Method::ALL.len(), "{who}");
    }
}

#[tokio::test]
async fn anonymous_call_after_authenticated_ones_sees_no_user() {
    let (recorder, _reports) = recorder();
    let channel = connect_to(Echo::new(recorder, 1)).await;
    for method in Method::ALL {
        in_time(call(&channel, method, Some(User(7)), &["one"])).await.unwrap();
        let replies = in_time(call(&channel, method, None, &["one", "two"])).await;
        assert_eq!(replies.unwrap(), expected(&["one", "two"], "nobody"), "{method:?}");
    }
}

#[tokio::test]
async fn status_is_created_in_the_context_even_in_mid_stream() {
    let (recorder, _reports) = recorder();
    let channel = connect_to(Echo::new(recorder, 1)).await;
    let is_aborted_as_user_7 = |status: &Status| (status.code(), status.message()) == (Code::Aborted, "user 7");

    for method in Method::ALL {
        let status = in_time(call(&channel, method, Some(User(7)), &["one", "fail", "two"])).await.unwrap_err();
        assert!(is_aborted_as_user_7(&status), "{method:?}: {status}");
    }
    for method in [Method::ServerStreaming, Method::Bidirectional] {
        let mut stream = in_time(open(&channel, method, Some(User(7)), &["one", "fail", "two"])).await.unwrap();
        let first = in_time(stream.message()).await.unwrap();
        assert_eq!(first, expected(&["one"], "user 7").pop(), "{method:?}");
        let status = in_time(stream.message()).await.unwrap_err();
        assert!(is_aborted_as_user_7(&status), "{method:?}: {status}");
    }
}

#[tokio::test]
async fn call_dropped_by_its_client_is_dropped_in_its_context() {
    let (recorder, mut reports) = recorder();
    let channel = connect_to(Echo::new(recorder, 1)).await;
    for method in Method::ALL {
        tokio::select! {
            replies = call(&channel, method, Some(User(7)), &["one", "hold"]) => panic!("it replied: {replies:?}"),
            reports = reports.until("holding") => assert_eq!(reports, ["called: user 7", "holding: user 7"]),
        }
        assert_eq!(reports.next().await, "dropped: user 7", "{method:?}");
    }
}

#[tokio::test]
async fn rejection_arrives_as_a_status_and_skips_the_method() {
    let (recorder, mut reports) = recorder();
    let echo = Echo::new(recorder, 1);
    #[expect(clippy::result_large_err, reason = "a rejection is a whole response")]
    let layer = RequestContextLayer::new(|store, head| {
        let rejection = || Status::unauthenticated("who are you?").into_http::<Body>();
        store.insert(User::of(head).ok_or_else(rejection)?);
        Ok(())
    });
    let channel =
        connect(|incoming| Server::builder().layer(layer).add_service(echo).serve_with_incoming(incoming)).await;

    for method in Method::ALL {
        let status = in_time(call(&channel, method, None, &["one"])).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Unauthenticated, "who are you?"), "{method:?}");
        assert!(reports.is_empty());

        let replies = in_time(call(&channel, method, Some(User(7)), &["one"])).await;
        assert_eq!(replies.unwrap(), expected(&["one"], "user 7"), "{method:?}");
        reports.until("dropped").await;
    }
}

#[tokio::test]
async fn interceptor_sees_the_user_only_below_the_layer() {
    let reject = InterceptorLayer::new(|_| Err(Status::permission_denied(User::name())));
    let (recorder, reports) = recorder();
    let (below, above) = (Echo::new(recorder.clone(), 1), Echo::new(recorder, 1));
    let below = connect(|incoming| {
        Server::builder().layer(layer()).layer(reject).add_service(below).serve_with_incoming(incoming)
    });
    let above = connect(|incoming| {
        Server::builder().layer(reject).layer(layer()).add_service(above).serve_with_incoming(incoming)
    });
    for (channel, seen) in [(below.await, "user 7"), (above.await, "nobody")] {
        let status = in_time(call(&channel, Method::Unary, Some(User(7)), &["one"])).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::PermissionDenied, seen));
    }
    assert!(reports.is_empty());
}

#[tokio::test]
async fn values_set_by_an_interceptor_reach_method_and_stream() {
    let become_user_8 = |call| {
        RequestContext::set(User(8)).map_err(|error| Status::internal(error.to_string()))?;
        Ok(call)
    };
    let (recorder, _reports) = recorder();
    let echo = InterceptorLayer::new(become_user_8).named_layer(Echo::new(recorder, 1));
    let channel =
        connect(|incoming| Server::builder().layer(layer()).add_service(echo).serve_with_incoming(incoming)).await;
    for method in Method::ALL {
        let replies = in_time(call(&channel, method, Some(User(7)), &["one", "two"])).await;
        assert_eq!(replies.unwrap(), expected(&["one", "two"], "user 8"), "{method:?}");
    }
}

#[tokio::test]
async fn layer_may_wrap_one_service_or_tonic_in_axum() {
    let (recorder, _reports) = recorder();
    let one = layer().named_layer(Echo::new(recorder.clone(), 1));
    let one = connect(|incoming| Server::builder().add_service(one).serve_with_incoming(incoming)).await;

    let address = serve(Routes::new(Echo::new(recorder, 1)).into_axum_router().layer(layer())).await;
    let in_axum = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();

    for channel in [one, in_axum] {
        for method in Method::ALL {
            let replies = in_time(call(&channel, method, Some(User(7)), &["one", "two"])).await;
            assert_eq!(replies.unwrap(), expected(&["one", "two"], "user 7"), "{method:?}");
        }
    }
}
