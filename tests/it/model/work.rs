//! Futures, streams and bodies that run a program at each poll and when they are dropped.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    task::{Context, Poll, Waker},
    vec,
};

use futures_util::Stream;
use http::Response;
use http_body::{Body, Frame};
use hyper::body::Bytes;
use tower_request_context::End;

use super::{
    machine::{count, in_context, in_current_context, in_destructor, machine, run},
    program::{Part, Program},
    reference::{Id, Node, Phase},
};

pub(super) type Failure = &'static str;

/// A future, stream or body that is polled and dropped in a context, or in none.
pub(super) struct Work {
    context: Option<Id>,
    /// The context whose request or run ends with it.
    ended_context: Option<Id>,
    stages: vec::IntoIter<Program>,
    part: Part,
    result: Option<Result<(), Failure>>,
    /// Updates the model when this is dropped.
    on_drop: fn(&mut Node, DropState),
}

/// The state in which a piece of work was dropped.
#[derive(Clone, Copy)]
struct DropState {
    result: Option<Result<(), Failure>>,
    has_panicked: bool,
}

impl DropState {
    /// Returns whether the last poll was ready, and this was dropped without a panic.
    fn is_complete(self) -> bool {
        self.result.is_some() && !self.has_panicked
    }
}

impl Work {
    fn new(context: Option<Id>, ended_context: Option<Id>, part: Part, on_drop: fn(&mut Node, DropState)) -> Self {
        machine(|machine| machine.alive += 1);
        Self { context, ended_context, stages: part.polls.clone().into_iter(), part, result: None, on_drop }
    }

    /// Runs the next stage. The last one is ready, and sets the end.
    fn poll(&mut self, cx: &mut Context<'_>, done: Option<End>) -> Poll<Result<(), Failure>> {
        in_context(self.context, || {
            let guard = RequestPanicGuard(self.ended_context);
            if let Some(stage) = self.stages.next() {
                run(&stage);
            }
            mem::forget(guard);
        });
        if self.stages.len() > 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let (end, result) = if self.part.fails { (Some(End::Failed), Err("scripted")) } else { (done, Ok(())) };
        self.result = Some(result);
        change(self.ended_context, |node| node.end = end);
        Poll::Ready(result)
    }
}

/// Records a panic in a poll, with which the request or run ends.
struct RequestPanicGuard(Option<Id>);

impl Drop for RequestPanicGuard {
    fn drop(&mut self) {
        change(self.0, Node::set_panicked);
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        count("work dropped");
        machine(|machine| machine.alive -= 1);
        let dropped =
            catch_unwind(AssertUnwindSafe(|| in_destructor(|| in_context(self.context, || run(&self.part.drop)))));
        let drop_state = DropState { result: self.result, has_panicked: dropped.is_err() };
        if drop_state.has_panicked {
            change(self.ended_context, Node::set_panicked);
        }
        let on_drop = self.on_drop;
        match self.ended_context {
            // The crate leaves the context before it ends the request or closes its response callbacks.
            Some(id) if drop_state.is_complete() => {
                machine(|machine| machine.model.when_left(id, move |node| on_drop(node, drop_state)));
            }
            ended_context => change(ended_context, |node| on_drop(node, drop_state)),
        }
        if let Err(payload) = dropped {
            resume_unwind(payload);
        }
    }
}

fn change(ended_context: Option<Id>, change: impl FnOnce(&mut Node)) {
    if let Some(id) = ended_context {
        machine(|machine| change(&mut machine.model.nodes[id]));
    }
}

/// A future without an output, a stream, or what a closure owns.
pub(super) struct Job(Work);

impl Job {
    pub(super) fn new(context: Option<Id>, ended_context: Option<Id>, mut part: Part) -> Self {
        part.fails = false;
        Self(Work::new(context, ended_context, part, |node, _| node.finish()))
    }
}

impl Future for Job {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll(cx, Some(End::Completed)).map(drop)
    }
}

impl Job {
    /// Does all work at once.
    pub(super) fn call(mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        while self.0.poll(&mut cx, Some(End::Completed)).is_pending() {}
    }

    /// Returns the number of items that are left. The last poll returns none.
    fn items(&self) -> usize {
        self.0.stages.len().saturating_sub(1)
    }
}

/// Each item is the number of items after it.
impl Stream for Job {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        let polled = self.0.poll(cx, Some(End::Completed));
        Poll::Ready(polled.is_pending().then(|| self.items()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        in_current_context(|| (self.items(), Some(self.items())))
    }
}

/// The future of a service. If it succeeds, the request ends with the body.
pub(super) struct Handler {
    work: Work,
    body: Part,
}

impl Handler {
    pub(super) fn new(context: Option<Id>, ended_context: Option<Id>, part: Part, body: Part) -> Self {
        let work = Work::new(context, ended_context, part, |node, drop_state| match drop_state {
            DropState { result: Some(Ok(())), has_panicked: false } => node.phase = Phase::ResponseReady,
            // The response is lost, so the request ends when the response future is dropped.
            DropState { result: Some(_), has_panicked: true } => node.ends_on_drop = true,
            DropState { result: None | Some(Err(_)), .. } => node.finish(),
        });
        Self { work, body }
    }
}

impl Future for Handler {
    type Output = Result<Response<ScriptedBody>, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.work.poll(cx, None).map_ok(|()| {
            let work = Work::new(self.work.context, self.work.ended_context, self.body.clone(), |node, _| {
                // Otherwise it was dropped because the response was lost; see above.
                if node.phase == Phase::BodyReturned {
                    node.finish();
                }
            });
            Response::new(ScriptedBody(work))
        })
    }
}

/// A body with one frame for each poll except the last.
pub(super) struct ScriptedBody(Work);

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        Poll::Ready(match self.0.poll(cx, Some(End::Completed)) {
            Poll::Pending => Some(Ok(Frame::data(Bytes::from_static(b"data")))),
            Poll::Ready(Ok(())) => None,
            Poll::Ready(Err(error)) => Some(Err(error)),
        })
    }
}
