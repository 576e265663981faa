//! What is cut off: a future with awaits of several kinds, and a body.

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
    cut::{Cut, Fate, unwind},
    log::{Held, held, new_user},
    requests::Kind,
};
use crate::support::User;

pub(super) const AWAITS: usize = 6;
pub(super) const FRAMES: usize = 5;
pub(super) const FRAME: &str = "data";

/// Whose work it is, and what becomes of it.
pub(super) struct Script {
    pub(super) me: User,
    child: User,
    cut: Cut,
    steps: Cell<usize>,
}

impl Script {
    pub(super) fn new(cut: Cut) -> Self {
        Self { me: new_user(), child: new_user(), cut, steps: Cell::new(0) }
    }

    /// Called once a step, in the context that it is to run in.
    fn step(&self, whose: User) -> Result<(), &'static str> {
        assert_eq!(RequestContext::get(), Some(whose), "step {} of {:?}", self.steps.get(), self.cut);
        match self.cut.fate {
            _ if self.steps.replace(self.steps.get() + 1) != self.cut.steps => Ok(()),
            Fate::Dropped | Fate::Unwound => Ok(()),
            Fate::Fails => Err("scripted"),
            Fate::Panics | Fate::PanicsThrough => unwind(),
        }
    }

    async fn wait(&self, whose: User) -> Result<(), &'static str> {
        let _held = held(whose);
        pending!();
        self.step(whose)
    }
}

/// Waits in [`AWAITS`] places, each for one poll: plainly, in a child, in an initialiser, in a child of that.
pub(super) async fn work(script: Rc<Script>, _captured: Held) -> Result<(), &'static str> {
    let Script { me, child, .. } = *script;
    let in_child = async || {
        let inner = RequestContext::inherit(Store::new().with_value(child));
        let captured = held(child);
        let script = Rc::clone(&script);
        inner
            .scope(async move {
                let (_captured, _held) = (captured, held(child));
                script.wait(child).await
            })
            .await
    };

    script.step(me)?;
    let _first = held(me);
    script.wait(me).await?;
    let _second = held(me);
    script.wait(me).await?;
    in_child().await?;
    let made = RequestContext::get_or_try_init(async || {
        let _held = held(me);
        script.wait(me).await?;
        in_child().await?;
        Ok::<_, &str>(1_u8)
    });
    assert_eq!(made.await?, 1);
    script.wait(me).await
}

/// A future that still holds something when it is ready, as one that is written by hand may.
pub(super) fn keeping<F: Future>(whose: User, future: F) -> impl Future<Output = F::Output> {
    let (mut future, kept) = (Box::pin(future), held(whose));
    poll_fn(move |cx| {
        let _kept = &kept;
        future.as_mut().poll(cx)
    })
}

/// A body that waits for one poll before each of its frames.
pub(super) struct Reel {
    script: Rc<Script>,
    kind: Kind,
    frames: VecDeque<Held>,
    has_waited: bool,
    _held: Held,
}

impl Reel {
    pub(super) fn new(script: &Rc<Script>, kind: Kind) -> Self {
        let frames = (0..kind.frames()).map(|_| held(script.me)).collect();
        Self { script: Rc::clone(script), kind, frames, has_waited: false, _held: held(script.me) }
    }
}

impl Body for Reel {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        if let Err(error) = self.script.step(self.script.me) {
            return Poll::Ready(Some(Err(error)));
        }
        self.has_waited = !self.has_waited && !self.frames.is_empty();
        if self.has_waited {
            return Poll::Pending;
        }
        let frame = self.frames.pop_front().map(|_held| {
            if self.kind == Kind::Trailers && self.frames.is_empty() {
                return Frame::trailers(HeaderMap::new());
            }
            Frame::data(Bytes::from_static(FRAME.as_bytes()))
        });
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.kind == Kind::KnowsItsEnd && self.frames.is_empty()
    }
}
