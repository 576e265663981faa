//! Scheduled jobs. Each run has an id of its own, and no user.

use std::panic::AssertUnwindSafe;

use futures_util::{FutureExt, Stream, StreamExt};
use tower_request_context::{RequestId, Store};

use super::reports::Reports;

/// Performs the task once per tick, one run after the other.
pub(crate) async fn cron<F: Future<Output = ()>>(
    ticks: impl Stream<Item = ()>,
    task: &str,
    perform: impl Fn(String) -> F,
    reports: Reports,
) {
    let run = async |()| {
        let id = RequestId::new_v7();
        reports.add(id.clone());
        let mut store = Store::new().with_value(id);
        reports.report_end(&mut store, task);
        // `on_end` has reported a panic, which must not stop the schedule.
        let _ = AssertUnwindSafe(store.run(perform(task.to_owned()))).catch_unwind().await;
    };
    ticks.for_each(run).await;
}
