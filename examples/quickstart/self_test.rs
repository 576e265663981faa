//! The self-test: 1,000 users send requests at the same time over real sockets, and each response is checked.

use std::{
    fmt, iter,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    BoxError, Router,
    body::Body,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::get,
};
use futures_util::future::try_join_all;
use http_body_util::BodyExt;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{sync::Barrier, time::timeout};

use crate::{app, task_local};

const USERS: u32 = 1000;
const PRINTED_USERS: [u32; 5] = [1, 2, 42, 500, 999];

/// Over one HTTP/2 connection, hyper's server accepts 200 requests at the same time, fewer than there are users. A
/// connection for each user would need more open files than many systems allow.
const CONNECTIONS: usize = 20;

/// Makes all requests overlap: each waits after the user was set and before the handler reads it.
#[derive(Clone)]
pub(crate) struct SelfTest {
    barrier: Arc<Barrier>,
    is_complete: Arc<AtomicBool>,
}

impl SelfTest {
    pub(crate) fn new() -> Self {
        Self { barrier: Arc::new(Barrier::new(USERS as usize)), is_complete: Arc::default() }
    }

    /// Returns the handler of the application behind the barrier, and the one that reads a task-local.
    pub(crate) fn routes(&self) -> Router {
        let barrier = from_fn_with_state(self.clone(), wait_for_all);
        Router::new().route("/overlapping", get(app::hello)).layer(barrier).merge(task_local::routes())
    }

    pub(crate) async fn run(self, address: SocketAddr) -> Result<Report, BoxError> {
        let responses = timeout(Duration::from_secs(60), overlapping_requests(address)).await;
        let responses = responses.map_err(|_| "the self-test did not complete within 60 seconds")??;
        self.is_complete.store(true, Ordering::Release);
        let client = client();
        let task_local = PRINTED_USERS.map(|user| send(&client, address, "/task-local", user));
        Ok(Report { responses, task_local: try_join_all(task_local).await? })
    }
}

async fn overlapping_requests(address: SocketAddr) -> Result<Vec<Seen>, BoxError> {
    let clients: Vec<_> = iter::repeat_with(client).take(CONNECTIONS).collect();
    let requests = (1..=USERS).zip(clients.iter().cycle());
    try_join_all(requests.map(|(user, client)| send(client, address, "/overlapping", user))).await
}

async fn wait_for_all(State(test): State<SelfTest>, request: Request, next: Next) -> Response {
    if !test.is_complete.load(Ordering::Acquire) {
        test.barrier.wait().await;
    }
    next.run(request).await
}

fn client() -> Client<HttpConnector, Body> {
    Client::builder(TokioExecutor::new()).http2_only(true).build_http()
}

async fn send(
    client: &Client<HttpConnector, Body>,
    address: SocketAddr,
    path: &str,
    user: u32,
) -> Result<Seen, BoxError> {
    let uri = format!("http://{address}{path}");
    let request = Request::get(uri).header("x-user-id", user).body(Body::empty())?;
    let body = client.request(request).await?.into_body().collect().await?.to_bytes();
    let lines = std::str::from_utf8(&body)?.lines().filter_map(|line| line.split_once(": "));
    Ok(Seen { user, values: lines.map(|(_, value)| value.to_owned()).collect() })
}

/// What the readers of one user's request saw.
struct Seen {
    user: u32,
    values: Vec<String>,
}

pub(crate) struct Report {
    responses: Vec<Seen>,
    task_local: Vec<Seen>,
}

impl Report {
    /// Returns an error unless every reader of every request saw the user of that request.
    pub(crate) fn result(&self) -> Result<(), BoxError> {
        match (self.reads(), self.mixed_up()) {
            (reads, 0) if reads == 4 * USERS as usize => Ok(()),
            _ => Err("some readers did not see the user of their request".into()),
        }
    }

    fn reads(&self) -> usize {
        self.responses.iter().map(|seen| seen.values.len()).sum()
    }

    fn mixed_up(&self) -> usize {
        let wrong = |Seen { user, values }: &Seen| {
            let expected = format!("{user}@shop{user}");
            values.iter().filter(|&value| *value != expected).count()
        };
        self.responses.iter().map(wrong).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_row(f, ["", "", "3 calls", "spawned", "streamed", "task_local!"])?;
        write_row(f, ["user", "handler", "below", "task", "body", "handler, body"])?;
        for task_local in &self.task_local {
            let user = task_local.user.to_string();
            let seen = self.responses.iter().find(|seen| seen.user == task_local.user);
            if let Some([handler, service, task, body]) = seen.map(|seen| &*seen.values) {
                write_row(f, [&user, handler, service, task, body, &task_local.values.join(", ")])?;
            }
        }
        write!(f, "\n{} requests, {} reads, {} mixed up", self.responses.len(), self.reads(), self.mixed_up())
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, [user, handler, service, task, body, task_local]: [&str; 6]) -> fmt::Result {
    writeln!(f, "{user:>4}   {handler:<11}   {service:<11}   {task:<11}   {body:<11}   {task_local}")
}
