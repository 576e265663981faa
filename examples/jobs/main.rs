//! Run with `cargo run --example jobs`.
//!
//! Background jobs with a context of their own. Jobs from a queue (`queue.rs`) keep the id, the trace and the user of
//! the request that queued them. Scheduled jobs (`cron.rs`) get an id of their own. `perform` and the code below it
//! read the context in the same way as a handler. `reports.rs` keeps how the latest jobs ended.
//!
//! Without this crate, jobs would need a made-up request, or arguments that pass through all of these functions.

mod cron;
mod queue;
mod reports;
#[path = "../shared/mod.rs"]
mod shared;

use std::{future::pending, panic, time::Duration};

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

use self::shared::{Demo, print, single_header};
pub(crate) use self::{
    cron::cron,
    queue::{Message, PROPAGATOR, work},
    reports::Reports,
};

/// The user of a request or a job. The layer or the worker inserts it. For real identities see the example `identity`.
#[derive(Clone)]
pub(crate) struct UserId(pub(crate) u64);

/// Returns the user and the id that the current code runs for, in a handler and in a job.
pub(crate) fn caller() -> Result<String, ContextError> {
    let id = RequestContext::try_get::<RequestId>()?;
    let user = RequestContext::get().map_or_else(|| String::from("anonymous"), |UserId(id)| format!("user {id}"));
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
    let permit = jobs.queue.try_reserve().map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let location = format!("/jobs/{id}");
    jobs.reports.add(id);
    permit.send(Message::new(&task));
    Ok((StatusCode::ACCEPTED, [(LOCATION, location)], format!("{task}: queued for {}", caller()?)))
}

/// Responds with how the latest jobs ended. A real application would show only those of the user.
async fn latest(State(jobs): State<Jobs>) -> String {
    jobs.reports.all().join("\n")
}

/// Waits until a job has ended, and responds with how it ended.
async fn report(State(jobs): State<Jobs>, Path(id): Path<String>) -> Result<String, StatusCode> {
    jobs.reports.get(&id).await.ok_or(StatusCode::NOT_FOUND)
}

pub(crate) fn app(queue: Sender<Message>, reports: Reports) -> Router {
    let ids = RequestIdPolicy::new();
    let context = RequestContextLayer::new(move |store, request| {
        ids.apply(store, request);
        PROPAGATOR.extract(store, request); // public-facing services should use `trust_if`
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

/// Performs a task. Some tasks fail.
async fn perform(task: String) {
    match &*task {
        "search" => pending().await,
        "bark" => panic!("cats do not bark: job of {}", caller().expect("a job has an id")),
        _ => {}
    }
}

#[tokio::main]
async fn main() -> Result<(), shared::Error> {
    let (listener, demo) = Demo::listen().await?;
    // Prints panics where the other lines are: on standard output.
    panic::set_hook(Box::new(|panic| drop(print(panic))));
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
    let server = axum::serve(listener, app(queue, reports)).with_graceful_shutdown(demo.shutdown_signal());
    let result = demo
        .run(server, async |client| {
            for task in ["feed", "bark", "search"] {
                let queued = client.post(&format!("/tasks/{task}"), &[("x-user-id", "7")], "").await?;
                let id = queued.split(' ').next_back().ok_or("the response ends with the job's id")?;
                client.get(&format!("/jobs/{id}"), &[]).await?;
            }
            client.get("/jobs", &[]).await?; // includes the scheduled job
            client.get("/", &[("x-user-id", "7")]).await?;
            client.suggest("/", &[("x-user-id", "8")]);
            client.suggest("/jobs", &[]);
            Ok(())
        })
        .await;
    background.shutdown().await; // cancels jobs that still run, which runs their `on_end` callbacks
    result
}
