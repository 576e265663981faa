//! A layer made by hand, on what the crate gives to everyone: whole, but for the one fault that it is made with.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
    thread,
};

use http::{Request, Response, response::Parts};
use http_body::Frame;
use hyper::body::{Body, Bytes};
use tower::Service;
use tower_request_context::{End, RequestContext, Store};

use super::super::{
    entered::EnterPanics,
    guest::{Guest, Held, Opened},
    probe::{Failure, Probe, ProbeBody, ProbeFuture},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    SetsUpTwice,
    SharesOneStore,
    UsesTheOuterStore,
    Inherits,
    KeepsAHandle,
    HoldsItself,
    ForgetsItsCallbacks,
    DropsValuesBeforeTheBody,
    DropsValuesBeforeTheEnd,
    NeverShowsTheHead,
    ShowsTheHeadTwice,
    ShowsTheHeadAfterTheBody,
    ShowsAHeadThatNeverCame,
    ShowsTheHeadBackwards,
    ShowsTheHeadOutside,
    NeverEnds,
    EndsTwice,
    LosesTheEndOfADroppedFuture,
    LosesTheEndOfADroppedBody,
    LosesTheEndOfAPanic,
    LosesTheEndOfAPanicInTheCall,
    EndsWithTheHead,
    EndsBeforeTheDrop,
    EndsBackwards,
    EndsOutside,
    CompletesTheCancelled,
    CompletesTheFailed,
    CancelsThePanicked,
    CancelsTheDelivered,
    MissesAPanicInADrop,
    AsksWhetherTheThreadPanics,
}

type Shown = Box<dyn Fn(&mut Parts) + Send + Sync>;
type Told = Box<dyn Fn(End) + Send + Sync>;

/// The service of such a layer.
pub(super) struct Flawed {
    fault: Fault,
    guest: Guest,
    inner: Probe,
    kept: Vec<RequestContext>,
}

impl Flawed {
    pub(super) fn new(fault: Fault, guest: Guest, inner: Probe) -> Self {
        Self { fault, guest, inner, kept: vec![] }
    }

    fn open(&mut self) -> Duty {
        let mut store = Store::new();
        self.guest.registers(&mut store);
        let context = match self.fault {
            Fault::SharesOneStore => self.kept.first().cloned().unwrap_or_else(|| RequestContext::new(store)),
            Fault::UsesTheOuterStore => RequestContext::current().unwrap_or_else(|| RequestContext::new(store)),
            Fault::Inherits => RequestContext::inherit(store),
            _ => RequestContext::new(store),
        };
        if matches!(self.fault, Fault::SharesOneStore | Fault::KeepsAHandle) {
            self.kept.push(context.clone());
        }
        if self.fault == Fault::HoldsItself {
            context.set(context.clone());
        }
        let mut duty = Duty { fault: self.fault, context, shown: vec![], told: vec![], how: End::Cancelled };
        self.guest.sets_up(&mut duty);
        duty
    }
}

impl Service<Request<()>> for Flawed {
    type Response = Response<Carried<ProbeBody>>;
    type Error = Failure;
    type Future = Carried<ProbeFuture>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        if self.fault == Fault::SetsUpTwice {
            self.open().told.clear();
        }
        let mut duty = self.open();
        let told = match self.fault {
            Fault::LosesTheEndOfAPanicInTheCall => mem::take(&mut duty.told),
            _ => vec![],
        };
        let future = duty.run(|| self.inner.call(request));
        duty.told.extend(told);
        Carried { inner: Some(Box::pin(future)), duty: Some(duty), is_body: false }
    }
}

/// To tell the end, once: by its drop. It keeps the context until then.
struct Duty {
    fault: Fault,
    shown: Vec<Shown>,
    told: Vec<Told>,
    /// What it means if nothing more comes.
    how: End,
    context: RequestContext,
}

impl Duty {
    /// Does what may unwind, in the context. If it does, that is what the end will be.
    fn run<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let how = mem::replace(&mut self.how, End::Panicked);
        let result = self.context.sync_scope(f);
        self.how = how;
        result
    }

    fn show(&mut self, head: &mut Parts) {
        let mut shown = mem::take(&mut self.shown);
        let times = if self.fault == Fault::ShowsTheHeadTwice { 2 } else { 1 };
        if self.fault == Fault::ShowsTheHeadBackwards {
            shown.reverse();
        }
        let mut show = || shown.iter().for_each(|f| (0..times).for_each(|_| f(head)));
        match self.fault {
            Fault::ShowsTheHeadOutside => show(),
            _ => self.run(show),
        }
    }

    /// Shows one that nobody gets.
    fn show_late(&mut self) {
        self.show(&mut Response::new(()).into_parts().0);
    }

    fn tell(&mut self, how: End) {
        let mut told = mem::take(&mut self.told);
        let times = if self.fault == Fault::EndsTwice { 2 } else { 1 };
        if self.fault == Fault::EndsBackwards {
            told.reverse();
        }
        let tell = || told.iter().for_each(|f| (0..times).for_each(|_| f(how)));
        match self.fault {
            Fault::EndsOutside => tell(),
            _ => self.context.sync_scope(tell),
        }
        if self.fault == Fault::ForgetsItsCallbacks {
            mem::forget(told);
        }
    }

    fn judge(&self) -> End {
        match (self.fault, self.how) {
            (Fault::CompletesTheCancelled, End::Cancelled) | (Fault::CompletesTheFailed, End::Failed) => End::Completed,
            (Fault::AsksWhetherTheThreadPanics, _) if thread::panicking() => End::Panicked,
            (Fault::CancelsThePanicked | Fault::AsksWhetherTheThreadPanics, End::Panicked)
            | (Fault::CancelsTheDelivered, End::Completed) => End::Cancelled,
            (_, how) => how,
        }
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        let _no_panics = EnterPanics::set(false);
        match self.fault {
            Fault::NeverEnds => self.told.clear(),
            Fault::LosesTheEndOfAPanic if self.how == End::Panicked => self.told.clear(),
            Fault::DropsValuesBeforeTheEnd => assert!(self.context.remove::<Held>()),
            _ => {}
        }
        self.tell(self.judge());
    }
}

impl Opened for Duty {
    fn hold<T: Send + Sync + 'static>(&mut self, value: T) {
        self.context.set(value);
    }

    fn on_response(&mut self, f: impl Fn(&mut Parts) + Send + Sync + 'static) {
        self.shown.push(Box::new(f));
    }

    fn on_end(&mut self, f: impl Fn(End) + Send + Sync + 'static) {
        self.told.push(Box::new(f));
    }
}

/// The future or the body of a request, with its duty until that is handed over.
pub(super) struct Carried<T> {
    inner: Option<Pin<Box<T>>>,
    duty: Option<Duty>,
    is_body: bool,
}

impl Future for Carried<ProbeFuture> {
    type Output = Result<Response<Carried<ProbeBody>>, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { inner, duty: Some(duty), .. } = &mut *self else { panic!("polled after completion") };
        let answer = ready!(duty.run(|| {
            let polled = inner.as_mut().expect("it is not ready yet").as_mut().poll(cx);
            if polled.is_ready() {
                *inner = None;
            }
            polled
        }));
        if answer.is_err() {
            duty.how = End::Failed;
        }
        let (mut head, body) = answer?.into_parts();
        let mut duty = self.duty.take().expect("it was there");
        if !matches!(duty.fault, Fault::NeverShowsTheHead | Fault::ShowsTheHeadAfterTheBody) {
            duty.show(&mut head);
        }
        match duty.fault {
            Fault::EndsWithTheHead => duty.tell(End::Completed),
            Fault::DropsValuesBeforeTheBody => assert!(duty.context.remove::<Held>()),
            _ => {}
        }
        let body = Carried { inner: Some(Box::pin(body)), duty: Some(duty), is_body: true };
        Poll::Ready(Ok(Response::from_parts(head, body)))
    }
}

impl Body for Carried<ProbeBody> {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let Self { inner: Some(body), duty: Some(duty), .. } = &mut *self else { return Poll::Ready(None) };
        let frame = ready!(duty.run(|| body.as_mut().poll_frame(cx)));
        match &frame {
            Some(Ok(frame)) if frame.is_trailers() => duty.how = End::Completed,
            Some(Err(_)) => duty.how = End::Failed,
            _ => {}
        }
        Poll::Ready(frame)
    }
}

impl<T> Drop for Carried<T> {
    fn drop(&mut self) {
        let Some(mut duty) = self.duty.take() else { return };
        let _no_panics = EnterPanics::set(false);
        let inner = self.inner.take();
        let is_cancelled = duty.how == End::Cancelled;
        match duty.fault {
            Fault::LosesTheEndOfADroppedFuture if !self.is_body && is_cancelled => duty.told.clear(),
            Fault::LosesTheEndOfADroppedBody if self.is_body && is_cancelled => duty.told.clear(),
            Fault::ShowsAHeadThatNeverCame if !self.is_body => duty.show_late(),
            Fault::ShowsTheHeadAfterTheBody if self.is_body => duty.show_late(),
            Fault::EndsBeforeTheDrop => duty.tell(duty.judge()),
            Fault::MissesAPanicInADrop => return duty.context.sync_scope(|| drop(inner)),
            _ => {}
        }
        duty.run(|| drop(inner));
    }
}
