//! One request of a storm, from its call to the drop of its body.

use std::{future::pending, panic::resume_unwind, pin::pin, sync::Arc};

use futures_util::{Stream, stream};
use http::{Request, Response, request::Parts};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body, Bytes, Frame};
use tokio::{
    sync::Notify,
    task::{JoinHandle, yield_now},
};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_request_context::{RequestContext, RequestContextLayer, Store};

use super::{
    Wave,
    plan::{Fate, Script},
};
use crate::support::{User, bare_request};

/// A request where its code runs.
#[derive(Clone)]
struct Guest {
    user: User,
    script: Script,
    wave: Arc<Wave>,
}

/// Reads when it is dropped.
struct Held(Guest, &'static str);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Nested(User);

#[derive(Debug)]
struct OnPurpose;

/// Sends the requests of a wave, each from a task of its own, to clones of one service.
pub(super) fn send(wave: &Arc<Wave>, users: impl Iterator<Item = User>) -> Vec<(User, JoinHandle<()>)> {
    let service = service(Arc::clone(wave));
    let send = |user| (user, tokio::spawn(is_served(service.clone(), user, wave.storm.script(user))));
    users.map(send).collect()
}

/// Does what a server does, and leaves where the script says so.
async fn is_served<B: Body>(
    service: impl Service<Request<()>, Response = Response<B>, Error = OnPurpose>,
    user: User,
    script: Script,
) {
    let leave = Arc::new(Notify::new());
    let mut request = bare_request(Some(user.0));
    request.extensions_mut().insert(Arc::clone(&leave));
    let response = tokio::select! {
        response = service.oneshot(request) => response,
        () = leave.notified() => return,
    };
    let Ok(response) = response else { return };
    let mut body = pin!(response.into_body());
    for _ in 0..script.frames {
        let frame = body.frame().await.expect("it is not over yet");
        assert!(frame.is_ok() || script.fate == Fate::FailsInBody);
    }
    assert!(script.fate != Fate::Completes || body.frame().await.is_none());
}

fn service(
    wave: Arc<Wave>,
) -> impl Service<Request<()>, Response = Response<impl Body + Send>, Error = OnPurpose, Future: Send> + Clone + Send {
    let of = move |user| Guest { user, script: wave.storm.script(user), wave: Arc::clone(&wave) };
    let inner = of.clone();
    let layer = RequestContextLayer::new(move |store: &mut Store, head: &mut Parts| {
        of(User::of(head).expect("each has one")).moves_in(store);
    });
    layer.layer(service_fn(move |request: Request<()>| {
        let (head, ()) = request.into_parts();
        let guest = inner(User::of(&head).expect("each has one"));
        guest.reads("the call");
        guest.handles(head)
    }))
}

impl Guest {
    fn moves_in(self, store: &mut Store) {
        (self.wave.storm.carrier.seed)(store, self.user);
        store.insert(Arc::clone(&self.wave.alive));
        store.on_end(move |end| {
            self.reads("the end");
            self.wave.tally.end(end == self.script.end());
        });
    }

    async fn handles(mut self, head: Parts) -> Result<Response<StreamBody<impl Stream<Item = Sent>>>, OnPurpose> {
        let _held = self.holds("the drop of the future");
        self.stays("the future").await;
        self.wave.tally.park(&self.wave.handlers).await;
        self.stays("the future").await;
        self.has_a_child().await;
        self.has_a_task().await;
        self.reads("the future");
        match self.script.fate {
            Fate::Fails => Err(OnPurpose),
            Fate::Panics => resume_unwind(Box::new(OnPurpose)),
            Fate::IsDropped => {
                head.extensions.get::<Arc<Notify>>().expect("it was put there").notify_one();
                pending().await
            }
            _ => Ok(Response::new(StreamBody::new(self.sends()))),
        }
    }

    async fn has_a_child(&mut self) {
        let own = Nested(self.user);
        let child = RequestContext::current().expect("a request has one").child(Store::new().with_value(own));
        let work = async {
            self.stays("the child").await;
            let nested = RequestContext::get();
            self.wave.tally.read("the child's own value", self.user, nested.map(|Nested(user)| user));
        };
        child.scope(work).await;
    }

    async fn has_a_task(&mut self) {
        let mut guest = self.clone();
        let work = async move {
            let _held = guest.holds("the drop of the task");
            guest.stays("the task").await;
        };
        RequestContext::spawn(work).await.expect("it does not panic");
    }

    fn sends(self) -> impl Stream<Item = Sent> {
        let held = self.holds("the drop of the body");
        stream::unfold((self, held, 0), async |(mut guest, held, sent)| {
            let Script { fate, frames, .. } = guest.script;
            if sent == 0 {
                guest.wave.bodies.wait().await;
            } else if sent == frames && fate == Fate::Completes {
                return None;
            }
            guest.stays("a frame").await;
            let frame = match fate {
                Fate::FailsInBody if sent + 1 == frames => Err(OnPurpose),
                Fate::PanicsInBody if sent + 1 == frames => resume_unwind(Box::new(OnPurpose)),
                _ => Ok(Frame::data(Bytes::from_static(b"frame"))),
            };
            Some((frame, (guest, held, sent + 1)))
        })
    }

    async fn stays(&mut self, place: &'static str) {
        self.reads(place);
        for _ in 0..self.script.dice.below(4) {
            yield_now().await;
        }
        self.reads(place);
    }

    fn reads(&self, place: &'static str) {
        self.wave.tally.read(place, self.user, (self.wave.storm.carrier.current)());
    }

    fn holds(&self, place: &'static str) -> Held {
        Held(self.clone(), place)
    }
}

type Sent = Result<Frame<Bytes>, OnPurpose>;

impl Drop for Held {
    fn drop(&mut self) {
        self.0.reads(self.1);
    }
}
