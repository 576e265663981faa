//! What is served in a row of the table, and how it is checked.

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
    answers::Watched,
    visit::{Server, Visit},
};
use crate::{
    recorder::Recorder,
    support::{User, VERSIONS},
};

pub(crate) type Answer = Result<Response, BoxError>;

/// A service of any stack.
pub(crate) type App = BoxCloneSyncService<Request<Body>, Response, BoxError>;

type Handler = Arc<dyn Fn(Request<Body>) -> BoxFuture<'static, Answer> + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Row {
    handler: Handler,
    setup: fn(&mut Store),
    refusal: Option<fn() -> Response>,
    inside: fn(App) -> App,
    outside: fn(App) -> App,
    servers: &'static [Server],
    versions: &'static [Version],
    /// What the request goes through, each of which is reported when it is dropped.
    passes: &'static [&'static str],
}

/// A handler that answers so.
pub(crate) fn answering<R: IntoResponse>(answer: impl Fn() -> R + Send + Sync + 'static) -> Row {
    handling(move |_| {
        let response = answer().into_response();
        async { Ok(response) }
    })
}

pub(crate) fn handling<F>(handler: impl Fn(Request<Body>) -> F + Send + Sync + 'static) -> Row
where
    F: Future<Output = Answer> + Send + 'static,
{
    Row {
        handler: Arc::new(move |request| handler(request).boxed()),
        setup: |_| {},
        refusal: None,
        inside: |app| app,
        outside: |app| app,
        servers: &Server::ALL,
        versions: &VERSIONS,
        passes: &["called", "future", "body"],
    }
}

/// A setup that refuses so.
pub(crate) fn refusing(refusal: fn() -> Response) -> Row {
    Row { refusal: Some(refusal), passes: &["body"], ..answering(|| "called") }
}

impl Row {
    /// What the setup does at last.
    pub(crate) fn setting_up(self, setup: fn(&mut Store)) -> Self {
        Self { setup, ..self }
    }

    /// A layer between the handler and the context.
    pub(crate) fn inside(self, inside: fn(App) -> App) -> Self {
        Self { inside, ..self }
    }

    /// A layer around the context.
    pub(crate) fn outside(self, outside: fn(App) -> App) -> Self {
        Self { outside, ..self }
    }

    pub(crate) fn only_under(self, servers: &'static [Server]) -> Self {
        Self { servers, ..self }
    }

    pub(crate) fn only_on(self, versions: &'static [Version]) -> Self {
        Self { versions, ..self }
    }

    /// For a handler whose response does not come, or does not leave the layers inside.
    pub(crate) fn without_body(self) -> Self {
        Self { passes: &["called", "future"], ..self }
    }

    /// For a handler that is not reached.
    pub(crate) fn uncalled(self) -> Self {
        Self { passes: &[], ..self }
    }

    /// Serves this row, sends a client, and compares all that is reported with what is promised.
    pub(crate) async fn ends(self, client: impl AsyncFn(&mut Visit), end: End) {
        let end = format!("{end:?}");
        let in_context = self.passes.iter().copied().chain([&*end]).map(|what| format!("{what}: user 7"));
        let expected: Vec<_> = in_context.chain([String::from("value: nobody")]).collect();
        let mut others = Vec::new();
        for server in self.servers {
            for version in self.versions {
                let mut visit = Visit::open(&self, *server, *version).await;
                client(&mut visit).await;
                let reported = visit.close().await;
                if reported != expected {
                    others.push((server, version, reported));
                }
            }
        }
        assert!(others.is_empty(), "not {expected:?} but {others:#?}");
    }

    pub(crate) fn under_axum(&self, recorder: &Recorder) -> Router {
        let (row, recorder, handler) = (self.clone(), recorder.clone(), self.clone().handler(recorder.clone()));
        let handler = move |request| {
            let answer = handler(request);
            async { answer.await.expect("this row fails, which a handler of axum's does not") }
        };
        Router::new().fallback(handler).layer(layer_fn(move |route: Route| {
            let app = App::new(ServiceExt::<Request<Body>>::map_err(route, |never: Infallible| match never {}));
            row.stack(app, &recorder).map_err(|error| -> Infallible { panic!("a layer fails: {error}") })
        }))
    }

    pub(crate) fn under_hyper(&self, recorder: &Recorder) -> App {
        self.stack(App::new(service_fn(self.clone().handler(recorder.clone()))), recorder)
    }

    /// Answers those who are somebody, watched; and nobody at once, unwatched.
    fn handler(self, recorder: Recorder) -> impl Fn(Request<Body>) -> BoxFuture<'static, Answer> + Clone {
        move |request| {
            let (row, recorder) = (self.clone(), recorder.clone());
            async move {
                let (head, body) = request.into_parts();
                if User::of(&head).is_none() {
                    return Ok(User::name().into_response());
                }
                recorder.saw("called");
                let _future = recorder.drop_of("future");
                let response = (row.handler)(Request::from_parts(head, body)).await?;
                Ok(Watched::response(response, &recorder))
            }
            .boxed()
        }
    }

    fn stack(&self, handler: App, recorder: &Recorder) -> App {
        let (row, recorder) = (self.clone(), recorder.clone());
        #[expect(clippy::result_large_err, reason = "a setup refuses with a whole response")]
        let context = RequestContextLayer::new(move |store: &mut Store, head: &mut Parts| {
            if !seed(store, head, &recorder) {
                return Ok(());
            }
            (row.setup)(store);
            row.refusal.map_or(Ok(()), |refusal| Err(Watched::response(refusal(), &recorder)))
        });
        let app = context.layer((self.inside)(handler));
        (self.outside)(App::new(app.map_response(|response: http::Response<_>| response.map(Body::new))))
    }
}

/// Has the end of a request reported, and the drop of a value, if it is somebody's.
pub(crate) fn seed(store: &mut Store, head: &Parts, recorder: &Recorder) -> bool {
    let Some(user) = User::of(head) else { return false };
    store.insert(user);
    store.insert(recorder.drop_of("value"));
    let recorder = recorder.clone();
    store.on_end(move |end| recorder.saw(&format!("{end:?}")));
    true
}
