//! Futures and bodies that a program polls by hand.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures_util::future::LocalBoxFuture;
use http::Response;
use http_body::Body;
use tower_request_context::ResponseBody;

use super::{
    callback::HEADER,
    machine::{expect_eq, fault, machine},
    reference::{Id, Phase},
    work::{Failure, ScriptedBody},
};

pub(super) struct Running {
    task: Option<Task>,
    /// The context whose request or run ends with it.
    ended_context: Option<Id>,
    /// True if it is ready or has panicked, so that it must not be polled again.
    is_done: bool,
}

pub(super) enum Task {
    Job(LocalBoxFuture<'static, ()>),
    /// A run before its first poll. Its context then becomes a child of the current one.
    Run(Id, LocalBoxFuture<'static, ()>),
    Request(LocalBoxFuture<'static, Result<Response<ResponseBody<ScriptedBody>>, Failure>>),
    Body(Pin<Box<ResponseBody<ScriptedBody>>>),
}

impl Task {
    fn inherit(self) -> Self {
        match self {
            Self::Run(id, run) => {
                machine(|machine| machine.model.inherit(id));
                Self::Job(run)
            }
            other => other,
        }
    }
}

impl Running {
    pub(super) fn new(task: Task, ended_context: Option<Id>) -> Self {
        Self { task: Some(task), ended_context, is_done: false }
    }

    pub(super) fn poll(&mut self) {
        if self.is_done {
            return;
        }
        // Stays true if the poll unwinds.
        self.is_done = true;
        self.task = self.task.take().map(Task::inherit);
        let mut cx = Context::from_waker(Waker::noop());
        self.is_done = match self.task.as_mut().expect("`task` is taken only in `drop`") {
            Task::Job(job) | Task::Run(_, job) => job.as_mut().poll(&mut cx).is_ready(),
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
        // If the request panicked between its future and its body, this drop ends it. Otherwise the drop of a `Work`
        // does.
        if let Some(id) = self.ended_context {
            machine(|machine| {
                let node = &mut machine.model.nodes[id];
                if node.ends_on_drop {
                    node.finish();
                }
            });
        }
        self.task = None;
    }
}
