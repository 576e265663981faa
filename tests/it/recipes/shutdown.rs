//! `recipes::shutdown`: work after the response, with a server that stops and with a runtime that goes down.

use std::future::pending;

use axum::{Router, routing::get};
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    sync::{mpsc::unbounded_channel, oneshot},
    task::yield_now,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_request_context::{CallbackError, RequestContext};

use crate::{
    recorder::recorder,
    support::{Connection, User, VERSIONS, in_time, layer, request, serve, text},
};

fn after(tasks: &TaskTracker, work: impl Future<Output = ()> + Send + 'static) -> Result<(), CallbackError> {
    let work = tasks.track_future(work);
    RequestContext::on_end(move |_| drop(RequestContext::spawn(work)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_graceful_shutdown_waits_for_work_after_the_response() {
    for version in VERSIONS {
        let tasks = TaskTracker::new();
        let (done, mut users) = unbounded_channel();
        let (tracker, gate) = (tasks.clone(), CancellationToken::new());
        let open = gate.clone();
        let handler = async move || {
            let work = async move {
                gate.cancelled().await;
                done.send(RequestContext::get::<User>()).unwrap();
            };
            after(&tracker, work).unwrap();
            "Tom"
        };
        let app = Router::new().route("/", get(handler)).layer(layer());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = axum::serve(listener, app).with_graceful_shutdown(async { stopped.await.unwrap() });
        let server = tokio::spawn(server.into_future());

        let mut connection = Connection::open(address, version).await;
        let response = connection.send(request(address, "/", Some(User(7)))).await.unwrap();
        assert_eq!(text(response).await, "Tom");
        stop.send(()).unwrap();
        in_time(server).await.unwrap().unwrap();
        tasks.close();
        assert!(!tasks.is_empty(), "{version:?}");
        open.cancel();
        in_time(tasks.wait()).await;
        assert_eq!(users.try_recv(), Ok(Some(User(7))), "{version:?}");
    }
}

#[test]
fn a_runtime_that_goes_down_drops_the_work_in_its_context() {
    let (recorder, mut reports) = recorder();
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let (sender, mut entered) = unbounded_channel();
        let handler = async move || {
            let (ran, dropped) = (recorder.clone(), recorder.drop_of("dropped"));
            let work = async move {
                let _dropped = dropped;
                ran.saw("ran");
                yield_now().await;
            };
            after(&TaskTracker::new(), work).unwrap();
            sender.send(()).unwrap();
            pending::<()>().await;
        };
        let address = serve(Router::new().route("/", get(handler)).layer(layer())).await;
        let mut connection = Connection::open(address, http::Version::HTTP_11).await;
        tokio::spawn(async move { connection.send(request(address, "/", Some(User(7)))).await });
        in_time(entered.recv()).await.unwrap();
    });
    drop(runtime);
    let runtime = Runtime::new().unwrap();
    assert_eq!(runtime.block_on(reports.next()), "dropped: user 7");
    assert!(reports.is_empty());
}
