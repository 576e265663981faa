//! A job that a clock asks for: each run has an id of its own, and no user.

use std::panic::AssertUnwindSafe;

use futures_util::{FutureExt, Stream, StreamExt};
use tokio::sync::mpsc::UnboundedSender;
use tower_request_context::{RequestId, Store};

use super::queue::report_end;

/// Performs the task once a tick, one run after the other.
pub(crate) async fn cron<F: Future<Output = ()>>(
    ticks: impl Stream<Item = ()>,
    task: &str,
    perform: impl Fn(String) -> F,
    reports: UnboundedSender<String>,
) {
    let run = async |()| {
        let store = Store::new().with_value(RequestId::new_v7());
        report_end(&store, task, &reports);
        // A panic has been told by `on_end`, and ought not to stop the clock.
        let _ = AssertUnwindSafe(store.run(perform(task.to_owned()))).catch_unwind().await;
    };
    ticks.for_each(run).await;
}
