//! How jobs ended, for as many of them as are kept.

use std::collections::VecDeque;

use tokio::sync::watch;
use tower_request_context::{RequestContext, RequestId, Store};

use super::caller;

/// The latest jobs by their ids, each with a report once it has ended. A real application would have a table of them.
#[derive(Clone, Default)]
pub(crate) struct Reports(watch::Sender<VecDeque<Job>>);

struct Job {
    id: RequestId,
    report: Option<String>,
}

impl Reports {
    /// How many jobs are kept: more than wait and run at a time. Older ones are forgotten, or memory would grow with each
    /// job.
    pub(crate) const KEPT: usize = 200;

    /// Adds a job that has yet to run.
    pub(crate) fn add(&self, id: RequestId) {
        self.0.send_modify(|jobs| {
            if jobs.len() == Self::KEPT {
                jobs.pop_front();
            }
            jobs.push_back(Job { id, report: None });
        });
    }

    /// Reports how the job that will run in this store ends: done, cancelled by the limit or a shutdown, or by a panic.
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

    /// Returns the reports of all jobs that have ended and are kept.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.borrow().iter().filter_map(|job| job.report.clone()).collect()
    }

    /// Waits until a job has ended and returns its report, or `None` for a job that is unknown or forgotten.
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
