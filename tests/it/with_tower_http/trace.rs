//! `TraceLayer` and its callbacks, which see the context that is current where that layer stands in the stack.

use std::time::Duration;

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use tower::ServiceBuilder;
use tower_http::{
    classify::{GrpcErrorsAsFailures, MakeClassifier, ServerErrorsAsFailures, SharedClassifier},
    on_early_drop::{EarlyDropsAsFailures, OnEarlyDropLayer},
    trace::{MakeSpan, OnBodyChunk, OnEos, OnFailure, OnRequest, OnResponse, TraceLayer},
};
use tracing::Span;

use super::app::{Served, app};
use crate::{
    recorder::{Recorder, recorder},
    support::{User, in_time, layer},
};

/// Reports each callback.
#[derive(Clone)]
pub(crate) struct Callbacks(Recorder);

pub(crate) type Trace<M> = TraceLayer<M, Callbacks, Callbacks, Callbacks, Callbacks, Callbacks, Callbacks>;

pub(crate) fn trace(recorder: &Recorder) -> Trace<SharedClassifier<ServerErrorsAsFailures>> {
    trace_with(recorder, SharedClassifier::new(ServerErrorsAsFailures::new()))
}

fn trace_with<M: MakeClassifier>(recorder: &Recorder, classifier: M) -> Trace<M> {
    let callbacks = Callbacks(recorder.clone());
    TraceLayer::new(classifier)
        .make_span_with(callbacks.clone())
        .on_request(callbacks.clone())
        .on_response(callbacks.clone())
        .on_body_chunk(callbacks.clone())
        .on_eos(callbacks.clone())
        .on_failure(callbacks)
}

impl<B> MakeSpan<B> for Callbacks {
    fn make_span(&mut self, _: &Request<B>) -> Span {
        self.0.saw("make_span");
        Span::none()
    }
}

impl<B> OnRequest<B> for Callbacks {
    fn on_request(&mut self, _: &Request<B>, _: &Span) {
        self.0.saw("on_request");
    }
}

impl<B> OnResponse<B> for Callbacks {
    fn on_response(self, _: &Response<B>, _: Duration, _: &Span) {
        self.0.saw("on_response");
    }
}

impl<B> OnBodyChunk<B> for Callbacks {
    fn on_body_chunk(&mut self, _: &B, _: Duration, _: &Span) {
        self.0.saw("on_body_chunk");
    }
}

impl OnEos for Callbacks {
    fn on_eos(self, _: Option<&HeaderMap>, _: Duration, _: &Span) {
        self.0.saw("on_eos");
    }
}

impl<F> OnFailure<F> for Callbacks {
    fn on_failure(&mut self, _: F, _: Duration, _: &Span) {
        self.0.saw("on_failure");
    }
}

fn expected(callbacks: &[&str], who: &str) -> Vec<String> {
    callbacks.iter().map(|callback| format!("{callback}: {who}")).collect()
}

fn without_handlers() -> Recorder {
    recorder().0
}

const STREAMED: [&str; 7] =
    ["make_span", "on_request", "on_response", "on_body_chunk", "on_body_chunk", "on_body_chunk", "on_eos"];
const ERROR: [&str; 4] = ["make_span", "on_request", "on_response", "on_failure"];
const BROKEN: [&str; 7] =
    ["make_span", "on_request", "on_response", "on_body_chunk", "on_body_chunk", "on_body_chunk", "on_failure"];

#[tokio::test]
async fn trace_callbacks_inside_the_layer_see_the_user() {
    let (callbacks, mut reports) = recorder();
    let stack = ServiceBuilder::new().layer(layer()).layer(trace(&callbacks));
    let served = Served::start(app(without_handlers()).layer(stack)).await;
    served.text("/stream", Some(User(7))).await;
    assert_eq!(reports.until("on_eos").await, expected(&STREAMED, "user 7"));
    served.text("/error", Some(User(8))).await;
    assert_eq!(reports.until("on_failure").await, expected(&ERROR, "user 8"));
}

#[tokio::test]
async fn trace_callbacks_outside_the_layer_see_no_user() {
    let (callbacks, mut reports) = recorder();
    let stack = ServiceBuilder::new().layer(trace(&callbacks)).layer(layer());
    let served = Served::start(app(without_handlers()).layer(stack)).await;
    assert_eq!(served.text("/stream", Some(User(7))).await, "user 7user 7user 7");
    assert_eq!(reports.until("on_eos").await, expected(&STREAMED, "nobody"));
    served.text("/error", Some(User(8))).await;
    assert_eq!(reports.until("on_failure").await, expected(&ERROR, "nobody"));
}

#[tokio::test]
async fn body_failure_sees_the_user_only_inside_the_layer() {
    let grpc = || SharedClassifier::new(GrpcErrorsAsFailures::new());
    let (inside, mut inside_reports) = recorder();
    let (outside, mut outside_reports) = recorder();
    let stack = ServiceBuilder::new().layer(trace_with(&outside, grpc())).layer(layer());
    let stack = stack.layer(trace_with(&inside, grpc()));
    let served = Served::start(app(without_handlers()).layer(stack)).await;

    let response = served.get("/broken", Some(User(7))).await;
    assert!(in_time(response.collect()).await.is_err());
    assert_eq!(inside_reports.until("on_failure").await, expected(&BROKEN, "user 7"));
    assert_eq!(outside_reports.until("on_failure").await, expected(&BROKEN, "nobody"));
}

#[tokio::test]
async fn early_drop_sees_the_user_only_inside_the_layer() {
    let early_drops =
        |recorder: &Recorder| OnEarlyDropLayer::new(EarlyDropsAsFailures::new(Callbacks(recorder.clone())));
    let (inside, mut inside_reports) = recorder();
    let (outside, mut outside_reports) = recorder();
    let (handlers, mut handlers_reports) = recorder();
    let stack = ServiceBuilder::new().layer(early_drops(&outside)).layer(layer()).layer(early_drops(&inside));
    let served = Served::start(app(handlers).layer(stack)).await;

    tokio::select! {
        response = served.get("/hold", Some(User(7))) => panic!("unexpected response: {response:?}"),
        held = handlers_reports.next() => assert_eq!(held, "holding: user 7"),
    }
    assert_eq!(inside_reports.next().await, "on_failure: user 7");
    assert_eq!(outside_reports.next().await, "on_failure: nobody");

    drop(served.get("/stream-on", Some(User(8))).await);
    assert_eq!(inside_reports.next().await, "on_failure: user 8");
    assert_eq!(outside_reports.next().await, "on_failure: nobody");
}
