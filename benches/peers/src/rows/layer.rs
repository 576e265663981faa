//! The layer around a bare service, and what one would put there by hand.

use std::{
    convert::Infallible,
    hint::black_box,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Extensions, Request, Response, request::Parts};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;
use tokio::task::futures::TaskLocalFuture;
use tower::{Layer, Service, service_fn, util::MapRequestLayer};
use tower_request_context::{RequestContext, RequestContextLayer, Store};

use super::{
    drive::drive,
    values::{EXTENSIONS, Locale, Tenant, UserId, extend, seed},
};
use crate::Row;

const EMPTY: &str = "an empty layer";
const THREE: &str = "three values, three reads";

pub(crate) const ROWS: &[Row] = &[
    Row { group: EMPTY, name: "the bare service", run: |n| drive::<_, (), _>(service_fn(bare), n) },
    Row {
        group: EMPTY,
        name: "RequestContextLayer",
        run: |n| drive::<_, (), _>(RequestContextLayer::new(|_, _| {}).layer(service_fn(bare)), n),
    },
    Row {
        group: EMPTY,
        name: "… with an on_end",
        run: |n| drive::<_, (), _>(RequestContextLayer::new(on_end).layer(service_fn(bare)), n),
    },
    Row {
        group: EMPTY,
        name: "task_local! around call, poll, frame and drop",
        run: |n| drive::<_, (), _>(ByTokio(service_fn(bare)), n),
    },
    Row { group: THREE, name: "the bare service", run: |n| drive::<_, (), _>(service_fn(bare), n) },
    Row {
        group: THREE,
        name: "MapRequestLayer, http::Extensions",
        run: |n| drive::<_, (), _>(map_request().layer(service_fn(read_extensions)), n),
    },
    Row {
        group: THREE,
        name: "RequestContextLayer",
        run: |n| drive::<_, (), _>(RequestContextLayer::new(three).layer(service_fn(read_context)), n),
    },
];

type Answer = Result<Response<Full<&'static [u8]>>, Infallible>;

async fn bare(request: Request<()>) -> Answer {
    black_box(request);
    Ok(Response::new(Full::new(b"hello")))
}

fn on_end(store: &mut Store, _: &mut Parts) {
    store.on_end(|end| {
        black_box(end);
    });
}

fn three(store: &mut Store, request: &mut Parts) {
    black_box(request);
    seed(store);
}

async fn read_context(request: Request<()>) -> Answer {
    black_box((RequestContext::get::<UserId>(), RequestContext::get::<Tenant>(), RequestContext::get::<Locale>()));
    bare(request).await
}

fn map_request() -> MapRequestLayer<impl Fn(Request<()>) -> Request<()> + Copy> {
    MapRequestLayer::new(|mut request: Request<()>| {
        extend(black_box(request.extensions_mut()));
        request
    })
}

async fn read_extensions(request: Request<()>) -> Answer {
    let extensions = request.extensions();
    black_box((
        extensions.get::<UserId>().copied(),
        extensions.get::<Tenant>().copied(),
        extensions.get::<Locale>().copied(),
    ));
    bare(request).await
}

/// What the layer would be on `tokio::task_local!`, without callbacks and without an end.
#[derive(Clone)]
struct ByTokio<S>(S);

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for ByTokio<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<Scoped<ResBody>>;
    type Error = S::Error;
    type Future = Scoped<TaskLocalFuture<Arc<Extensions>, S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let values = Arc::new(Extensions::new());
        let future = EXTENSIONS.sync_scope(Arc::clone(&values), || self.0.call(request));
        Scoped { inner: EXTENSIONS.scope(Arc::clone(&values), future), values }
    }
}

pin_project! {
    struct Scoped<T> {
        #[pin]
        inner: T,
        values: Arc<Extensions>,
    }
}

impl<F, B, E> Future for Scoped<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<Scoped<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx));
        Poll::Ready(response.map(|response| response.map(|inner| Scoped { inner, values: Arc::clone(this.values) })))
    }
}

impl<B: Body> Body for Scoped<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        EXTENSIONS.sync_scope(Arc::clone(this.values), || this.inner.poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
