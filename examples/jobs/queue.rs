//! Jobs that requests add to a queue. Each runs in a context of its own, with the id, the trace and the user of its
//! request.

use std::{sync::LazyLock, time::Duration};

use axum::http::HeaderMap;
use tokio::{select, sync::mpsc::Receiver, task::JoinSet, time::timeout};
use tower_request_context::{HeaderPropagator, RequestContext, Store};

use super::{UserId, reports::Reports};

/// The number of jobs that run at the same time. The others stay in the queue, which rejects more jobs when it is full.
const CONCURRENCY: usize = 64;

/// Copies the trace and the id from the request to the message, and from there to outgoing requests of the job.
pub(crate) static PROPAGATOR: LazyLock<HeaderPropagator> =
    LazyLock::new(|| HeaderPropagator::trace_context().header("x-request-id"));

/// An item of the queue: headers, and the fields that a job needs. It never contains a whole context, which may have
/// values that must not leave the process.
///
/// The worker trusts the user in a message, so only your own services may write to the queue.
pub(crate) struct Message {
    headers: HeaderMap,
    user: Option<UserId>,
    task: String,
}

impl Message {
    /// Creates a message with the user of the current request, if it has one.
    pub(crate) fn new(task: &str) -> Self {
        let mut headers = HeaderMap::new();
        PROPAGATOR.inject(&mut headers);
        Self { headers, user: RequestContext::get(), task: task.to_owned() }
    }

    /// Returns the store that the job runs in, and the task.
    fn into_job(self) -> (Store, String) {
        let mut store = Store::new();
        PROPAGATOR.extract_trusted(&mut store, &self.headers);
        if let Some(user) = self.user {
            store.insert(user);
        }
        (store, self.task)
    }
}

/// Runs the jobs of a queue concurrently until the last sender is dropped. If the future is dropped before, it cancels
/// the jobs that run.
pub(crate) async fn work<F>(
    mut queue: Receiver<Message>,
    perform: impl Fn(String) -> F,
    limit: Duration,
    reports: Reports,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut jobs = JoinSet::new();
    loop {
        select! {
            Some(message) = queue.recv(), if jobs.len() < CONCURRENCY => {
                let (mut store, task) = message.into_job();
                reports.report_end(&mut store, &task);
                jobs.spawn(timeout(limit, store.run(perform(task))));
            }
            Some(_) = jobs.join_next() => {} // `on_end` has reported how it ended; a real queue would retry
            else => break,
        }
    }
}
