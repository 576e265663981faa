//! A service, its future and its body, which do what a script says.

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

/// What happens: all at once, but in one place in a manner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script {
    pub(super) place: Place,
    pub(super) manner: Manner,
    /// Whether the destructor itself panics, where the place is one.
    pub(super) panics_in_drop: bool,
    /// Whether a closure of `on_enter` panics when the context is entered in the place.
    pub(super) panics_in_enter: bool,
}

/// What a probe fails with.
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

    fn dropped_in(&self, place: Place) {
        let _visit = self.log.visit(place);
        // A second panic while one unwinds would abort.
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
        self.probe.dropped_in(Place::DropOfFuture);
    }
}

impl Drop for ProbeBody {
    fn drop(&mut self) {
        self.probe.dropped_in(Place::DropOfBody);
    }
}

impl Script {
    /// In which manner a place is come by. What is dropped in a manner was polled in it before.
    pub(super) fn manner_in(self, place: Place) -> Manner {
        let polled = match self.place {
            Place::Call if self.manner == Manner::NeverPolled => Place::Poll,
            Place::DropOfFuture => Place::Poll,
            Place::DropOfBody => Place::Frame,
            place => place,
        };
        if place == polled { self.manner } else { Manner::Ready }
    }

    /// Whether the place is never reached, because entering the context panics. A drop contains that panic.
    pub(super) fn is_not_entered(self) -> bool {
        self.panics_in_enter && !matches!(self.place, Place::DropOfFuture | Place::DropOfBody)
    }

    fn polls_in(self, place: Place) -> Polls {
        Polls { manner: self.manner_in(place), done: 0 }
    }
}

impl Manner {
    /// How many polls it takes, or is given before it is cancelled.
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

/// A panic, but for its line on stderr: hundreds of them would bury what a failed test has to say.
pub(super) fn unwind() -> ! {
    resume_unwind(Box::new(ScriptedPanic))
}
