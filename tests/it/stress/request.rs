//! One request of a stress run, from its call to the drop of its body.

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
    Batch,
    plan::{Outcome, Plan},
};
use crate::support::{User, bare_request};

/// Checks the current user in the code of one request.
#[derive(Clone)]
struct Probe {
    user: User,
    plan: Plan,
    batch: Arc<Batch>,
}

/// Checks the current user in its drop.
struct CheckOnDrop(Probe, &'static str);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Nested(User);

#[derive(Debug)]
struct TestError;

/// Sends the requests in a batch to clones that share one service, each from a separate task.
pub(super) fn send(batch: &Arc<Batch>, users: impl Iterator<Item = User>) -> Vec<(User, JoinHandle<()>)> {
    let service = service(Arc::clone(batch));
    let send = |user| (user, tokio::spawn(serve(service.clone(), user, batch.run.plan(user))));
    users.map(send).collect()
}

/// Acts as a server, and drops the future or the body where the plan says so.
async fn serve<B: Body>(
    service: impl Service<Request<()>, Response = Response<B>, Error = TestError>,
    user: User,
    plan: Plan,
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
    for _ in 0..plan.frames {
        let frame = body.frame().await.expect("the body has another frame");
        assert!(frame.is_ok() || plan.outcome == Outcome::FailsInBody);
    }
    assert!(plan.outcome != Outcome::Completes || body.frame().await.is_none());
}

fn service(
    batch: Arc<Batch>,
) -> impl Service<Request<()>, Response = Response<impl Body + Send>, Error = TestError, Future: Send> + Clone + Send {
    let probe_of = move |user| Probe { user, plan: batch.run.plan(user), batch: Arc::clone(&batch) };
    let inner = probe_of.clone();
    let layer = RequestContextLayer::new(move |store: &mut Store, head: &mut Parts| {
        probe_of(User::of(head).expect("each request has a user")).set_up(store);
    });
    layer.layer(service_fn(move |request: Request<()>| {
        let (head, ()) = request.into_parts();
        let probe = inner(User::of(&head).expect("each request has a user"));
        probe.check("the call");
        probe.handle(head)
    }))
}

impl Probe {
    fn set_up(self, store: &mut Store) {
        (self.batch.run.storage.insert)(store, self.user);
        store.insert(Arc::clone(&self.batch.alive));
        store.on_end(move |end| {
            self.check("the end");
            self.batch.counters.end(end == self.plan.end());
        });
    }

    async fn handle(mut self, head: Parts) -> Result<Response<StreamBody<impl Stream<Item = FrameResult>>>, TestError> {
        let _held = self.check_on_drop("the drop of the future");
        self.check_and_yield("the future").await;
        self.batch.counters.wait(&self.batch.handlers).await;
        self.check_and_yield("the future").await;
        self.check_child().await;
        self.check_task().await;
        self.check("the future");
        match self.plan.outcome {
            Outcome::Fails => Err(TestError),
            Outcome::Panics => resume_unwind(Box::new(TestError)),
            Outcome::Dropped => {
                head.extensions.get::<Arc<Notify>>().expect("`serve` inserted it").notify_one();
                pending().await
            }
            _ => Ok(Response::new(StreamBody::new(self.frames()))),
        }
    }

    async fn check_child(&mut self) {
        let own = Nested(self.user);
        let child = RequestContext::current().expect("the request has a context").child(Store::new().with_value(own));
        let work = async {
            self.check_and_yield("the child").await;
            let nested = RequestContext::get();
            self.batch.counters.read("the child's own value", self.user, nested.map(|Nested(user)| user));
        };
        child.scope(work).await;
    }

    async fn check_task(&mut self) {
        let mut probe = self.clone();
        let work = async move {
            let _held = probe.check_on_drop("the drop of the task");
            probe.check_and_yield("the task").await;
        };
        RequestContext::spawn(work).await.expect("the task does not panic");
    }

    fn frames(self) -> impl Stream<Item = FrameResult> {
        let held = self.check_on_drop("the drop of the body");
        stream::unfold((self, held, 0), async |(mut probe, held, sent)| {
            let Plan { outcome, frames, .. } = probe.plan;
            if sent == 0 {
                probe.batch.bodies.wait().await;
            } else if sent == frames && outcome == Outcome::Completes {
                return None;
            }
            probe.check_and_yield("a frame").await;
            let frame = match outcome {
                Outcome::FailsInBody if sent + 1 == frames => Err(TestError),
                Outcome::PanicsInBody if sent + 1 == frames => resume_unwind(Box::new(TestError)),
                _ => Ok(Frame::data(Bytes::from_static(b"frame"))),
            };
            Some((frame, (probe, held, sent + 1)))
        })
    }

    async fn check_and_yield(&mut self, place: &'static str) {
        self.check(place);
        for _ in 0..self.plan.rng.below(4) {
            yield_now().await;
        }
        self.check(place);
    }

    fn check(&self, place: &'static str) {
        self.batch.counters.read(place, self.user, (self.batch.run.storage.current)());
    }

    fn check_on_drop(&self, place: &'static str) -> CheckOnDrop {
        CheckOnDrop(self.clone(), place)
    }
}

type FrameResult = Result<Frame<Bytes>, TestError>;

impl Drop for CheckOnDrop {
    fn drop(&mut self) {
        self.0.check(self.1);
    }
}
