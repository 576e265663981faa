//! Run with `cargo run --example jobs`.
//!
//! Work that is no HTTP request, in a context all the same: jobs from a queue (`queue.rs`), which keep the id, the
//! trace and the user of the request that asked for them, and jobs of a clock (`cron.rs`), which get an id of their own. The code in
//! `perform` and below does not know who calls it. `reports.rs` keeps how the latest jobs ended. This replaces a request
//! object that is made up for jobs, and arguments that are passed through all of them.

mod cron;
mod queue;
mod reports;
#[path = "../shared/mod.rs"]
mod shared;

use std::{future::pending, panic, process::ExitCode, time::Duration};

use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header::LOCATION},
    response::IntoResponse,
    routing::{get, post},
};
use futures_util::stream;
use tokio::{
    sync::mpsc::{Sender, channel},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tower_request_context::{ContextError, RequestContext, RequestContextLayer, RequestId, RequestIdPolicy};

use self::shared::{say, single_header};
pub(crate) use self::{
    cron::cron,
    queue::{Message, PROPAGATOR, work},
    reports::Reports,
};

/// Who asks: seeded by the layer, or by the worker. For real identities see the example `identity`.
#[derive(Clone)]
pub(crate) struct UserId(pub(crate) u64);

/// Names whoever the code runs for: handlers, jobs and the code below them ask alike.
pub(crate) fn caller() -> Result<String, ContextError> {
    let id = RequestContext::try_get::<RequestId>()?;
    let user = RequestContext::get().map_or_else(|| String::from("nobody"), |UserId(id)| format!("user {id}"));
    Ok(format!("{user} in {id}"))
}

async fn whoami() -> Result<String, ContextError> {
    caller()
}

#[derive(Clone)]
struct Jobs {
    queue: Sender<Message>,
    reports: Reports,
}

async fn enqueue(State(jobs): State<Jobs>, Path(task): Path<String>) -> axum::response::Result<impl IntoResponse> {
    let id = RequestContext::try_get::<RequestId>()?;
    let place = jobs.queue.try_reserve().map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let location = format!("/jobs/{id}");
    jobs.reports.add(id);
    place.send(Message::new(&task));
    Ok((StatusCode::ACCEPTED, [(LOCATION, location)], format!("{task}: queued for {}", caller()?)))
}

/// Returns how the latest jobs ended. In a real application a user would see their own.
async fn latest(State(jobs): State<Jobs>) -> String {
    jobs.reports.all().join("\n")
}

/// Returns how a job ended, once it has.
async fn report(State(jobs): State<Jobs>, Path(id): Path<String>) -> Result<String, StatusCode> {
    jobs.reports.get(&id).await.ok_or(StatusCode::NOT_FOUND)
}

pub(crate) fn app(queue: Sender<Message>, reports: Reports) -> Router {
    let ids = RequestIdPolicy::new();
    let context = RequestContextLayer::new(move |store, request| {
        ids.apply(store, request);
        PROPAGATOR.extract(store, request); // at a public edge with `trust_if`
        if let Some(Ok(id)) = single_header(&request.headers, "x-user-id").map(str::parse) {
            store.insert(UserId(id));
        }
    });
    Router::new()
        .route("/", get(whoami))
        .route("/tasks/{task}", post(enqueue))
        .route("/jobs", get(latest))
        .route("/jobs/{id}", get(report))
        .with_state(Jobs { queue, reports })
        .layer(context)
}

/// What there is to do, some of it badly.
async fn perform(task: String) {
    match &*task {
        "search" => pending().await,
        "bark" => panic!("{} asked a cat to bark", caller().expect("a job has an id")),
        _ => {}
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    panic::set_hook(Box::new(|panic| drop(say(panic)))); // among the other lines
    let (queue, messages) = channel(64);
    let reports = Reports::default();
    let mut hours = interval(Duration::from_secs(3600));
    hours.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let hours = stream::unfold(hours, async |mut hours| {
        hours.tick().await;
        Some(((), hours))
    });

    let mut background = JoinSet::new();
    background.spawn(work(messages, perform, Duration::from_millis(100), reports.clone()));
    background.spawn(cron(hours, "count", perform, reports.clone()));
    let code = shared::serve(app(queue, reports), async |visitor| {
        for task in ["feed", "bark", "search"] {
            let queued = visitor.post(&format!("/tasks/{task}"), &[("x-user-id", "7")], "").await?;
            let id = queued.split(' ').next_back().ok_or("the response ends with the job's id")?;
            visitor.get(&format!("/jobs/{id}"), &[]).await?;
        }
        visitor.get("/jobs", &[]).await?; // that of the clock is among them
        visitor.get("/", &[("x-user-id", "7")]).await?;
        visitor.invite("/", &[("x-user-id", "8")]);
        visitor.invite("/jobs", &[]);
        Ok(())
    })
    .await;
    background.shutdown().await; // jobs that still run are cancelled, and told so
    code
}
