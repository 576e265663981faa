//! Jobs that a request leaves for later: each runs in a context of its own, with that request's id and user.

use std::time::Duration;

use tokio::{select, sync::mpsc::Receiver, task::JoinSet, time::timeout};
use tower_request_context::{RequestContext, RequestId, Store};

use super::{UserId, reports::Reports};

/// How many jobs run at once. The others stay in the queue, which rejects more when it is full.
const AT_ONCE: usize = 64;

/// What travels: data, no context. Whoever can write to the queue says who the user is, so that must be none but you.
pub(crate) struct Message {
    pub(crate) id: RequestId,
    user: Option<UserId>,
    task: String,
}

impl Message {
    /// A task in the name of the request that asks for it, or of nobody.
    pub(crate) fn here(task: &str) -> Self {
        let id = RequestContext::id().unwrap_or_else(RequestId::new_v7);
        Self { id, user: RequestContext::get(), task: task.to_owned() }
    }

    fn into_job(self) -> (Store, String) {
        let mut store = Store::new().with_value(self.id);
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
                let (store, task) = message.into_job();
                reports.report_end(&store, &task);
                jobs.spawn(timeout(limit, store.run(perform(task))));
            }
            Some(_) = jobs.join_next() => {} // `on_end` has reported how it ended. A real queue would try again.
            else => break,
        }
    }
}
