//! Whose requests test a layer's promises: what is done in the setup, and what is seen of it afterwards.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use http::{request, response::Parts};
use tower_request_context::{End, RequestContextLayer, Store};

use super::{
    NAMELESS, entered,
    log::{Log, What},
};
use crate::support::User;

/// How many callbacks there are of each kind.
pub(super) const CALLBACKS: usize = 2;

/// What a setup can do.
pub(super) trait Opened {
    fn hold<T: Send + Sync + 'static>(&mut self, value: T);

    fn on_response(&mut self, f: impl Fn(&mut Parts) + Send + Sync + 'static);

    fn on_end(&mut self, f: impl Fn(End) + Send + Sync + 'static);
}

/// Whose requests come: what its setup does, and what is seen of it.
#[derive(Clone)]
pub(super) struct Guest {
    log: Arc<Log>,
    /// Of the one who is there now.
    user: Arc<AtomicU32>,
    /// Held by all that is to be gone with the request.
    alive: Arc<()>,
}

/// A value that tells of its drop.
pub(super) struct Held(Trace);

/// The crate's layer, with the setup of that guest.
pub(super) fn promised(guest: Guest) -> RequestContextLayer<impl Fn(&mut Store, &mut request::Parts) + Clone> {
    RequestContextLayer::new(move |store, _| {
        guest.registers(store);
        guest.sets_up(store);
    })
}

impl Guest {
    pub(super) fn new(log: &Arc<Log>) -> Self {
        Self { log: Arc::clone(log), user: Arc::default(), alive: Arc::default() }
    }

    /// The next request is this user's.
    pub(super) fn set_user(&self, user: User) {
        self.user.store(user.0, Ordering::Relaxed);
    }

    /// How much there is that holds on to a request, and the guests themselves.
    pub(super) fn count(&self) -> usize {
        Arc::strong_count(&self.alive)
    }

    /// Registers the guards of the present user.
    pub(super) fn registers(&self, store: &mut Store) {
        entered::register(store, self.user());
    }

    fn user(&self) -> User {
        User(self.user.load(Ordering::Relaxed))
    }

    pub(super) fn sets_up(&self, opened: &mut impl Opened) {
        self.log.tell(What::SetUp);
        match self.user() {
            NAMELESS => {}
            user => opened.hold(user),
        }
        opened.hold(Held(self.trace()));
        for n in 0..CALLBACKS {
            let (shown, told) = (self.trace(), self.trace());
            opened.on_response(move |_| shown.tell(What::Head(n)));
            opened.on_end(move |end| told.tell(What::End(n, end)));
        }
    }

    fn trace(&self) -> Trace {
        Trace { log: Arc::clone(&self.log), _alive: Arc::clone(&self.alive) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.tell(What::Value);
    }
}

impl Opened for Store {
    fn hold<T: Send + Sync + 'static>(&mut self, value: T) {
        self.insert(value);
    }

    fn on_response(&mut self, f: impl Fn(&mut Parts) + Send + Sync + 'static) {
        Self::on_response(self, f);
    }

    fn on_end(&mut self, f: impl Fn(End) + Send + Sync + 'static) {
        Self::on_end(self, f);
    }
}

/// Counts as long as its owner lives.
struct Trace {
    log: Arc<Log>,
    _alive: Arc<()>,
}

impl Trace {
    // A closure that calls a method captures all of it, and not only the log.
    fn tell(&self, what: What) {
        self.log.tell(what);
    }
}
