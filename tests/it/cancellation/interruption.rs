//! Takes the steps of a request up to an interruption, and interrupts it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use http::Response;
use http_body::Body;
use tower_request_context::RequestContext;

use crate::support::User;

/// How a request is interrupted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Manner {
    Dropped,
    /// Dropped while an unrelated panic unwinds.
    Unwound,
    /// The next step returns an error.
    Fails,
    /// The next step panics. The rest is dropped after the panic has been caught.
    Panics,
    /// The next step panics. The rest is dropped while the panic unwinds.
    PanicsThrough,
}

/// An interruption after `steps` of `of` steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interruption {
    pub(super) steps: usize,
    pub(super) manner: Manner,
    of: usize,
}

/// Returns each interruption of this many steps. After the last step, no next one can fail or panic.
pub(super) fn interruptions(of: usize) -> impl Iterator<Item = Interruption> {
    use Manner::{Dropped, Fails, Panics, PanicsThrough, Unwound};

    [Dropped, Unwound, Fails, Panics, PanicsThrough].into_iter().flat_map(move |manner| {
        let last = if matches!(manner, Dropped | Unwound) { of } else { of - 1 };
        (0..=last).map(move |steps| Interruption { steps, manner, of })
    })
}

impl Interruption {
    /// Takes the steps up to this interruption, and then interrupts them.
    pub(super) fn apply(self, make: impl FnOnce() -> Steps) {
        let outer = RequestContext::get::<User>();
        let mut steps = make();
        let left = match self.manner {
            Manner::Dropped | Manner::Fails => {
                self.take(&mut steps);
                Ok(())
            }
            Manner::Unwound => catch_unwind(AssertUnwindSafe(move || {
                self.take(&mut steps);
                unwind();
            })),
            Manner::Panics => catch_unwind(AssertUnwindSafe(|| self.take(&mut steps))),
            Manner::PanicsThrough => catch_unwind(AssertUnwindSafe(move || self.take(&mut steps))),
        };
        assert_eq!(left.is_err(), !matches!(self.manner, Manner::Dropped | Manner::Fails), "{self:?}");
        assert_eq!(RequestContext::get::<User>(), outer, "after {self:?}");
    }

    fn take(self, steps: &mut Steps) {
        let outer = RequestContext::get::<User>();
        for step in 1..=self.steps {
            assert_eq!((steps.0)(), step == self.of, "whether step {step} is the last of {self:?}");
            assert_eq!(RequestContext::get::<User>(), outer, "after step {step} of {self:?}");
        }
        if !matches!(self.manner, Manner::Dropped | Manner::Unwound) {
            assert!((steps.0)(), "{self:?}: more steps after an error");
        }
    }
}

/// Owns the future or body. Each call takes one step, and returns whether it was the last.
pub(super) struct Steps(Box<dyn FnMut() -> bool>);

impl Steps {
    pub(super) fn of_future<F: Future + 'static>(future: F) -> Self {
        let mut future = Box::pin(future);
        Self(Box::new(move || future.as_mut().poll(&mut noop_context()).is_ready()))
    }

    pub(super) fn of_body<B: Body + 'static>(body: B) -> Self {
        let mut body = Box::pin(body);
        Self(Box::new(move || poll_body(body.as_mut())))
    }

    pub(super) fn of_request<F, B, E>(future: F) -> Self
    where
        F: Future<Output = Result<Response<B>, E>> + 'static,
        B: Body + 'static,
    {
        let mut future = Box::pin(future);
        let mut body = None;
        Self(Box::new(move || match &mut body {
            Some(body) => poll_body(Pin::as_mut(body)),
            None => match future.as_mut().poll(&mut noop_context()) {
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

/// Polls a body and returns whether it has ended or failed.
fn poll_body<B: Body>(body: Pin<&mut B>) -> bool {
    matches!(body.poll_frame(&mut noop_context()), Poll::Ready(None | Some(Err(_))))
}

fn noop_context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// Panics without calling the panic hook, whose messages would hide that of a failed test.
pub(super) fn unwind() -> ! {
    resume_unwind(Box::new("scripted"))
}
