//! A service, its future and its body, which follow a script.

use std::{
    panic::resume_unwind,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    thread,
};

use http::{HeaderMap, Request, Response};
use http_body::Frame;
use hyper::body::{Body, Bytes};
use tower::Service;

use super::{
    MANY, Manner, Place,
    log::{Log, ScriptedPanic},
};

/// What a request does: `manner` in one place, and immediate success everywhere else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script {
    pub(super) place: Place,
    pub(super) manner: Manner,
    /// Whether the destructor itself panics, if the place is a drop.
    pub(super) panics_in_drop: bool,
    /// Whether an `on_enter` closure panics when the context is entered in the place.
    pub(super) panics_in_enter: bool,
}

/// The error of a probe.
#[derive(Debug)]
pub(super) struct Failure;

#[derive(Clone)]
pub(super) struct Probe {
    script: Script,
    log: Arc<Log>,
}

pub(super) struct ProbeFuture {
    probe: Probe,
    polls: Polls,
}

pub(super) struct ProbeBody {
    probe: Probe,
    place: Place,
    polls: Polls,
}

impl Probe {
    pub(super) fn new(script: Script, log: &Arc<Log>) -> Self {
        Self { script, log: Arc::clone(log) }
    }

    pub(super) fn body(&self) -> ProbeBody {
        ProbeBody { probe: self.clone(), place: Place::Frame, polls: self.script.polls_in(Place::Frame) }
    }

    fn on_drop(&self, place: Place) {
        let _visit = self.log.visit(place);
        // A panic during unwinding would abort.
        if self.script.place == place && self.script.panics_in_drop && !thread::panicking() {
            unwind();
        }
    }
}

impl Service<Request<()>> for Probe {
    type Response = Response<ProbeBody>;
    type Error = Failure;
    type Future = ProbeFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> ProbeFuture {
        let _visit = self.log.visit(Place::Call);
        if self.script.manner_in(Place::Call) == Manner::Panic {
            unwind();
        }
        ProbeFuture { probe: self.clone(), polls: self.script.polls_in(Place::Poll) }
    }
}

impl Future for ProbeFuture {
    type Output = Result<Response<ProbeBody>, Failure>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let _visit = self.probe.log.visit(Place::Poll);
        ready!(self.polls.next())?;
        Poll::Ready(Ok(Response::new(self.probe.body())))
    }
}

impl Body for ProbeBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let _visit = self.probe.log.visit(self.place);
        if let Err(failure) = ready!(self.polls.next()) {
            return Poll::Ready(Some(Err(failure)));
        }
        if self.place == Place::Trailers {
            return Poll::Ready(Some(Ok(Frame::trailers(HeaderMap::new()))));
        }
        self.place = Place::Trailers;
        self.polls = self.probe.script.polls_in(Place::Trailers);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"data")))))
    }
}

impl Drop for ProbeFuture {
    fn drop(&mut self) {
        self.probe.on_drop(Place::DropOfFuture);
    }
}

impl Drop for ProbeBody {
    fn drop(&mut self) {
        self.probe.on_drop(Place::DropOfBody);
    }
}

impl Script {
    /// Returns what happens in a place. For a drop place, the manner applies to the polls before the drop.
    pub(super) fn manner_in(self, place: Place) -> Manner {
        let polled = match self.place {
            Place::Call if self.manner == Manner::NeverPolled => Place::Poll,
            Place::DropOfFuture => Place::Poll,
            Place::DropOfBody => Place::Frame,
            place => place,
        };
        if place == polled { self.manner } else { Manner::Ready }
    }

    /// Returns whether the place is never reached, because entering the context panics. In a drop, that panic is
    /// caught.
    pub(super) fn is_not_entered(self) -> bool {
        self.panics_in_enter && !matches!(self.place, Place::DropOfFuture | Place::DropOfBody)
    }

    fn polls_in(self, place: Place) -> Polls {
        Polls { manner: self.manner_in(place), done: 0 }
    }
}

impl Manner {
    /// Returns the number of polls until it is ready or is cancelled.
    pub(super) fn polls(self) -> usize {
        match self {
            Self::NeverPolled => 0,
            Self::Ready | Self::Fails | Self::Panic | Self::Cancelled => 1,
            Self::PendingOnce => 2,
            Self::PendingMany => 1 + MANY,
        }
    }
}

struct Polls {
    manner: Manner,
    done: usize,
}

impl Polls {
    fn next(&mut self) -> Poll<Result<(), Failure>> {
        self.done += 1;
        match self.manner {
            Manner::Fails => Poll::Ready(Err(Failure)),
            Manner::Panic => unwind(),
            Manner::Cancelled => Poll::Pending,
            manner if self.done < manner.polls() => Poll::Pending,
            _ => Poll::Ready(Ok(())),
        }
    }
}

/// Panics without calling the panic hook. Hundreds of its messages would hide that of a failed test.
pub(super) fn unwind() -> ! {
    resume_unwind(Box::new(ScriptedPanic))
}
