//! The self-test: a thousand users ask at once, over real sockets, and what they were told is counted.

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
use comfy_table::{Table, presets::UTF8_BORDERS_ONLY};
use futures_util::future::try_join_all;
use http_body_util::BodyExt;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use indicatif::ProgressBar;
use tokio::{sync::Barrier, time::timeout};

use crate::{app, task_local};

const USERS: u32 = 1000;
const SHOWN: [u32; 5] = [1, 2, 42, 500, 999];

/// Over one HTTP/2 connection a server takes some 100 requests at once; a connection for each user would need more
/// open files than many systems allow.
const CONNECTIONS: usize = 20;

#[derive(Clone)]
pub(crate) struct Storm {
    barrier: Arc<Barrier>,
    is_over: Arc<AtomicBool>,
    progress: ProgressBar,
}

impl Storm {
    pub(crate) fn new() -> Self {
        // Each request counts twice: when it waits at the barrier, and when it is answered.
        Self {
            barrier: Arc::new(Barrier::new(USERS as usize)),
            is_over: Arc::default(),
            progress: ProgressBar::new(2 * u64::from(USERS)),
        }
    }

    /// The application's own handler behind the barrier, and its rival.
    pub(crate) fn routes(&self) -> Router {
        let held = from_fn_with_state(self.clone(), hold);
        Router::new().route("/held", get(app::hello)).layer(held).merge(task_local::routes())
    }

    pub(crate) async fn run(self, address: SocketAddr) -> Result<Report, BoxError> {
        let storming = timeout(Duration::from_secs(60), self.answers(address));
        let answers = storming.await.map_err(|_| "the self-test was not done within 60 seconds")??;
        self.is_over.store(true, Ordering::Release);
        self.progress.finish_and_clear();
        let client = client();
        let rivals = SHOWN.map(|user| ask(&client, address, "/task-local", user));
        Ok(Report { answers, rivals: try_join_all(rivals).await? })
    }

    async fn answers(&self, address: SocketAddr) -> Result<Vec<Answer>, BoxError> {
        let clients: Vec<_> = iter::repeat_with(client).take(CONNECTIONS).collect();
        let asked = (1..=USERS).zip(clients.iter().cycle()).map(async |(user, client)| {
            let answer = ask(client, address, "/held", user).await;
            self.progress.inc(1);
            answer
        });
        try_join_all(asked).await
    }
}

/// Below the layer and the look-up: whoever waits here has written and not yet read.
async fn hold(State(storm): State<Storm>, request: Request, next: Next) -> Response {
    if !storm.is_over.load(Ordering::Acquire) {
        storm.progress.inc(1);
        storm.barrier.wait().await;
    }
    next.run(request).await
}

fn client() -> Client<HttpConnector, Body> {
    Client::builder(TokioExecutor::new()).http2_only(true).build_http()
}

async fn ask(
    client: &Client<HttpConnector, Body>,
    address: SocketAddr,
    path: &str,
    user: u32,
) -> Result<Answer, BoxError> {
    let uri = format!("http://{address}{path}");
    let request = Request::get(uri).header("x-user-id", user).body(Body::empty())?;
    let body = client.request(request).await?.into_body().collect().await?.to_bytes();
    let lines = std::str::from_utf8(&body)?.lines().filter_map(|line| line.split_once(": "));
    Ok(Answer { user, seen: lines.map(|(_, seen)| seen.to_owned()).collect() })
}

/// What a user was told: whom each reader saw.
struct Answer {
    user: u32,
    seen: Vec<String>,
}

pub(crate) struct Report {
    answers: Vec<Answer>,
    rivals: Vec<Answer>,
}

impl Report {
    /// An error unless each reader of each request saw the user that had asked.
    pub(crate) fn verdict(&self) -> Result<(), BoxError> {
        match (self.reads(), self.mixed_up()) {
            (reads, 0) if reads == 4 * USERS as usize => Ok(()),
            _ => Err("some readers did not see the user that had asked".into()),
        }
    }

    fn reads(&self) -> usize {
        self.answers.iter().map(|answer| answer.seen.len()).sum()
    }

    fn mixed_up(&self) -> usize {
        let wrong = |Answer { user, seen }: &Answer| {
            let right = format!("{user}@shop{user}");
            seen.iter().filter(|&seen| *seen != right).count()
        };
        self.answers.iter().map(wrong).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(UTF8_BORDERS_ONLY).set_header([
            "\nuser",
            "\nhandler",
            "service 3\ncalls below",
            "spawned\ntask",
            "streamed\nbody",
            "task_local!\nhandler, body",
        ]);
        for rival in &self.rivals {
            let answer = self.answers.iter().filter(|answer| answer.user == rival.user);
            let user = iter::once(rival.user.to_string());
            let seen = answer.flat_map(|answer| answer.seen.iter().cloned());
            table.add_row(user.chain(seen).chain([rival.seen.join(", ")]));
        }
        writeln!(f, "{table}")?;
        write!(f, "{} requests, {} reads, {} mixed up", self.answers.len(), self.reads(), self.mixed_up())
    }
}
