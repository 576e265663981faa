//! What is to be called when the response is ready and when the request is over.

use std::{
    iter,
    mem::{self, ManuallyDrop},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Mutex, MutexGuard, PoisonError},
};

use http::response::Parts;

use super::{End, Phase, Stage};
use crate::{CallbackError, unwind::drop_each};

/// The callbacks of one store. They stand apart from its values, whose readers never come by here.
///
/// Each is one allocation, which also leads to the one that was registered before it: most requests have one or two, if
/// any. Those that are left are [forgotten](Self::forget) by the drop of their store and by nothing else.
#[derive(Default)]
pub(crate) struct Callbacks(Mutex<ManuallyDrop<Option<Link>>>);

enum Link {
    OnResponse(Box<dyn for<'a> Callback<&'a mut Parts>>),
    OnEnd(Box<dyn Callback<End>>),
}

trait Callback<A>: Send {
    fn call(self: Box<Self>, argument: A);

    /// The callback that was registered before this one.
    fn before(&mut self) -> &mut Option<Link>;
}

struct Node<F> {
    f: F,
    before: Option<Link>,
}

impl<A, F: FnOnce(A) + Send> Callback<A> for Node<F> {
    fn call(self: Box<Self>, argument: A) {
        (self.f)(argument);
    }

    fn before(&mut self) -> &mut Option<Link> {
        &mut self.before
    }
}

impl Callbacks {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(ManuallyDrop::new(None)))
    }

    pub(crate) fn on_response<F>(&self, phase: &Phase, f: F) -> Result<(), CallbackError>
    where
        F: FnOnce(&mut Parts) + Send + 'static,
    {
        self.register(phase, Stage::Open, Link::OnResponse(Box::new(Node { f, before: None })))
    }

    pub(crate) fn on_end<F>(&self, phase: &Phase, f: F) -> Result<(), CallbackError>
    where
        F: FnOnce(End) + Send + 'static,
    {
        self.register(phase, Stage::ResponseSent, Link::OnEnd(Box::new(Node { f, before: None })))
    }

    /// Accepts a callback up to the stage `last`.
    fn register(&self, phase: &Phase, last: Stage, link: Link) -> Result<(), CallbackError> {
        // A refused callback is a parameter, and those are dropped after the guard.
        let mut latest = self.lock();
        match phase.announce(last) {
            stage if stage <= last => push(&mut latest, link),
            Stage::Open | Stage::ResponseSent => return Err(CallbackError::ResponseSent),
            Stage::Ended => return Err(CallbackError::Ended),
        }
        Ok(())
    }

    /// Shows the head of the response to those who wait for it. All are called; then the first panic goes on.
    pub(crate) fn respond(&self, head: &mut Parts) {
        let mut waiting = {
            let mut latest = self.lock();
            let (waiting, others) = part(&mut latest, |link| matches!(link, Link::OnResponse(_)));
            **latest = reversed(others);
            waiting
        };
        let mut panic = None;
        for link in iter::from_fn(|| pop(&mut waiting)) {
            let Link::OnResponse(callback) = link else { continue };
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| callback.call(head))) {
                match panic {
                    None => panic = Some(payload),
                    // The panic hook has told of it, and to drop a payload may panic.
                    Some(_) => mem::forget(payload),
                }
            }
        }
        if let Some(payload) = panic {
            resume_unwind(payload);
        }
    }

    /// Tells those who wait for the end, and drops those who waited for a response that did not come.
    ///
    /// Never unwinds: it is called in destructors.
    pub(crate) fn end(&self, how: End) {
        let (mut waiting, mut others) = part(&mut self.lock(), |link| matches!(link, Link::OnEnd(_)));
        drop_each(iter::from_fn(|| pop(&mut waiting)).map(|link| match link {
            Link::OnEnd(callback) => callback.call(how),
            Link::OnResponse(_) => {}
        }));
        drop_each(iter::from_fn(|| pop(&mut others)));
    }

    /// Drops all that is left, uncalled.
    pub(crate) fn forget(&mut self) {
        let mut waiting = reversed(self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take());
        drop_each(iter::from_fn(|| pop(&mut waiting)));
    }

    // No closure is called or dropped under this lock, so a poisoned one guards a list that is whole.
    fn lock(&self) -> MutexGuard<'_, ManuallyDrop<Option<Link>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    fn before(&mut self) -> &mut Option<Self> {
        match self {
            Self::OnResponse(callback) => callback.before(),
            Self::OnEnd(callback) => callback.before(),
        }
    }
}

/// Takes all, in the order of their registration: those that are wanted, and the others.
fn part(latest: &mut Option<Link>, is_wanted: fn(&Link) -> bool) -> (Option<Link>, Option<Link>) {
    let (mut wanted, mut others) = (None, None);
    for link in iter::from_fn(|| pop(latest)) {
        push(if is_wanted(&link) { &mut wanted } else { &mut others }, link);
    }
    (wanted, others)
}

fn reversed(mut links: Option<Link>) -> Option<Link> {
    part(&mut links, |_| true).0
}

/// Takes the one that was pushed last.
#[inline]
fn pop(latest: &mut Option<Link>) -> Option<Link> {
    let mut link = latest.take()?;
    *latest = link.before().take();
    Some(link)
}

#[inline]
fn push(latest: &mut Option<Link>, mut link: Link) {
    *link.before() = latest.take();
    *latest = Some(link);
}
