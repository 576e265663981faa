//! Captures `tracing` events of the test's thread.

use std::{
    fmt,
    sync::mpsc::{Receiver, Sender, channel},
};

use tracing::{
    Dispatch, Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::{DefaultGuard, NoSubscriber, set_default},
};

/// Makes a subscriber the default of this thread until it is dropped. A global default would also capture the events of
/// tests that run concurrently. The code under test must therefore run on the thread of the test, as it does with the
/// default flavor of `tokio::test`.
pub(crate) struct Subscribed {
    _default: DefaultGuard,
    _second: Dispatch,
}

impl Subscribed {
    pub(crate) fn new(subscriber: impl Subscriber + Send + Sync) -> Self {
        let default = set_default(subscriber);
        // With only one subscriber in the process, `tracing` caches the interest of the first thread that reaches a
        // callsite. If that thread has no subscriber, the callsite is disabled for all threads.
        let second = Dispatch::new(NoSubscriber::new());
        Self { _default: default, _second: second }
    }
}

/// The events that this crate logs, at all levels.
pub(crate) struct Log {
    lines: Receiver<Line>,
    _subscribed: Subscribed,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) level: Level,
    pub(crate) target: String,
    /// All fields, in the order of recording.
    pub(crate) fields: Vec<(&'static str, String)>,
}

impl Log {
    pub(crate) fn capture() -> Self {
        let (sender, lines) = channel();
        Self { lines, _subscribed: Subscribed::new(Capture(sender)) }
    }

    /// Takes the lines since the last call.
    pub(crate) fn so_far(&self) -> Vec<Line> {
        self.lines.try_iter().collect()
    }
}

struct Capture(Sender<Line>);

impl Subscriber for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        [metadata.target(), metadata.module_path().unwrap_or_default()]
            .into_iter()
            .any(|name| name.starts_with("tower_request_context"))
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(Vec::new());
        event.record(&mut fields);
        let metadata = event.metadata();
        let line = Line { level: *metadata.level(), target: metadata.target().to_owned(), fields: fields.0 };
        self.0.send(line).unwrap();
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Fields(Vec<(&'static str, String)>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push((field.name(), format!("{value:?}")));
    }
}
