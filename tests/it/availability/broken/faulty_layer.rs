//! A layer that is written with the public API and is correct except for one chosen fault.

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
    enter_guards::EnterPanics,
    probe::{Failure, Probe, ProbeBody, ProbeFuture},
    setup::{RecordingSetup, ReportedValue, SetupTarget},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    RunsSetupTwice,
    SharesOneStore,
    UsesOuterStore,
    Inherits,
    KeepsHandle,
    StoresItself,
    LeaksCallbacks,
    DropsValuesBeforeBody,
    DropsValuesBeforeEnd,
    SkipsOnResponse,
    RunsOnResponseTwice,
    RunsOnResponseAfterBody,
    RunsOnResponseWithoutResponse,
    ReversesOnResponse,
    RunsOnResponseOutside,
    SkipsOnEnd,
    RunsOnEndTwice,
    SkipsOnEndOfDroppedFuture,
    SkipsOnEndOfDroppedBody,
    SkipsOnEndAfterPanic,
    SkipsOnEndAfterPanicInCall,
    EndsWithResponse,
    EndsBeforeDrop,
    ReversesOnEnd,
    RunsOnEndOutside,
    ReportsCancelledAsCompleted,
    ReportsFailedAsCompleted,
    ReportsPanickedAsCancelled,
    ReportsCompletedAsCancelled,
    MissesPanicInDrop,
    UsesThreadPanicking,
}

type ResponseCallback = Box<dyn Fn(&mut Parts) + Send + Sync>;
type EndCallback = Box<dyn Fn(End) + Send + Sync>;

/// The service of a layer with a fault.
pub(super) struct FaultyLayer {
    fault: Fault,
    setup: RecordingSetup,
    inner: Probe,
    kept: Vec<RequestContext>,
}

impl FaultyLayer {
    pub(super) fn new(fault: Fault, setup: RecordingSetup, inner: Probe) -> Self {
        Self { fault, setup, inner, kept: vec![] }
    }

    fn prepare(&mut self) -> CompletionGuard {
        let mut store = Store::new();
        self.setup.register_guards(&mut store);
        let context = match self.fault {
            Fault::SharesOneStore => self.kept.first().cloned().unwrap_or_else(|| RequestContext::new(store)),
            Fault::UsesOuterStore => RequestContext::current().unwrap_or_else(|| RequestContext::new(store)),
            Fault::Inherits => RequestContext::inherit(store),
            _ => RequestContext::new(store),
        };
        if matches!(self.fault, Fault::SharesOneStore | Fault::KeepsHandle) {
            self.kept.push(context.clone());
        }
        if self.fault == Fault::StoresItself {
            context.set(context.clone());
        }
        let mut guard = CompletionGuard {
            fault: self.fault,
            context,
            response_callbacks: vec![],
            end_callbacks: vec![],
            end: End::Cancelled,
        };
        self.setup.apply(&mut guard);
        guard
    }
}

impl Service<Request<()>> for FaultyLayer {
    type Response = Response<Tracked<ProbeBody>>;
    type Error = Failure;
    type Future = Tracked<ProbeFuture>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        if self.fault == Fault::RunsSetupTwice {
            self.prepare().end_callbacks.clear();
        }
        let mut guard = self.prepare();
        let end_callbacks = match self.fault {
            Fault::SkipsOnEndAfterPanicInCall => mem::take(&mut guard.end_callbacks),
            _ => vec![],
        };
        let future = guard.run(|| self.inner.call(request));
        guard.end_callbacks.extend(end_callbacks);
        Tracked { inner: Some(Box::pin(future)), guard: Some(guard), is_body: false }
    }
}

/// Runs the `on_end` callbacks when it is dropped. It keeps the context alive until then.
struct CompletionGuard {
    fault: Fault,
    response_callbacks: Vec<ResponseCallback>,
    end_callbacks: Vec<EndCallback>,
    /// The end to report if the guard is dropped now.
    end: End,
    context: RequestContext,
}

impl CompletionGuard {
    /// Runs `f` in the context. If it unwinds, the end is `Panicked`.
    fn run<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let end = mem::replace(&mut self.end, End::Panicked);
        let result = self.context.sync_scope(f);
        self.end = end;
        result
    }

    fn run_response_callbacks(&mut self, parts: &mut Parts) {
        let mut response_callbacks = mem::take(&mut self.response_callbacks);
        let times = if self.fault == Fault::RunsOnResponseTwice { 2 } else { 1 };
        if self.fault == Fault::ReversesOnResponse {
            response_callbacks.reverse();
        }
        let mut run_all = || response_callbacks.iter().for_each(|f| (0..times).for_each(|_| f(parts)));
        match self.fault {
            Fault::RunsOnResponseOutside => run_all(),
            _ => self.run(run_all),
        }
    }

    /// Runs the callbacks with a response that is never sent.
    fn run_response_callbacks_without_response(&mut self) {
        self.run_response_callbacks(&mut Response::new(()).into_parts().0);
    }

    fn run_end_callbacks(&mut self, end: End) {
        let mut end_callbacks = mem::take(&mut self.end_callbacks);
        let times = if self.fault == Fault::RunsOnEndTwice { 2 } else { 1 };
        if self.fault == Fault::ReversesOnEnd {
            end_callbacks.reverse();
        }
        let run_all = || end_callbacks.iter().for_each(|f| (0..times).for_each(|_| f(end)));
        match self.fault {
            Fault::RunsOnEndOutside => run_all(),
            _ => self.context.sync_scope(run_all),
        }
        if self.fault == Fault::LeaksCallbacks {
            mem::forget(end_callbacks);
        }
    }

    /// Returns the end that this layer reports, which some faults change.
    fn reported_end(&self) -> End {
        match (self.fault, self.end) {
            (Fault::ReportsCancelledAsCompleted, End::Cancelled) | (Fault::ReportsFailedAsCompleted, End::Failed) => {
                End::Completed
            }
            (Fault::UsesThreadPanicking, _) if thread::panicking() => End::Panicked,
            (Fault::ReportsPanickedAsCancelled | Fault::UsesThreadPanicking, End::Panicked)
            | (Fault::ReportsCompletedAsCancelled, End::Completed) => End::Cancelled,
            (_, end) => end,
        }
    }
}

impl Drop for CompletionGuard {
    fn drop(&mut self) {
        let _no_panics = EnterPanics::set(false);
        match self.fault {
            Fault::SkipsOnEnd => self.end_callbacks.clear(),
            Fault::SkipsOnEndAfterPanic if self.end == End::Panicked => self.end_callbacks.clear(),
            Fault::DropsValuesBeforeEnd => assert!(self.context.remove::<ReportedValue>()),
            _ => {}
        }
        self.run_end_callbacks(self.reported_end());
    }
}

impl SetupTarget for CompletionGuard {
    fn insert_value<T: Send + Sync + 'static>(&mut self, value: T) {
        self.context.set(value);
    }

    fn on_response(&mut self, f: impl Fn(&mut Parts) + Send + Sync + 'static) {
        self.response_callbacks.push(Box::new(f));
    }

    fn on_end(&mut self, f: impl Fn(End) + Send + Sync + 'static) {
        self.end_callbacks.push(Box::new(f));
    }
}

/// The future or the body of a request. The future passes its guard on to the body.
pub(super) struct Tracked<T> {
    inner: Option<Pin<Box<T>>>,
    guard: Option<CompletionGuard>,
    is_body: bool,
}

impl Future for Tracked<ProbeFuture> {
    type Output = Result<Response<Tracked<ProbeBody>>, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { inner, guard: Some(guard), .. } = &mut *self else { panic!("polled after completion") };
        let result = ready!(guard.run(|| {
            let polled = inner.as_mut().expect("`inner` is set until the future is ready").as_mut().poll(cx);
            if polled.is_ready() {
                *inner = None;
            }
            polled
        }));
        if result.is_err() {
            guard.end = End::Failed;
        }
        let (mut parts, body) = result?.into_parts();
        let mut guard = self.guard.take().expect("the guard was borrowed above");
        if !matches!(guard.fault, Fault::SkipsOnResponse | Fault::RunsOnResponseAfterBody) {
            guard.run_response_callbacks(&mut parts);
        }
        match guard.fault {
            Fault::EndsWithResponse => guard.run_end_callbacks(End::Completed),
            Fault::DropsValuesBeforeBody => assert!(guard.context.remove::<ReportedValue>()),
            _ => {}
        }
        let body = Tracked { inner: Some(Box::pin(body)), guard: Some(guard), is_body: true };
        Poll::Ready(Ok(Response::from_parts(parts, body)))
    }
}

impl Body for Tracked<ProbeBody> {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let Self { inner: Some(body), guard: Some(guard), .. } = &mut *self else { return Poll::Ready(None) };
        let frame = ready!(guard.run(|| body.as_mut().poll_frame(cx)));
        match &frame {
            Some(Ok(frame)) if frame.is_trailers() => guard.end = End::Completed,
            Some(Err(_)) => guard.end = End::Failed,
            _ => {}
        }
        Poll::Ready(frame)
    }
}

impl<T> Drop for Tracked<T> {
    fn drop(&mut self) {
        let Some(mut guard) = self.guard.take() else { return };
        let _no_panics = EnterPanics::set(false);
        let inner = self.inner.take();
        let is_cancelled = guard.end == End::Cancelled;
        match guard.fault {
            Fault::SkipsOnEndOfDroppedFuture if !self.is_body && is_cancelled => guard.end_callbacks.clear(),
            Fault::SkipsOnEndOfDroppedBody if self.is_body && is_cancelled => guard.end_callbacks.clear(),
            Fault::RunsOnResponseWithoutResponse if !self.is_body => guard.run_response_callbacks_without_response(),
            Fault::RunsOnResponseAfterBody if self.is_body => guard.run_response_callbacks_without_response(),
            Fault::EndsBeforeDrop => guard.run_end_callbacks(guard.reported_end()),
            Fault::MissesPanicInDrop => return guard.context.sync_scope(|| drop(inner)),
            _ => {}
        }
        guard.run(|| drop(inner));
    }
}
