//! Futures and bodies that do what a program says at each poll and when they are dropped.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    task::{Context, Poll},
    vec,
};

use http::Response;
use http_body::{Body, Frame};
use hyper::body::Bytes;
use tower_request_context::End;

use super::{
    machine::{dropping, hit, inside, machine, run},
    plain::{Id, Node, Phase},
    program::{Part, Program},
};

pub(super) type Failure = &'static str;

/// What is polled and dropped in a context, or in none.
pub(super) struct Work {
    context: Option<Id>,
    /// The context that ends with it.
    ends: Option<Id>,
    stages: vec::IntoIter<Program>,
    part: Part,
    result: Option<Result<(), Failure>>,
    /// What its drop means for what it ends.
    leave: fn(&mut Node, Left),
}

/// How a work was left.
#[derive(Clone, Copy)]
struct Left {
    result: Option<Result<(), Failure>>,
    has_panicked: bool,
}

impl Work {
    fn new(context: Option<Id>, ends: Option<Id>, part: Part, leave: fn(&mut Node, Left)) -> Self {
        machine(|machine| machine.alive += 1);
        Self { context, ends, stages: part.polls.clone().into_iter(), part, result: None, leave }
    }

    /// Runs the next stage; the last is ready, and says how it went.
    fn poll(&mut self, cx: &mut Context<'_>, done: Option<End>) -> Poll<Result<(), Failure>> {
        inside(self.context, || {
            let panics = Panics(self.ends);
            if let Some(stage) = self.stages.next() {
                run(&stage);
            }
            mem::forget(panics);
        });
        if self.stages.len() > 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let (end, result) = if self.part.fails { (Some(End::Failed), Err("scripted")) } else { (done, Ok(())) };
        self.result = Some(result);
        change(self.ends, |node| node.end = end);
        Poll::Ready(result)
    }
}

/// A panic in a poll is that of what ends with it.
struct Panics(Option<Id>);

impl Drop for Panics {
    fn drop(&mut self) {
        change(self.0, Node::panicked);
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        hit("works dropped");
        machine(|machine| machine.alive -= 1);
        let dropped = catch_unwind(AssertUnwindSafe(|| dropping(|| inside(self.context, || run(&self.part.drop)))));
        let left = Left { result: self.result, has_panicked: dropped.is_err() };
        if left.has_panicked {
            change(self.ends, Node::panicked);
        }
        change(self.ends, |node| (self.leave)(node, left));
        if let Err(payload) = dropped {
            resume_unwind(payload);
        }
    }
}

fn change(ends: Option<Id>, change: impl FnOnce(&mut Node)) {
    if let Some(id) = ends {
        machine(|machine| change(&mut machine.model.nodes[id]));
    }
}

/// A future whose output says nothing.
pub(super) struct Job(Work);

impl Job {
    pub(super) fn new(context: Option<Id>, ends: Option<Id>, mut part: Part) -> Self {
        part.fails = false;
        Self(Work::new(context, ends, part, |node, _| node.is_over_now()))
    }
}

impl Future for Job {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll(cx, Some(End::Completed)).map(drop)
    }
}

/// The future of a service, which leaves its end to the body.
pub(super) struct Handler {
    work: Work,
    body: Part,
}

impl Handler {
    pub(super) fn new(context: Option<Id>, ends: Option<Id>, part: Part, body: Part) -> Self {
        let work = Work::new(context, ends, part, |node, left| match left {
            Left { result: Some(Ok(())), has_panicked: false } => node.phase = Phase::HeadSent,
            // The end is told when the future is dropped from which the head would have come.
            Left { result: Some(_), has_panicked: true } => node.is_stuck = true,
            Left { result: None | Some(Err(_)), .. } => node.is_over_now(),
        });
        Self { work, body }
    }
}

impl Future for Handler {
    type Output = Result<Response<Reel>, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.work.poll(cx, None).map_ok(|()| {
            let work = Work::new(self.work.context, self.work.ends, self.body.clone(), |node, _| {
                // Else it was dropped because no head came out; see above.
                if node.phase == Phase::BodyOut {
                    node.is_over_now();
                }
            });
            Response::new(Reel(work))
        })
    }
}

/// A body of a frame for each poll but the last.
pub(super) struct Reel(Work);

impl Body for Reel {
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
