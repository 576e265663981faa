//! Futures, streams, bodies and bound closures that a program polls or calls by hand.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures_util::{Stream, future::LocalBoxFuture, stream::LocalBoxStream};
use http::Response;
use http_body::Body;
use tower_request_context::ResponseBody;

use super::{
    callback::HEADER,
    machine::{OperationGuard, count, expect_eq, fault, machine},
    operation::OperationKind,
    reference::{Id, Phase},
    work::{Failure, ScriptedBody},
};

pub(super) struct Running {
    task: Option<Task>,
    /// The context in which it is polled and dropped.
    context: Option<Id>,
    /// The context whose request or run ends with it.
    ended_context: Option<Id>,
    /// True if it is ready or has panicked, so that it must not be polled again.
    is_done: bool,
    was_polled: bool,
}

pub(super) enum Task {
    Future(LocalBoxFuture<'static, ()>),
    Stream(LocalBoxStream<'static, usize>),
    Bound(Box<dyn FnOnce()>),
    /// A run before its first poll. Its context then becomes a child of the current one.
    Run(Id, LocalBoxFuture<'static, ()>),
    Request(LocalBoxFuture<'static, Result<Response<ResponseBody<ScriptedBody>>, Failure>>),
    Body(Pin<Box<ResponseBody<ScriptedBody>>>),
}

impl Task {
    fn inherit(self) -> Self {
        match self {
            Self::Run(id, run) => {
                let has_parent = machine(|machine| machine.model.inherit(id));
                count(if has_parent { "runs in a context" } else { "runs outside" });
                Self::Future(run)
            }
            other => other,
        }
    }
}

impl Running {
    pub(super) fn new(task: Task, context: Option<Id>, ended_context: Option<Id>) -> Self {
        Self { task: Some(task), context, ended_context, is_done: false, was_polled: false }
    }

    pub(super) fn poll(&mut self) {
        if self.is_done {
            return;
        }
        // Stays true if the poll unwinds.
        self.is_done = true;
        self.was_polled = true;
        self.task = self.task.take().map(Task::inherit);
        if let Some(call) = self.take_bound() {
            count("bound closures called");
            let _calling = OperationGuard::start(OperationKind::CallBound, self.context, None);
            call();
            return;
        }
        let _polling = OperationGuard::start(OperationKind::Poll, self.context, self.ended_context);
        let mut cx = Context::from_waker(Waker::noop());
        self.is_done =
            match self.task.as_mut().expect("`task` is taken by a call, which is the last one, and in `drop`") {
                Task::Future(future) | Task::Run(_, future) => future.as_mut().poll(&mut cx).is_ready(),
                Task::Stream(stream) => {
                    let left = stream.size_hint();
                    let polled = stream.as_mut().poll_next(&mut cx);
                    let expected = left.0.checked_sub(1);
                    expect_eq((polled, left.1), (Poll::Ready(expected), Some(left.0)), || {
                        String::from("the next item")
                    });
                    count(if expected.is_some() { "stream items" } else { "streams polled to their end" });
                    expected.is_none()
                }
                Task::Bound(_) => unreachable!("`take_bound` has taken it"),
                Task::Request(future) => match future.as_mut().poll(&mut cx) {
                    Poll::Pending => false,
                    Poll::Ready(Err(_)) => true,
                    Poll::Ready(Ok(response)) => {
                        self.handle_response(response);
                        false
                    }
                },
                Task::Body(body) => match body.as_mut().poll_frame(&mut cx) {
                    Poll::Pending => {
                        fault(String::from("a body without pending polls was pending"));
                        true
                    }
                    Poll::Ready(frame) => !matches!(frame, Some(Ok(_))),
                },
            };
    }

    fn take_bound(&mut self) -> Option<Box<dyn FnOnce()>> {
        match self.task.take() {
            Some(Task::Bound(call)) => Some(call),
            other => {
                self.task = other;
                None
            }
        }
    }

    fn handle_response(&mut self, response: Response<ResponseBody<ScriptedBody>>) {
        let (parts, body) = response.into_parts();
        if let Some(id) = self.ended_context {
            let called = machine(|machine| {
                let node = &mut machine.model.nodes[id];
                let phase = mem::replace(&mut node.phase, Phase::BodyReturned);
                (node.called.clone(), node.on_response.len(), phase)
            });
            let found = parts.headers.get_all(HEADER).iter().filter_map(|id| id.to_str().ok()?.parse().ok()).collect();
            expect_eq((found, 0, Phase::ResponseReady), called, || {
                format!("which on_response callbacks of {id} were called")
            });
        }
        self.task = Some(Task::Body(Box::pin(body)));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        match &self.task {
            Some(Task::Stream(_)) if self.was_polled && !self.is_done => count("streams dropped half-way"),
            Some(Task::Bound(_)) => count("bound closures dropped"),
            Some(Task::Run(..)) => count("runs dropped before a poll"),
            _ => {}
        }
        let _dropping = OperationGuard::start(OperationKind::Drop, self.context, self.ended_context);
        // If the request panicked between its future and its body, this drop ends it: after the `on_enter` closures, if
        // the context has any. Otherwise the drop of a `Work` ends it.
        if let Some(id) = self.ended_context {
            machine(|machine| {
                if machine.model.nodes[id].ends_on_drop && !machine.model.runs_closures(self.context) {
                    machine.model.nodes[id].finish();
                }
            });
        }
        self.task = None;
    }
}
