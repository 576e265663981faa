//! `recipes::metrics`: the gRPC status of real calls in an access log.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use tokio::sync::mpsc::unbounded_channel;
use tonic::{Code, transport::Server};
use tower_http::trace::TraceLayer;
use tower_request_context::{End, RequestContext, RequestContextLayer};
use tracing::Span;

use crate::{
    recorder::recorder,
    support::in_time,
    with_tonic::{
        client::call,
        connect,
        echo::{Echo, Method},
    },
};

#[derive(Clone)]
struct GrpcStatus(HeaderValue);

fn record(headers: &HeaderMap) {
    if let Some(status) = headers.get("grpc-status") {
        RequestContext::set(GrpcStatus(status.clone())).unwrap();
    }
}

#[tokio::test]
async fn the_access_log_has_the_status_of_headers_and_of_trailers() {
    let (log, mut logged) = unbounded_channel();
    let context = RequestContextLayer::new(move |store, request| {
        let (log, path) = (log.clone(), request.uri.path().to_owned());
        store.on_response(|parts| record(&parts.headers));
        store.on_end(move |end| {
            let status = RequestContext::with(|GrpcStatus(status)| status.to_str().unwrap().to_owned());
            log.send((path, status, end)).unwrap();
        });
    });
    let trace = TraceLayer::new_for_grpc().on_eos(|trailers: Option<&HeaderMap>, _: Duration, _: &Span| {
        trailers.into_iter().for_each(record);
    });
    let echo = Echo::new(recorder().0, 1);
    let channel = connect(|incoming| {
        Server::builder().layer(context).layer(trace).add_service(echo).serve_with_incoming(incoming)
    })
    .await;

    for method in Method::ALL {
        for (words, code) in
            [(["one", "two"], Code::Ok), (["fail", "two"], Code::Aborted), (["one", "fail"], Code::Aborted)]
        {
            let called = in_time(call(&channel, method, None, &words)).await;
            assert_eq!(called.map_or_else(|status| status.code(), |_| Code::Ok), code, "{method:?}");
            let expected = (method.path().to_owned(), Some((code as i32).to_string()), End::Completed);
            assert_eq!(in_time(logged.recv()).await, Some(expected), "{method:?}, {words:?}");
        }
    }
}
