//! What is polled by hand.

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
    machine::{expect, fault, machine},
    plain::{Id, Phase},
    work::{Failure, Reel},
};

pub(super) struct Running {
    task: Option<Task>,
    /// The context that ends with it.
    ends: Option<Id>,
    /// Ready, or it has panicked: nobody should poll it again.
    is_spent: bool,
}

pub(super) enum Task {
    Job(LocalBoxFuture<'static, ()>),
    /// One that was not polled yet: its context inherits from that of its first poll.
    Run(Id, LocalBoxFuture<'static, ()>),
    Request(LocalBoxFuture<'static, Result<Response<ResponseBody<Reel>>, Failure>>),
    Body(Pin<Box<ResponseBody<Reel>>>),
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
    pub(super) fn new(task: Task, ends: Option<Id>) -> Self {
        Self { task: Some(task), ends, is_spent: false }
    }

    pub(super) fn poll(&mut self) {
        if self.is_spent {
            return;
        }
        // If it unwinds, it stays so.
        self.is_spent = true;
        self.task = self.task.take().map(Task::inherit);
        let mut cx = Context::from_waker(Waker::noop());
        self.is_spent = match self.task.as_mut().expect("it is there until it is dropped") {
            Task::Job(job) | Task::Run(_, job) => job.as_mut().poll(&mut cx).is_ready(),
            Task::Request(future) => match future.as_mut().poll(&mut cx) {
                Poll::Pending => false,
                Poll::Ready(Err(_)) => true,
                Poll::Ready(Ok(response)) => {
                    self.has_answered(response);
                    false
                }
            },
            Task::Body(body) => match body.as_mut().poll_frame(&mut cx) {
                Poll::Pending => {
                    fault(String::from("a body that never waits did"));
                    true
                }
                Poll::Ready(frame) => !matches!(frame, Some(Ok(_))),
            },
        };
    }

    fn has_answered(&mut self, response: Response<ResponseBody<Reel>>) {
        let (head, body) = response.into_parts();
        if let Some(id) = self.ends {
            let shown = machine(|machine| {
                let node = &mut machine.model.nodes[id];
                let phase = mem::replace(&mut node.phase, Phase::BodyOut);
                (node.shown.clone(), node.heads.len(), phase)
            });
            let found = head.headers.get_all(HEADER).iter().filter_map(|id| id.to_str().ok()?.parse().ok()).collect();
            expect((found, 0, Phase::HeadSent), shown, || format!("who has seen the head of {id}"));
        }
        self.task = Some(Task::Body(Box::pin(body)));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // What has panicked on the way from its future to its body is ended by this drop; all else by a work's.
        if let Some(id) = self.ends {
            machine(|machine| {
                let node = &mut machine.model.nodes[id];
                if node.is_stuck {
                    node.is_over_now();
                }
            });
        }
        self.task = None;
    }
}
