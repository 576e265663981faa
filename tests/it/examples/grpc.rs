//! gRPC: who the interceptor found is known to methods, and to streams when these have returned.

#[allow(dead_code, reason = "`main` is for those who run it")]
#[path = "../../../examples/grpc/main.rs"]
mod example;

use std::future::pending;

use axum::body::Body;
use futures_util::future::join_all;
use http::{
    Request, Version,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use http_body_util::BodyExt;
use tokio::net::TcpListener;
use tonic::Code;

use self::example::CatsClient;
use crate::support::{client, in_time};

const ADA: &str = "Bearer meow";
const GRACE: &str = "Bearer purr";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_message_of_streams_that_take_turns_is_told_to_the_user_of_its_stream() {
    let server = start().await;
    let clients = [("ada", connect(&server, ADA).await), ("grace", connect(&server, GRACE).await)];
    let mut streams = Vec::new();
    for _ in 0..8 {
        for (user, client) in &clients {
            streams.push((user, in_time(client.watch()).await.unwrap()));
        }
    }
    for cat in ["Tom", "Rex", "Mia"] {
        for (who, client) in &clients {
            let news = format!("{cat} was fed by {who}");
            assert_eq!(in_time(client.feed(cat)).await.unwrap(), news);
            for (user, stream) in &mut streams {
                assert_eq!(in_time(stream.message()).await.unwrap(), Some(format!("dear {user}, {news}")));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_at_once_are_answered_as_who_made_them() {
    let server = start().await;
    let clients = [("ada", connect(&server, ADA).await), ("grace", connect(&server, GRACE).await)];
    let cats: Vec<_> = (0..50).map(|cat| format!("cat {cat}")).collect();
    let calls = cats.iter().flat_map(|cat| clients.iter().map(move |(user, client)| (cat, user, client)));
    let answered = join_all(calls.map(async |(cat, user, client)| (cat, user, client.feed(cat).await.unwrap())));
    for (cat, user, answer) in in_time(answered).await {
        assert_eq!(answer, format!("{cat} was fed by {user}"));
    }
}

#[tokio::test]
async fn who_has_no_session_is_refused_though_others_have_one() {
    let server = start().await;
    let (ada, stranger) = (connect(&server, ADA).await, connect(&server, "Bearer woof").await);
    let mut stream = in_time(ada.watch()).await.unwrap();
    assert_eq!(in_time(stranger.feed("Tom")).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(in_time(stranger.watch()).await.unwrap_err().code(), Code::Unauthenticated);

    in_time(ada.feed("Mia")).await.unwrap();
    let first = in_time(stream.message()).await.unwrap();
    assert_eq!(first.as_deref(), Some("dear ada, Mia was fed by ada"), "the stranger has fed nobody");
}

#[tokio::test]
async fn a_call_without_exactly_one_authorization_is_unauthenticated() {
    for (lines, status) in [(&[ADA] as &[_], "0"), (&[], "16"), (&[ADA, GRACE], "16"), (&[ADA, ADA], "16")] {
        let server = start().await;
        let mut request = Request::post(format!("{server}/cats.Cats/Feed")).header(CONTENT_TYPE, "application/grpc");
        for line in lines {
            request = request.header(AUTHORIZATION, *line);
        }
        let tom = Body::from(&b"\0\0\0\0\x05\x0a\x03Tom"[..]); // a message whose first field is a string
        let response = in_time(client(Version::HTTP_2).request(request.body(tom).unwrap())).await.unwrap();
        let (parts, body) = response.into_parts();
        let trailers = in_time(body.collect()).await.unwrap().trailers().cloned().unwrap_or_default();
        let given = parts.headers.get("grpc-status").or(trailers.get("grpc-status")).unwrap();
        assert_eq!(given, status, "{lines:?}");
    }
}

async fn start() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(example::serve(listener, pending()));
    format!("http://{address}")
}

async fn connect(server: &str, token: &'static str) -> CatsClient {
    in_time(CatsClient::connect(server, token)).await.unwrap()
}
