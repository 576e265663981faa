//! How and when a row of steps is cut off.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use http::Response;
use http_body::Body;
use tower_request_context::RequestContext;

use crate::support::User;

#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    Dropped,
    /// Dropped by a panic that is not its own.
    Unwound,
    /// The next step returns an error.
    Fails,
    /// The next step panics; what is left is dropped after somebody has caught that.
    Panics,
    /// The next step panics, and what is left is dropped while that unwinds.
    PanicsThrough,
}

/// After so many steps, in that manner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) steps: usize,
    pub(super) fate: Fate,
    of: usize,
}

/// Every way to cut off so many steps. After the last one none can fail any more.
pub(super) fn cuts(of: usize) -> impl Iterator<Item = Cut> {
    use Fate::{Dropped, Fails, Panics, PanicsThrough, Unwound};

    [Dropped, Unwound, Fails, Panics, PanicsThrough].into_iter().flat_map(move |fate| {
        let last = if matches!(fate, Dropped | Unwound) { of } else { of - 1 };
        (0..=last).map(move |steps| Cut { steps, fate, of })
    })
}

impl Cut {
    /// Takes the steps, up to this cut.
    pub(super) fn off(self, make: impl FnOnce() -> Steps) {
        let around = RequestContext::get::<User>();
        let mut steps = make();
        let left = match self.fate {
            Fate::Dropped | Fate::Fails => {
                self.take(&mut steps);
                Ok(())
            }
            Fate::Unwound => catch_unwind(AssertUnwindSafe(move || {
                self.take(&mut steps);
                unwind();
            })),
            Fate::Panics => catch_unwind(AssertUnwindSafe(|| self.take(&mut steps))),
            Fate::PanicsThrough => catch_unwind(AssertUnwindSafe(move || self.take(&mut steps))),
        };
        assert_eq!(left.is_err(), !matches!(self.fate, Fate::Dropped | Fate::Fails), "{self:?}");
        assert_eq!(RequestContext::get::<User>(), around, "after {self:?}");
    }

    fn take(self, steps: &mut Steps) {
        let around = RequestContext::get::<User>();
        for step in 1..=self.steps {
            assert_eq!((steps.0)(), step == self.of, "whether step {step} is the last of {self:?}");
            assert_eq!(RequestContext::get::<User>(), around, "after step {step} of {self:?}");
        }
        if !matches!(self.fate, Fate::Dropped | Fate::Unwound) {
            assert!((steps.0)(), "{self:?}: it goes on after an error");
        }
    }
}

/// Takes one step and says whether it was the last. Owns what is to be cut off.
pub(super) struct Steps(Box<dyn FnMut() -> bool>);

impl Steps {
    pub(super) fn of_future<F: Future + 'static>(future: F) -> Self {
        let mut future = Box::pin(future);
        Self(Box::new(move || future.as_mut().poll(&mut no_context()).is_ready()))
    }

    pub(super) fn of_body<B: Body + 'static>(body: B) -> Self {
        let mut body = Box::pin(body);
        Self(Box::new(move || is_over(body.as_mut())))
    }

    pub(super) fn of_request<F, B, E>(future: F) -> Self
    where
        F: Future<Output = Result<Response<B>, E>> + 'static,
        B: Body + 'static,
    {
        let mut future = Box::pin(future);
        let mut body = None;
        Self(Box::new(move || match &mut body {
            Some(body) => is_over(Pin::as_mut(body)),
            None => match future.as_mut().poll(&mut no_context()) {
                Poll::Pending => false,
                Poll::Ready(Err(_)) => true,
                Poll::Ready(Ok(response)) => {
                    body = Some(Box::pin(response.into_body()));
                    false
                }
            },
        }))
    }
}

fn is_over<B: Body>(body: Pin<&mut B>) -> bool {
    matches!(body.poll_frame(&mut no_context()), Poll::Ready(None | Some(Err(_))))
}

fn no_context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// A panic without its lines on stderr, which would bury what a failed test has to say.
pub(super) fn unwind() -> ! {
    resume_unwind(Box::new("scripted"))
}
