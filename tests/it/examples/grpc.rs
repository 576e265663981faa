//! gRPC: methods and response streams read the user that the interceptor has set.

#[allow(dead_code, reason = "`main` is not called")]
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
async fn each_message_of_interleaved_streams_has_its_own_user() {
    let server = start().await;
    let clients = [("ada", connect(&server, ADA).await), ("grace", connect(&server, GRACE).await)];
    let mut streams = Vec::new();
    for _ in 0..8 {
        for (user, client) in &clients {
            streams.push((user, in_time(client.watch()).await.unwrap()));
        }
    }
    for cat in ["Tom", "Rex", "Mia"] {
        for (sender, client) in &clients {
            let message = format!("{cat} was fed by {sender}");
            assert_eq!(in_time(client.feed(cat)).await.unwrap(), message);
            for (user, stream) in &mut streams {
                assert_eq!(in_time(stream.message()).await.unwrap(), Some(format!("to {user}: {message}")));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_requests_each_have_their_own_user() {
    let server = start().await;
    let clients = [("ada", connect(&server, ADA).await), ("grace", connect(&server, GRACE).await)];
    let cats: Vec<_> = (0..50).map(|cat| format!("cat {cat}")).collect();
    let requests = cats.iter().flat_map(|cat| clients.iter().map(move |(user, client)| (cat, user, client)));
    let responses = join_all(requests.map(async |(cat, user, client)| (cat, user, client.feed(cat).await.unwrap())));
    for (cat, user, response) in in_time(responses).await {
        assert_eq!(response, format!("{cat} was fed by {user}"));
    }
}

#[tokio::test]
async fn an_unknown_token_is_rejected() {
    let server = start().await;
    let (ada, unknown) = (connect(&server, ADA).await, connect(&server, "Bearer woof").await);
    let mut stream = in_time(ada.watch()).await.unwrap();
    assert_eq!(in_time(unknown.feed("Tom")).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(in_time(unknown.watch()).await.unwrap_err().code(), Code::Unauthenticated);

    in_time(ada.feed("Mia")).await.unwrap();
    let first = in_time(stream.message()).await.unwrap();
    assert_eq!(first.as_deref(), Some("to ada: Mia was fed by ada"), "the rejected request sent no message");
}

#[tokio::test]
async fn a_request_without_exactly_one_token_is_unauthenticated() {
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
