//! Jobs that a request leaves for later: each runs in a context of its own, with that request's id and user.

use std::time::Duration;

use tokio::{
    select,
    sync::mpsc::{Receiver, UnboundedSender},
    task::JoinSet,
    time::timeout,
};
use tower_request_context::{RequestContext, RequestId, Store};

use super::{UserId, caller};

/// What travels: data, no context. Whoever can write to the queue says who the user is, so that must be none but you.
pub(crate) struct Message {
    id: RequestId,
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

/// Runs the jobs of a queue, all at once, until the last sender is gone; dropped before, it cancels those that run.
pub(crate) async fn work<F>(
    mut queue: Receiver<Message>,
    perform: impl Fn(String) -> F,
    limit: Duration,
    reports: UnboundedSender<String>,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut jobs = JoinSet::new();
    loop {
        select! {
            Some(message) = queue.recv() => {
                let (store, task) = message.into_job();
                report_end(&store, &task, &reports);
                jobs.spawn(timeout(limit, store.run(perform(task))));
            }
            Some(_) = jobs.join_next() => {} // `on_end` has told how
            else => break,
        }
    }
}

/// Tells how a job ends: done, cancelled by the limit or a shutdown, or by a panic. A real queue would try again.
pub(crate) fn report_end(store: &Store, task: &str, reports: &UnboundedSender<String>) {
    let (task, reports) = (task.to_owned(), reports.clone());
    store.on_end(move |end| {
        let caller = caller().unwrap_or_else(|error| error.to_string());
        let _ = reports.send(format!("{task} for {caller}: {end:?}")); // an error says that nobody reads them
    });
}
