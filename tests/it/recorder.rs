//! Who was current where no response can tell: in a frame, in a callback, in a drop.

use std::iter;

use http::response::Parts;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tower_request_context::End;

use crate::support::{User, in_time};

/// Reports what happens, and as which user.
#[derive(Clone)]
pub(crate) struct Recorder(UnboundedSender<String>);

/// What a [`Recorder`] and its clones reported, in order.
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
        // A test that has seen enough no longer listens.
        let _ = self.0.send(format!("{what}: {}", User::name()));
    }

    pub(crate) fn drop_of(&self, what: &'static str) -> DropRecorder {
        DropRecorder { what, recorder: self.clone() }
    }

    /// A callback that reports that it saw the head of the response.
    pub(crate) fn head_of(&self, what: &'static str) -> impl FnOnce(&mut Parts) + Send + use<> {
        let recorder = self.clone();
        move |_| recorder.saw(&format!("{what} head"))
    }

    /// A callback that reports which end it was told.
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
    /// The next report, which may still have to happen.
    pub(crate) async fn next(&mut self) -> String {
        in_time(self.0.recv()).await.expect("every recorder is gone")
    }

    /// The reports up to and with the one that begins so.
    pub(crate) async fn until(&mut self, last: &str) -> Vec<String> {
        let mut reports = Vec::new();
        while !reports.last().is_some_and(|report: &String| report.starts_with(last)) {
            reports.push(self.next().await);
        }
        reports
    }

    /// What has been reported and not been read yet.
    pub(crate) fn so_far(&mut self) -> Vec<String> {
        iter::from_fn(|| self.0.try_recv().ok()).collect()
    }

    /// All that is still reported, until every recorder is gone.
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
