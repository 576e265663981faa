//! A setup for the tests of promises, which records what becomes of its values and callbacks.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use http::{request, response::Parts};
use tower_request_context::{End, RequestContextLayer, Store};

use super::{
    ANONYMOUS, enter_guards,
    log::{EventKind, Log},
};
use crate::support::User;

/// The number of callbacks of each kind.
pub(super) const CALLBACKS: usize = 2;

/// What a setup needs: the crate's `Store`, or the stand-in of a faulty layer.
pub(super) trait SetupTarget {
    fn insert_value<T: Send + Sync + 'static>(&mut self, value: T);

    fn on_response(&mut self, f: impl Fn(&mut Parts) + Send + Sync + 'static);

    fn on_end(&mut self, f: impl Fn(End) + Send + Sync + 'static);
}

/// Inserts a value and registers callbacks, which record events in the log.
#[derive(Clone)]
pub(super) struct RecordingSetup {
    log: Arc<Log>,
    /// The user of the next request.
    user: Arc<AtomicU32>,
    /// Held by the value and by each callback, so that leaks can be counted.
    alive: Arc<()>,
}

/// A value that records its drop.
pub(super) struct ReportedValue(LogHandle);

/// The crate's layer, with this setup.
pub(super) fn recording_layer(
    setup: RecordingSetup,
) -> RequestContextLayer<impl Fn(&mut Store, &mut request::Parts) + Clone> {
    RequestContextLayer::new(move |store, _| {
        setup.register_guards(store);
        setup.apply(store);
    })
}

impl RecordingSetup {
    pub(super) fn new(log: &Arc<Log>) -> Self {
        Self { log: Arc::clone(log), user: Arc::default(), alive: Arc::default() }
    }

    /// Sets the user of the next request.
    pub(super) fn set_user(&self, user: User) {
        self.user.store(user.0, Ordering::Relaxed);
    }

    /// Counts the values and callbacks that are alive, plus the clones of this setup.
    pub(super) fn handle_count(&self) -> usize {
        Arc::strong_count(&self.alive)
    }

    /// Registers the `on_enter` guards of the user.
    pub(super) fn register_guards(&self, store: &mut Store) {
        enter_guards::register(store, self.user());
    }

    fn user(&self) -> User {
        User(self.user.load(Ordering::Relaxed))
    }

    /// Inserts the user, if there is one, and the recorded value, and registers the callbacks.
    pub(super) fn apply(&self, target: &mut impl SetupTarget) {
        self.log.record(EventKind::Setup);
        match self.user() {
            ANONYMOUS => {}
            user => target.insert_value(user),
        }
        target.insert_value(ReportedValue(self.log_handle()));
        for n in 0..CALLBACKS {
            let (on_response, on_end) = (self.log_handle(), self.log_handle());
            target.on_response(move |_| on_response.record(EventKind::OnResponse(n)));
            target.on_end(move |end| on_end.record(EventKind::End(n, end)));
        }
    }

    fn log_handle(&self) -> LogHandle {
        LogHandle { log: Arc::clone(&self.log), _alive: Arc::clone(&self.alive) }
    }
}

impl Drop for ReportedValue {
    fn drop(&mut self) {
        self.0.record(EventKind::ValueDropped);
    }
}

impl SetupTarget for Store {
    fn insert_value<T: Send + Sync + 'static>(&mut self, value: T) {
        self.insert(value);
    }

    fn on_response(&mut self, f: impl Fn(&mut Parts) + Send + Sync + 'static) {
        Self::on_response(self, f);
    }

    fn on_end(&mut self, f: impl Fn(End) + Send + Sync + 'static) {
        Self::on_end(self, f);
    }
}

/// A handle to the log that is counted until it is dropped.
struct LogHandle {
    log: Arc<Log>,
    _alive: Arc<()>,
}

impl LogHandle {
    // Called by closures so that they capture the whole handle, not only its `log` field.
    fn record(&self, kind: EventKind) {
        self.log.record(kind);
    }
}
