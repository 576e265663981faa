//! Run with `cargo run --example jobs`.
//!
//! Work that is no HTTP request, in a context all the same: jobs from a queue (`queue.rs`), which keep the id and the
//! user of the request that asked for them, and jobs of a clock (`cron.rs`), which get an id of their own. The code in
//! `perform` and below does not know who calls it. This replaces a request object that is made up for jobs, and arguments
//! that are passed through all of them.

mod cron;
mod queue;
#[path = "../shared/mod.rs"]
mod shared;

use std::{future::pending, panic, process::ExitCode, time::Duration};

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use futures_util::stream;
use tokio::{
    sync::mpsc::{Sender, channel, unbounded_channel},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tower_request_context::{ContextError, RequestContext, RequestContextLayer, RequestId, RequestIdPolicy};

use self::shared::say;
pub(crate) use self::{
    cron::cron,
    queue::{Message, work},
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

async fn enqueue(
    State(queue): State<Sender<Message>>,
    Path(task): Path<String>,
) -> Result<(StatusCode, String), StatusCode> {
    queue.try_send(Message::here(&task)).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok((StatusCode::ACCEPTED, format!("{task}: queued for {}", caller()?)))
}

pub(crate) fn app(queue: Sender<Message>) -> Router {
    let ids = RequestIdPolicy::new();
    let context = RequestContextLayer::new(move |store, request| {
        ids.apply(store, request);
        let id = request.headers.get("x-user-id").and_then(|id| id.to_str().ok()?.parse().ok());
        if let Some(id) = id {
            store.insert(UserId(id));
        }
    });
    Router::new().route("/", get(whoami)).route("/jobs/{task}", post(enqueue)).with_state(queue).layer(context)
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
    let (report, mut reports) = unbounded_channel();
    let mut hours = interval(Duration::from_secs(3600));
    hours.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let hours = stream::unfold(hours, async |mut hours| {
        hours.tick().await;
        Some(((), hours))
    });

    let mut background = JoinSet::new();
    background.spawn(work(messages, perform, Duration::from_millis(100), report.clone()));
    background.spawn(cron(hours, "count", perform, report));
    let code = shared::serve(app(queue), async |visitor| {
        say(reports.recv().await.ok_or("the cron has stopped")?)?;
        for task in ["feed", "bark", "search"] {
            visitor.post(&format!("/jobs/{task}"), &[("x-user-id", "7")], "").await?;
            say(reports.recv().await.ok_or("the worker has stopped")?)?;
        }
        visitor.get("/", &[("x-user-id", "7")]).await?;
        visitor.invite("/", &[("x-user-id", "8")]);
        Ok(())
    })
    .await;
    background.shutdown().await; // jobs that still run are cancelled, and told so
    code
}
