//! A service that observes in each place how the value can be read.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    mem,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, pending};
use http::{Extensions, Request};
use http_body::Frame;
use tokio::task::JoinHandle;
use tower::Service;
use tower_request_context::RequestContext;

use super::{
    Place, Reading,
    mechanism::{Mechanism, Wrapped},
};

#[derive(Clone)]
pub(super) struct Observations {
    mechanism: &'static Mechanism,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    readings: BTreeMap<Place, Reading>,
    tasks: Vec<JoinHandle<()>>,
}

impl Observations {
    pub(super) fn new(mechanism: &'static Mechanism) -> Self {
        Self { mechanism, seen: Arc::default() }
    }

    /// Records how the value can be read in a place by code that holds `passed_on`.
    fn record(&self, place: Place, passed_on: &Extensions) {
        let reading = if (self.mechanism.is_ambient)() {
            Reading::Ambient
        } else if (self.mechanism.is_in)(passed_on) {
            Reading::PassedOn
        } else {
            Reading::Impossible
        };
        self.seen.lock().unwrap().readings.insert(place, reading);
    }

    fn record_on_drop(&self, place: Place, passed_on: &Extensions) -> RecordOnDrop {
        RecordOnDrop { observations: self.clone(), place, passed_on: passed_on.clone() }
    }

    fn spawn(&self, passed_on: &Extensions) {
        let (observations, passed_on) = (self.clone(), passed_on.clone());
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let task = async move {
            let Ok(Wrapped(is_wrapped)) = receiver.await else { return };
            observations.record(Place::SpawnedTask, &passed_on);
            if is_wrapped {
                let mut seen = observations.seen.lock().unwrap();
                let reading = seen.readings.get_mut(&Place::SpawnedTask).unwrap();
                assert_eq!(mem::replace(reading, Reading::PassedOn), Reading::Ambient);
            }
        };
        let (task, wrapped) = (self.mechanism.spawn)(task.boxed());
        assert!(sender.send(wrapped).is_ok());
        self.seen.lock().unwrap().tasks.push(task);
    }

    pub(super) fn take_tasks(&self) -> Vec<JoinHandle<()>> {
        mem::take(&mut self.seen.lock().unwrap().tasks)
    }

    pub(super) fn into_readings(self) -> BTreeMap<Place, Reading> {
        mem::take(&mut self.seen.lock().unwrap().readings)
    }
}

/// Inner middleware that sees the response before its headers are sent.
pub(super) fn record_headers(observations: Observations) -> impl Fn(Response) -> Response + Clone {
    move |response| {
        observations.record(Place::Headers, response.extensions());
        response
    }
}

struct RecordOnDrop {
    observations: Observations,
    place: Place,
    passed_on: Extensions,
}

impl Drop for RecordOnDrop {
    fn drop(&mut self) {
        self.observations.record(self.place, &self.passed_on);
    }
}

#[derive(Clone)]
pub(super) struct Probe(Observations);

impl Probe {
    /// The path of a request that gets no response.
    pub(super) const PENDING: &str = "/pending";

    pub(super) fn new(observations: Observations) -> Self {
        Self(observations)
    }
}

impl Service<Request<Body>> for Probe {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (parts, _) = request.into_parts();
        let (observations, passed_on) = (self.0.clone(), parts.extensions);
        if parts.uri.path() == Self::PENDING {
            let on_drop = observations.record_on_drop(Place::DropWhenCancelled, &passed_on);
            return pending().inspect(move |_| drop(on_drop)).boxed();
        }
        observations.record(Place::Call, &passed_on);
        async move {
            observations.record(Place::Poll, &passed_on);
            observations.spawn(&passed_on);
            let at_end = observations.record_on_drop(Place::OnEnd, &Extensions::new());
            // Only this crate has such a callback. Where it cannot be registered, it is dropped outside of any request.
            if let Err(_rejected) = RequestContext::on_end(move |_| drop(at_end)) {
                observations.seen.lock().unwrap().readings.insert(Place::OnEnd, Reading::Impossible);
            }
            let on_drop = observations.record_on_drop(Place::DropOfBody, &passed_on);
            let body = ProbeBody { observations, passed_on: passed_on.clone(), is_done: false, _on_drop: on_drop };
            let mut response = Response::new(Body::new(body));
            *response.extensions_mut() = passed_on;
            Ok(response)
        }
        .boxed()
    }
}

struct ProbeBody {
    observations: Observations,
    passed_on: Extensions,
    is_done: bool,
    _on_drop: RecordOnDrop,
}

impl http_body::Body for ProbeBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if mem::replace(&mut self.is_done, true) {
            return Poll::Ready(None);
        }
        self.observations.record(Place::Frame, &self.passed_on);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"frame")))))
    }
}
