//! Jobs that a request puts in a queue. Each runs in a context of its own, with the id, the trace and the user of the request.

use std::{sync::LazyLock, time::Duration};

use axum::http::HeaderMap;
use tokio::{select, sync::mpsc::Receiver, task::JoinSet, time::timeout};
use tower_request_context::{HeaderPropagator, RequestContext, Store};

use super::{UserId, reports::Reports};

/// How many jobs run at once. The others stay in the queue, which rejects more when it is full.
const AT_ONCE: usize = 64;

/// The headers that a message has in common with the request that sent it: its trace and its id.
pub(crate) static PROPAGATOR: LazyLock<HeaderPropagator> =
    LazyLock::new(|| HeaderPropagator::trace_context().header("x-request-id"));

/// What the queue stores: headers, and the data that a job needs, by name. Never a whole context: that may hold values
/// which must not leave the process.
///
/// The worker believes what a message says about the user, so only your own services may write to the queue.
pub(crate) struct Message {
    headers: HeaderMap,
    user: Option<UserId>,
    task: String,
}

impl Message {
    /// Creates a message with a task for the user of the current request, if it has one.
    pub(crate) fn new(task: &str) -> Self {
        let mut headers = HeaderMap::new();
        PROPAGATOR.inject(&mut headers);
        Self { headers, user: RequestContext::get(), task: task.to_owned() }
    }

    /// Restores the context that the job runs in.
    fn into_job(self) -> (Store, String) {
        let mut store = Store::new();
        PROPAGATOR.extract_trusted(&mut store, &self.headers);
        if let Some(user) = self.user {
            store.insert(user);
        }
        (store, self.task)
    }
}

/// Runs the jobs of a queue, many at once, until the last sender is gone; dropped before, it cancels those that run.
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
            Some(message) = queue.recv(), if jobs.len() < AT_ONCE => {
                let (mut store, task) = message.into_job();
                reports.report_end(&mut store, &task);
                jobs.spawn(timeout(limit, store.run(perform(task))));
            }
            Some(_) = jobs.join_next() => {} // `on_end` has reported how it ended. A real queue would try again.
            else => break,
        }
    }
}
