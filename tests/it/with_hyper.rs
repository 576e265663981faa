//! hyper's own servers, without a framework.

use std::{convert::Infallible, error::Error, net::SocketAddr, sync::Arc};

use axum::body::Body;
use futures_util::{StreamExt, future::join_all, stream};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, Version,
    header::{TE, TRAILER},
};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Bytes, Frame, Incoming},
    server::conn::{http1, http2},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    sync::{
        Barrier,
        mpsc::{UnboundedReceiver, unbounded_channel},
    },
};
use tower::{Layer, service_fn};
use tower_request_context::RequestContext;

use crate::support::{Connection, User, client, http2_connection, in_time, layer, request, text};

#[derive(Clone, Copy, Debug)]
enum Server {
    Http1,
    Http2,
    Auto,
}

const STACKS: [(Server, Version); 4] = [
    (Server::Http1, Version::HTTP_11),
    (Server::Auto, Version::HTTP_11),
    (Server::Http2, Version::HTTP_2),
    (Server::Auto, Version::HTTP_2),
];

type BoxedResponse = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// F2: the context must not stay with the connection.
#[tokio::test]
async fn anonymous_request_after_a_large_body_sees_no_user() {
    async fn echo(request: Request<Incoming>) -> BoxedResponse {
        let length = request.into_body().collect().await.unwrap().to_bytes().len();
        full_response(User::name() + &".".repeat(length.saturating_sub(User::name().len())))
    }

    for (server, version) in STACKS {
        let address = serve(server, echo).await;
        let mut connection = Connection::open(address, version).await;
        for (user, name) in [(Some(User(1)), "user 1"), (Some(User(2)), "user 2")] {
            let large = request(address, "/", user).map(|_| Body::from(vec![b'.'; 65_537]));
            let echoed = in_time(text(connection.send(large).await.unwrap())).await;
            assert_eq!((echoed.len(), echoed.trim_end_matches('.')), (65_537, name), "{server:?} {version:?}");

            let bare = connection.send(request(address, "/", None)).await.unwrap();
            assert_eq!(in_time(text(bare)).await, "nobody", "{server:?} {version:?}");
        }
    }
}

#[tokio::test]
async fn concurrent_streams_of_one_connection_see_their_own_user() {
    for server in [Server::Http2, Server::Auto] {
        let all = Arc::new(Barrier::new(50));
        let address = serve(server, move |_| {
            let (called, all) = (User::name(), Arc::clone(&all));
            async move {
                all.wait().await;
                full_response(format!("{called}, {}", User::name()))
            }
        })
        .await;
        let sender = &http2_connection(address).await;
        let streams = (0..50).map(|id| {
            let mut sender = sender.clone();
            async move { text(sender.send_request(request(address, "/", Some(User(id)))).await.unwrap()).await }
        });
        let expected: Vec<_> = (0..50).map(|id| format!("user {id}, user {id}")).collect();
        assert_eq!(in_time(join_all(streams)).await, expected, "{server:?}");
    }
}

#[tokio::test]
async fn trailers_are_created_in_the_context() {
    const NAME: &str = "x-user-name";

    async fn trailing(_: Request<Incoming>) -> BoxedResponse {
        let frames = stream::iter([false, true]).map(|last| {
            Ok(if last {
                Frame::trailers(HeaderMap::from_iter([(NAME.parse().unwrap(), User::name().parse().unwrap())]))
            } else {
                Frame::data(Bytes::from(User::name()))
            })
        });
        let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
        response.headers_mut().insert(TRAILER, HeaderValue::from_static(NAME));
        response
    }

    for (server, version) in STACKS {
        let address = serve(server, trailing).await;
        let mut connection = Connection::open(address, version).await;
        for (user, name) in [(Some(User(1)), "user 1"), (None, "nobody")] {
            let mut request = request(address, "/", user);
            request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
            let response = connection.send(request).await.unwrap();
            let collected = in_time(response.collect()).await.unwrap();
            assert_eq!(collected.trailers().unwrap()[NAME], name, "{server:?} {version:?}");
            assert_eq!(collected.to_bytes(), name, "{server:?} {version:?}");
        }
    }
}

#[tokio::test]
async fn handler_keeps_its_user_while_it_reads_the_request() {
    for (server, version) in STACKS {
        let (progress, mut names) = unbounded_channel();
        let address = serve(server, move |request: Request<Incoming>| {
            let progress = progress.clone();
            async move {
                let mut body = request.into_body();
                while let Some(frame) = body.frame().await {
                    assert!(frame.unwrap().is_data());
                    progress.send(User::name()).unwrap();
                }
                full_response(User::name())
            }
        })
        .await;
        let client = client(version);
        let uploads = [Some(User(1)), None, Some(User(2))].map(|user| {
            let (part, parts) = unbounded_channel();
            let response = client.request(upload(address, user, parts));
            (part, tokio::spawn(async { text(response.await.unwrap()).await }))
        });
        let expected = ["user 1", "nobody", "user 2"];
        for _ in 0..3 {
            for ((part, _), name) in uploads.iter().zip(expected) {
                part.send("a part").unwrap();
                assert_eq!(in_time(names.recv()).await.unwrap(), name, "{server:?} {version:?}");
            }
        }
        for ((part, text), name) in uploads.into_iter().zip(expected) {
            drop(part);
            assert_eq!(in_time(text).await.unwrap(), name, "{server:?} {version:?}");
        }
    }
}

/// L11.
#[tokio::test]
async fn frames_of_interleaved_responses_see_their_own_user() {
    const FRAMES: usize = 16;
    const FRAME: usize = (1 << 20) / FRAMES;

    for (server, version) in STACKS {
        let barrier = Arc::new(Barrier::new(10));
        let address = serve(server, move |_| {
            let barrier = Arc::clone(&barrier);
            let frames = stream::iter(0..FRAMES).then(move |_| {
                let barrier = Arc::clone(&barrier);
                async move {
                    barrier.wait().await;
                    let User(id) = RequestContext::get().unwrap_or(User(0));
                    Ok(Frame::data(Bytes::from(vec![u8::try_from(id).unwrap(); FRAME])))
                }
            });
            async { Response::new(StreamBody::new(frames).boxed_unsync()) }
        })
        .await;
        let client = &client(version);
        let downloads = (1..=10_u8).map(|id| async move {
            let response = client.request(request(address, "/", Some(User(id.into())))).await.unwrap();
            let bytes = response.collect().await.unwrap().to_bytes();
            (bytes.len(), bytes.iter().all(|byte| *byte == id))
        });
        assert_eq!(in_time(join_all(downloads)).await, [(1 << 20, true); 10], "{server:?} {version:?}");
    }
}

/// Serves a handler below the layer until the test's runtime shuts down.
async fn serve<F, A>(server: Server, handler: F) -> SocketAddr
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = BoxedResponse> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = layer().layer(service_fn(move |request| {
        let response = handler(request);
        async { Ok::<_, Infallible>(response.await) }
    }));
    let service = TowerToHyperService::new(service);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (io, service, executor) = (TokioIo::new(stream), service.clone(), TokioExecutor::new());
            tokio::spawn(async move {
                match server {
                    Server::Http1 => http1::Builder::new().serve_connection(io, service).await?,
                    Server::Http2 => http2::Builder::new(executor).serve_connection(io, service).await?,
                    Server::Auto => auto::Builder::new(executor).serve_connection(io, service).await?,
                }
                Ok::<_, Box<dyn Error + Send + Sync>>(())
            });
        }
    });
    address
}

fn full_response(text: String) -> BoxedResponse {
    Response::new(Full::from(text).boxed_unsync())
}

/// Creates a POST request whose body consists of the parts that a channel receives.
fn upload(address: SocketAddr, user: Option<User>, parts: UnboundedReceiver<&'static str>) -> Request<Body> {
    let parts = stream::unfold(parts, async |mut parts| Some((Ok::<_, Infallible>(parts.recv().await?), parts)));
    let mut upload = request(address, "/", user).map(|_| Body::from_stream(parts));
    *upload.method_mut() = Method::POST;
    upload
}
