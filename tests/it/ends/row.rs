//! A row of the table: what is served, and how the reports are checked.

use std::{convert::Infallible, sync::Arc};

use axum::{
    BoxError, Router,
    body::Body,
    response::{IntoResponse, Response},
    routing::Route,
};
use futures_util::{FutureExt, future::BoxFuture};
use http::{Request, Version, request::Parts};
use tower::{Layer, ServiceExt, layer::layer_fn, service_fn, util::BoxCloneSyncService};
use tower_request_context::{End, RequestContextLayer, Store};

use super::{
    responses::DropReportingBody,
    session::{Server, Session},
};
use crate::{
    recorder::Recorder,
    support::{User, VERSIONS},
};

pub(crate) type HandlerResult = Result<Response, BoxError>;

/// The service of a stack of layers.
pub(crate) type BoxedService = BoxCloneSyncService<Request<Body>, Response, BoxError>;

type Handler = Arc<dyn Fn(Request<Body>) -> BoxFuture<'static, HandlerResult> + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Row {
    handler: Handler,
    setup: fn(&mut Store),
    rejection: Option<fn() -> Response>,
    inside: fn(BoxedService) -> BoxedService,
    outside: fn(BoxedService) -> BoxedService,
    servers: &'static [Server],
    versions: &'static [Version],
    /// The expected reports before the end: the handler's call, then the drops of its future and its body.
    reports_before_end: &'static [&'static str],
}

/// A row whose handler returns this response.
pub(crate) fn responding_with<R: IntoResponse>(response: impl Fn() -> R + Send + Sync + 'static) -> Row {
    handled_by(move |_| {
        let response = response().into_response();
        async { Ok(response) }
    })
}

pub(crate) fn handled_by<F>(handler: impl Fn(Request<Body>) -> F + Send + Sync + 'static) -> Row
where
    F: Future<Output = HandlerResult> + Send + 'static,
{
    Row {
        handler: Arc::new(move |request| handler(request).boxed()),
        setup: |_| {},
        rejection: None,
        inside: |app| app,
        outside: |app| app,
        servers: &Server::ALL,
        versions: &VERSIONS,
        reports_before_end: &["called", "future", "body"],
    }
}

/// A row whose setup rejects the request with this response.
pub(crate) fn rejecting(rejection: fn() -> Response) -> Row {
    Row { rejection: Some(rejection), reports_before_end: &["body"], ..responding_with(|| "called") }
}

impl Row {
    /// Adds code at the end of the setup.
    pub(crate) fn with_setup(self, setup: fn(&mut Store)) -> Self {
        Self { setup, ..self }
    }

    /// Adds a layer inside the layer under test.
    pub(crate) fn inside(self, inside: fn(BoxedService) -> BoxedService) -> Self {
        Self { inside, ..self }
    }

    /// Adds a layer outside the layer under test.
    pub(crate) fn outside(self, outside: fn(BoxedService) -> BoxedService) -> Self {
        Self { outside, ..self }
    }

    pub(crate) fn only_under(self, servers: &'static [Server]) -> Self {
        Self { servers, ..self }
    }

    pub(crate) fn only_on(self, versions: &'static [Version]) -> Self {
        Self { versions, ..self }
    }

    /// For a handler that returns no response, or whose response is replaced by an inner layer.
    pub(crate) fn without_body(self) -> Self {
        Self { reports_before_end: &["called", "future"], ..self }
    }

    /// For a handler that is not called.
    pub(crate) fn uncalled(self) -> Self {
        Self { reports_before_end: &[], ..self }
    }

    /// Serves this row, runs the client, and compares all reports with the expected ones.
    pub(crate) async fn ends(self, client: impl AsyncFn(&mut Session), end: End) {
        let end = format!("{end:?}");
        let in_context = self.reports_before_end.iter().copied().chain([&*end]).map(|what| format!("{what}: user 7"));
        let expected: Vec<_> = in_context.chain([String::from("value: nobody")]).collect();
        let mut mismatches = Vec::new();
        for server in self.servers {
            for version in self.versions {
                let mut session = Session::open(&self, *server, *version).await;
                client(&mut session).await;
                let reported = session.close().await;
                if reported != expected {
                    mismatches.push((server, version, reported));
                }
            }
        }
        assert!(mismatches.is_empty(), "not {expected:?} but {mismatches:#?}");
    }

    pub(crate) fn under_axum(&self, recorder: &Recorder) -> Router {
        let (row, recorder, handler) = (self.clone(), recorder.clone(), self.clone().handler(recorder.clone()));
        let handler = move |request| {
            let response = handler(request);
            async { response.await.expect("rows whose handler fails run only under hyper") }
        };
        Router::new().fallback(handler).layer(layer_fn(move |route: Route| {
            let app =
                BoxedService::new(ServiceExt::<Request<Body>>::map_err(route, |never: Infallible| match never {}));
            row.stack(app, &recorder).map_err(|error| -> Infallible { panic!("a layer fails: {error}") })
        }))
    }

    pub(crate) fn under_hyper(&self, recorder: &Recorder) -> BoxedService {
        self.stack(BoxedService::new(service_fn(self.clone().handler(recorder.clone()))), recorder)
    }

    /// Runs the row's handler for requests with a user. Requests without a user are not reported, and get a fixed
    /// response.
    fn handler(self, recorder: Recorder) -> impl Fn(Request<Body>) -> BoxFuture<'static, HandlerResult> + Clone {
        move |request| {
            let (row, recorder) = (self.clone(), recorder.clone());
            async move {
                let (parts, body) = request.into_parts();
                if User::of(&parts).is_none() {
                    return Ok(User::name().into_response());
                }
                recorder.saw("called");
                let _future = recorder.drop_of("future");
                let response = (row.handler)(Request::from_parts(parts, body)).await?;
                Ok(DropReportingBody::response(response, &recorder))
            }
            .boxed()
        }
    }

    fn stack(&self, handler: BoxedService, recorder: &Recorder) -> BoxedService {
        let (row, recorder) = (self.clone(), recorder.clone());
        #[expect(clippy::result_large_err, reason = "a rejection is a whole response")]
        let context = RequestContextLayer::new(move |store: &mut Store, parts: &mut Parts| {
            if !register_reports(store, parts, &recorder) {
                return Ok(());
            }
            (row.setup)(store);
            row.rejection.map_or(Ok(()), |rejection| Err(DropReportingBody::response(rejection(), &recorder)))
        });
        let app = context.layer((self.inside)(handler));
        (self.outside)(BoxedService::new(app.map_response(|response: http::Response<_>| response.map(Body::new))))
    }
}

/// Reports the end of a request and the drop of a value. Does nothing and returns false if the request has no user.
pub(crate) fn register_reports(store: &mut Store, parts: &Parts, recorder: &Recorder) -> bool {
    let Some(user) = User::of(parts) else { return false };
    store.insert(user);
    store.insert(recorder.drop_of("value"));
    let recorder = recorder.clone();
    store.on_end(move |end| recorder.saw(&format!("{end:?}")));
    true
}
