//! Node's tests of `AsyncLocalStorage`: runs, exits, and requests on a busy connection.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::LazyLock,
};

use axum::{Router, body::Body};
use futures_util::{
    FutureExt, StreamExt,
    future::{join, join_all},
    stream,
};
use http::Version;
use http_body_util::BodyExt;
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::Barrier, task::yield_now};
use tower_request_context::{ContextError, RequestContext, Store};

use crate::support::{User, client, in_time, layer, request, serve, text};

const FRAME: usize = 16 * 1024;
const MIB: usize = 1024 * 1024;

// L01
#[tokio::test]
async fn nested_run_restores_the_outer_context() {
    user(1).sync_scope(|| {
        user(2).sync_scope(|| assert_eq!(User::name(), "user 2"));
        assert_eq!(User::name(), "user 1");
    });
    let outer = user(1).scope(async {
        let nested = user(2).scope(async {
            yield_now().await;
            User::name()
        });
        assert_eq!(nested.await, "user 2");
        User::name()
    });
    assert_eq!(outer.await, "user 1");
    assert_eq!(User::name(), "nobody");
}

// L02
#[tokio::test]
async fn nested_run_restores_the_outer_context_after_a_panic() {
    user(1).sync_scope(|| {
        let nested = catch_unwind(|| user(2).sync_scope(|| panic!("{}", User::name())));
        assert_eq!(*nested.unwrap_err().downcast::<String>().unwrap(), "user 2");
        assert_eq!(User::name(), "user 1");
    });
    let outer = user(1).scope(async {
        let nested = user(2).scope(async {
            yield_now().await;
            panic!("{}", User::name());
        });
        let nested: Result<(), _> = AssertUnwindSafe(nested).catch_unwind().await;
        assert_eq!(*nested.unwrap_err().downcast::<String>().unwrap(), "user 2");
        User::name()
    });
    assert_eq!(outer.await, "user 1");
    assert_eq!(User::name(), "nobody");
}

// L03
#[tokio::test]
async fn exit_hides_the_context_and_restores_it() {
    let request = user(1).scope(async {
        let sync = RequestContext::sync_exit(User::name);
        let in_future = RequestContext::exit(async {
            yield_now().await;
            User::name()
        });
        (sync, in_future.await, User::name())
    });
    assert_eq!(request.await, ("nobody".into(), "nobody".into(), "user 1".into()));

    user(1).sync_scope(|| {
        let exited = catch_unwind(|| RequestContext::sync_exit(|| panic!("{}", User::name())));
        assert_eq!(*exited.unwrap_err().downcast::<String>().unwrap(), "nobody");
        assert_eq!(User::name(), "user 1");
    });
}

// L04
#[tokio::test]
async fn runs_and_exits_nest() {
    let nested = user(1).scope(async {
        let exited = RequestContext::exit(async {
            let inside = user(2).scope(async {
                yield_now().await;
                RequestContext::exit(async { assert_eq!(User::name(), "nobody") }).await;
                User::name()
            });
            assert_eq!(inside.await, "user 2");
            yield_now().await;
            User::name()
        });
        assert_eq!(exited.await, "nobody");
        User::name()
    });
    assert_eq!(nested.await, "user 1");
}

// L07
#[tokio::test]
async fn independent_values_do_not_mix() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Session(u32);

    let both_wrote = Barrier::new(2);
    let request = async |n: u32| {
        RequestContext::set(Session(10 * n)).unwrap();
        both_wrote.wait().await;
        let nested = RequestContext::inherit(Store::new().with_value(User(100 * n)));
        let nested = nested.scope(async {
            yield_now().await;
            (RequestContext::get(), RequestContext::get())
        });
        assert_eq!(nested.await, (Some(User(100 * n)), Some(Session(10 * n))));
        (RequestContext::get(), RequestContext::get())
    };
    let both = in_time(join(user(1).scope(request(1)), user(2).scope(request(2)))).await;
    assert_eq!(both, ((Some(User(1)), Some(Session(10))), (Some(User(2)), Some(Session(20)))));
}

// L10
#[tokio::test]
async fn keep_alive_requests_are_isolated_in_client_and_server() {
    let app = Router::new().fallback(async || {
        assert!(!RequestContext::contains::<String>());
        let name = User::name();
        RequestContext::set(name.clone()).unwrap();
        yield_now().await;
        name
    });
    let address = serve(app.layer(layer())).await;
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = http1::handshake::<_, Body>(stream).await.unwrap();
    tokio::spawn(connection);
    for n in 0..100 {
        // Every third request is anonymous, and must not get the user of the one before.
        let (sent_as, expected) =
            if n % 3 == 2 { (None, "nobody".into()) } else { (Some(User(n)), format!("user {n}")) };
        sender.ready().await.unwrap();
        let response = user(1000 + n).scope(async {
            let response = sender.send_request(request(address, "/", sent_as)).await.unwrap();
            (text(response).await, User::name())
        });
        assert_eq!(in_time(response).await, (expected, format!("user {}", 1000 + n)));
    }
}

// L11
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn frames_of_concurrent_downloads_see_their_own_context() {
    /// Fills each frame with the user that is current when it is created. All bodies wait for each other first.
    async fn mebibyte() -> Body {
        static STARTED: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(10));
        Body::from_stream(stream::iter(0..MIB / FRAME).then(async |n| {
            if n == 0 {
                STARTED.wait().await;
            }
            yield_now().await;
            let User(byte) = RequestContext::try_get()?;
            Ok::<_, ContextError>(Bytes::from(vec![u8::try_from(byte).unwrap(); FRAME]))
        }))
    }

    let address = serve(Router::new().fallback(mebibyte).layer(layer())).await;
    let download = async |n| {
        let response = client(Version::HTTP_11).request(request(address, "/", Some(User(n)))).await.unwrap();
        assert_eq!(response.headers()["transfer-encoding"], "chunked");
        (n, response.into_body().collect().await.unwrap().to_bytes())
    };
    for (n, body) in in_time(join_all((1..=10).map(download))).await {
        assert_eq!(body.len(), MIB);
        assert!(body.iter().all(|byte| u32::from(*byte) == n));
    }
}

// L12
#[tokio::test]
async fn nested_runs_and_exits_do_not_leak_contexts() {
    let mut contexts = Vec::new();
    for n in 0..100 {
        let (outer, inner) = (user(n), user(1000 + n));
        contexts.extend([outer.downgrade(), inner.downgrade()]);
        outer.sync_scope(|| inner.sync_scope(|| RequestContext::sync_exit(|| assert_eq!(User::name(), "nobody"))));
        assert_eq!(User::name(), "nobody");

        let exited = RequestContext::exit(async {
            yield_now().await;
            User::name()
        });
        let nested = outer.scope(async move { (inner.scope(exited).await, User::name()) });
        assert_eq!(nested.await, ("nobody".into(), format!("user {n}")));
        assert_eq!(User::name(), "nobody");
    }
    assert!(contexts.iter().all(|context| context.upgrade().is_none()));
}

fn user(n: u32) -> RequestContext {
    RequestContext::new(Store::new().with_value(User(n)))
}
