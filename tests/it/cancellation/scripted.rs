//! The future and the body to interrupt, which follow a script. The future awaits in several kinds of places.

use std::{
    cell::Cell,
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use futures_util::pending;
use http::HeaderMap;
use http_body::{Body, Frame};
use hyper::body::Bytes;
use tower_request_context::{RequestContext, Store};

use super::{
    interruption::{Interruption, Manner, unwind},
    log::{DropRecorder, drop_recorder, new_user},
    requests::BodyKind,
};
use crate::support::User;

pub(super) const AWAITS: usize = 6;
pub(super) const FRAMES: usize = 5;
pub(super) const FRAME: &str = "data";

/// The users of a future and its children, and the interruption.
pub(super) struct Script {
    pub(super) user: User,
    child: User,
    interruption: Interruption,
    steps: Cell<usize>,
}

impl Script {
    pub(super) fn new(interruption: Interruption) -> Self {
        Self { user: new_user(), child: new_user(), interruption, steps: Cell::new(0) }
    }

    /// Called once per step. Asserts that the step runs in the context of this user.
    fn step(&self, user: User) -> Result<(), &'static str> {
        assert_eq!(RequestContext::get(), Some(user), "step {} of {:?}", self.steps.get(), self.interruption);
        match self.interruption.manner {
            _ if self.steps.replace(self.steps.get() + 1) != self.interruption.steps => Ok(()),
            Manner::Dropped | Manner::Unwound => Ok(()),
            Manner::Fails => Err("scripted"),
            Manner::Panics | Manner::PanicsThrough => unwind(),
        }
    }

    async fn wait(&self, user: User) -> Result<(), &'static str> {
        let _held = drop_recorder(user);
        pending!();
        self.step(user)
    }
}

/// Awaits in [`AWAITS`] places, each for one poll: directly, in a child, in an initializer, and in a child of that.
pub(super) async fn scripted(script: Rc<Script>, _captured: DropRecorder) -> Result<(), &'static str> {
    let Script { user, child, .. } = *script;
    let in_child = async || {
        let inner = RequestContext::inherit(Store::new().with_value(child));
        let captured = drop_recorder(child);
        let script = Rc::clone(&script);
        inner
            .scope(async move {
                let (_captured, _held) = (captured, drop_recorder(child));
                script.wait(child).await
            })
            .await
    };

    script.step(user)?;
    let _first = drop_recorder(user);
    script.wait(user).await?;
    let _second = drop_recorder(user);
    script.wait(user).await?;
    in_child().await?;
    let made = RequestContext::get_or_try_init(async || {
        let _held = drop_recorder(user);
        script.wait(user).await?;
        in_child().await?;
        Ok::<_, &str>(1_u8)
    });
    assert_eq!(made.await?, 1);
    script.wait(user).await
}

/// Wraps a future so that it owns a recorder until it is dropped, even after it is ready. An `async` block would drop
/// it when it is ready.
pub(super) fn keep_until_dropped<F: Future>(user: User, future: F) -> impl Future<Output = F::Output> {
    let (mut future, kept) = (Box::pin(future), drop_recorder(user));
    poll_fn(move |cx| {
        let _kept = &kept;
        future.as_mut().poll(cx)
    })
}

/// A body that is pending once before each frame.
pub(super) struct ScriptedBody {
    script: Rc<Script>,
    kind: BodyKind,
    frames: VecDeque<DropRecorder>,
    has_waited: bool,
    _held: DropRecorder,
}

impl ScriptedBody {
    pub(super) fn new(script: &Rc<Script>, kind: BodyKind) -> Self {
        let frames = (0..kind.frame_count()).map(|_| drop_recorder(script.user)).collect();
        Self { script: Rc::clone(script), kind, frames, has_waited: false, _held: drop_recorder(script.user) }
    }
}

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        if let Err(error) = self.script.step(self.script.user) {
            return Poll::Ready(Some(Err(error)));
        }
        self.has_waited = !self.has_waited && !self.frames.is_empty();
        if self.has_waited {
            return Poll::Pending;
        }
        let frame = self.frames.pop_front().map(|_held| {
            if self.kind == BodyKind::Trailers && self.frames.is_empty() {
                return Frame::trailers(HeaderMap::new());
            }
            Frame::data(Bytes::from_static(FRAME.as_bytes()))
        });
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.kind == BodyKind::EndStream && self.frames.is_empty()
    }
}
