//! What is to be called when the response is ready and when the request is over.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Mutex, MutexGuard, PoisonError},
};

use http::{Response, response::Parts};

use super::End;
use crate::{CallbackError, unwind::drop_each};

type OnResponse = Box<dyn FnOnce(&mut Parts) + Send>;
type OnEnd = Box<dyn FnOnce(End) + Send>;

/// The callbacks of one store. They stand apart from its values, whose readers never come by here.
#[derive(Default)]
pub(crate) struct Callbacks(Mutex<State>);

#[derive(Default)]
struct State {
    phase: Phase,
    /// Made by the first callback.
    waiting: Option<Box<Waiting>>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    ResponseSent,
    Ended,
}

#[derive(Default)]
struct Waiting {
    on_response: Vec<OnResponse>,
    on_end: Vec<OnEnd>,
}

impl Callbacks {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(State { phase: Phase::Open, waiting: None }))
    }

    pub(crate) fn on_response(&self, f: OnResponse) -> Result<(), CallbackError> {
        // A refused closure is a parameter, and those are dropped after the guard.
        let mut state = self.lock();
        match state.phase {
            Phase::Open => state.waiting.get_or_insert_default().on_response.push(f),
            Phase::ResponseSent => return Err(CallbackError::ResponseSent),
            Phase::Ended => return Err(CallbackError::Ended),
        }
        Ok(())
    }

    pub(crate) fn on_end(&self, f: OnEnd) -> Result<(), CallbackError> {
        let mut state = self.lock();
        match state.phase {
            Phase::Open | Phase::ResponseSent => state.waiting.get_or_insert_default().on_end.push(f),
            Phase::Ended => return Err(CallbackError::Ended),
        }
        Ok(())
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.lock().phase == Phase::Ended
    }

    /// Shows the head of the response to those who wait for it. All are called; then the first panic goes on.
    pub(crate) fn respond<B>(&self, response: Response<B>) -> Response<B> {
        let callbacks = self.close_head();
        if callbacks.is_empty() {
            return response;
        }
        let (mut head, body) = response.into_parts();
        let mut panic = None;
        for f in callbacks {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| f(&mut head))) {
                match panic {
                    None => panic = Some(payload),
                    // The panic hook has told of it, and to drop a payload may panic.
                    Some(_) => mem::forget(payload),
                }
            }
        }
        match panic {
            Some(payload) => resume_unwind(payload),
            None => Response::from_parts(head, body),
        }
    }

    /// Tells those who wait for the end, and drops those who waited for a response that did not come.
    ///
    /// Never unwinds: it is called in destructors.
    pub(crate) fn end(&self, how: End) {
        let waiting = {
            let mut state = self.lock();
            state.phase = Phase::Ended;
            state.waiting.take()
        };
        if let Some(waiting) = waiting {
            drop_each(waiting.on_end.into_iter().map(|f| f(how)));
            drop_each(waiting.on_response.into_iter());
        }
    }

    /// Drops all that is left, uncalled.
    pub(crate) fn forget(&mut self) {
        if let Some(waiting) = self.waiting().take() {
            drop_each(waiting.on_response.into_iter());
            drop_each(waiting.on_end.into_iter());
        }
    }

    pub(crate) fn are_waiting(&mut self) -> bool {
        self.waiting().is_some()
    }

    fn waiting(&mut self) -> &mut Option<Box<Waiting>> {
        &mut self.0.get_mut().unwrap_or_else(PoisonError::into_inner).waiting
    }

    fn close_head(&self) -> Vec<OnResponse> {
        let mut state = self.lock();
        state.phase = Phase::ResponseSent;
        state.waiting.as_mut().map_or_else(Vec::new, |waiting| mem::take(&mut waiting.on_response))
    }

    // No closure is called or dropped under this lock, so a poisoned one guards a state that is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
