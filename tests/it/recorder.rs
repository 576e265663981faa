//! Records the current user where no response can show it: in body frames, callbacks and drops.

use std::iter;

use http::response::Parts;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tower_request_context::End;

use crate::support::{User, in_time};

/// Reports events, each with the current user.
#[derive(Clone)]
pub(crate) struct Recorder(UnboundedSender<String>);

/// Receives the reports of a [`Recorder`] and its clones, in order.
pub(crate) struct Reports(UnboundedReceiver<String>);

/// Reports its own drop.
pub(crate) struct DropRecorder {
    what: &'static str,
    recorder: Recorder,
}

pub(crate) fn recorder() -> (Recorder, Reports) {
    let (sender, receiver) = unbounded_channel();
    (Recorder(sender), Reports(receiver))
}

impl Recorder {
    pub(crate) fn saw(&self, what: &str) {
        // The test may have dropped the receiver already.
        let _ = self.0.send(format!("{what}: {}", User::name()));
    }

    pub(crate) fn drop_of(&self, what: &'static str) -> DropRecorder {
        DropRecorder { what, recorder: self.clone() }
    }

    /// Returns an `on_response` callback that reports that it ran.
    pub(crate) fn head_of(&self, what: &'static str) -> impl FnOnce(&mut Parts) + Send + use<> {
        let recorder = self.clone();
        move |_| recorder.saw(&format!("{what} head"))
    }

    /// Returns an `on_end` callback that reports the [`End`] that it received.
    pub(crate) fn end_of(&self, what: &'static str) -> impl FnOnce(End) + Send + use<> {
        let recorder = self.clone();
        move |end| recorder.saw(&format!("{what} {end:?}"))
    }
}

impl Drop for DropRecorder {
    fn drop(&mut self) {
        self.recorder.saw(self.what);
    }
}

impl Reports {
    /// Waits for the next report.
    pub(crate) async fn next(&mut self) -> String {
        in_time(self.0.recv()).await.expect("a recorder is alive")
    }

    /// Waits for reports up to and including the first that starts with `last`.
    pub(crate) async fn until(&mut self, last: &str) -> Vec<String> {
        let mut reports = Vec::new();
        while !reports.last().is_some_and(|report: &String| report.starts_with(last)) {
            reports.push(self.next().await);
        }
        reports
    }

    /// Returns the unread reports without waiting.
    pub(crate) fn so_far(&mut self) -> Vec<String> {
        iter::from_fn(|| self.0.try_recv().ok()).collect()
    }

    /// Returns the remaining reports, once all recorders are dropped.
    pub(crate) async fn rest(mut self) -> Vec<String> {
        let mut reports = Vec::new();
        while let Some(report) = in_time(self.0.recv()).await {
            reports.push(report);
        }
        reports
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
