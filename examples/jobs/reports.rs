//! How the latest jobs ended.

use std::collections::VecDeque;

use tokio::sync::watch;
use tower_request_context::{RequestContext, RequestId, Store};

use super::caller;

/// The latest jobs, each with a report once it has ended. A real application would keep them in a database.
#[derive(Clone, Default)]
pub(crate) struct Reports(watch::Sender<VecDeque<Job>>);

struct Job {
    id: RequestId,
    report: Option<String>,
}

impl Reports {
    /// The number of jobs that are kept, which is more than can wait and run at the same time. Older jobs are removed,
    /// so that memory does not grow with each job.
    pub(crate) const KEPT: usize = 200;

    /// Adds a job that has not started.
    pub(crate) fn add(&self, id: RequestId) {
        self.0.send_modify(|jobs| {
            if jobs.len() == Self::KEPT {
                jobs.pop_front();
            }
            jobs.push_back(Job { id, report: None });
        });
    }

    /// Registers a callback that reports how the job in this store ends: completed, cancelled by the time limit or a
    /// shutdown, or panicked.
    pub(crate) fn report_end(&self, store: &mut Store, task: &str) {
        let (reports, task) = (self.clone(), task.to_owned());
        store.on_end(move |end| {
            let caller = caller().unwrap_or_else(|error| error.to_string());
            let Some(id) = RequestContext::id() else { return };
            reports.0.send_modify(|jobs| {
                if let Some(job) = jobs.iter_mut().find(|job| job.id == id) {
                    job.report = Some(format!("{task} for {caller}: {end:?}"));
                }
            });
        });
    }

    /// Returns the reports of all kept jobs that have ended.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.borrow().iter().filter_map(|job| job.report.clone()).collect()
    }

    /// Waits until a job has ended and returns its report, or `None` for a job that is unknown or no longer kept.
    pub(crate) async fn get(&self, id: &str) -> Option<String> {
        let mut jobs = self.0.subscribe();
        let has_ended = |job: &Job| job.report.is_some();
        let jobs = jobs.wait_for(|jobs| find(jobs, id).is_none_or(has_ended)).await.ok()?;
        find(&jobs, id)?.report.clone()
    }
}

fn find<'a>(jobs: &'a VecDeque<Job>, id: &str) -> Option<&'a Job> {
    jobs.iter().find(|job| job.id.as_str() == id)
}
