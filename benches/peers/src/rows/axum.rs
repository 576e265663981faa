//! The layer and its alternatives in axum, in process.

use std::{
    cell::RefCell,
    hint::black_box,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    Extension, Router,
    body::Body,
    extract::Request,
    handler::Handler,
    http::HeaderName,
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use metainfo::{METAINFO, MetaInfo};
use sentry_tower::NewSentryLayer;
use tower::{Service, ServiceBuilder, layer::layer_fn, util::MapRequestLayer};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_request_context::{RequestContext, RequestContextLayer, RequestIdPolicy};

use super::{
    drive::drive,
    guarantees::with_on_end,
    values::{Locale, Tenant, UserId, extend, insert_three},
    writes::{self, LOCKED},
};
use crate::{Group, Row, Target};

const BASELINE: &str = "a layer that does nothing";
const OURS: &str = "RequestContextLayer";
const MAP_REQUEST: &str = "MapRequestLayer, extensions";
const FROM_FN: &str = "from_fn, extensions";
const LOCKED_MAP: &str = "from_fn, task_local! with a locked map";
const METAINFO_MAP: &str = "from_fn, metainfo";
const ARC: &str = "from_fn, task_local! with an Arc";

pub(crate) const GROUPS: &[Group] = &[
    Group {
        name: "in axum: three values, three reads",
        baseline: true,
        rows: &[
            Row::new(BASELINE, |n| ask(app_without(), n)),
            Row::new(MAP_REQUEST, |n| ask(route(read_extensions).layer(MapRequestLayer::new(extended)), n)),
            Row::new(OURS, |n| ask(app_with_context(), n)),
            Row::new(FROM_FN, |n| ask(route(read_extensions).layer(from_fn(extending)), n)),
            Row::new(LOCKED_MAP, |n| ask(route(read_locked).layer(from_fn(locking)), n)),
            Row::new(METAINFO_MAP, |n| ask(route(read_metainfo).layer(from_fn(in_metainfo)), n)),
            Row::new("sentry-tower (a hub, no values)", |n| {
                ask(route(hello).layer(NewSentryLayer::<Request>::new_from_top()), n);
            }),
        ],
        targets: &[
            Target::times(OURS, 1.05, MAP_REQUEST),
            Target::times(OURS, 1.0, FROM_FN),
            Target::times(OURS, 1.0, LOCKED_MAP),
            Target::times(OURS, 1.0, METAINFO_MAP),
        ],
    },
    Group {
        name: "in axum: one struct, one read",
        baseline: true,
        rows: &[
            Row::new(BASELINE, |n| ask(route(hello).layer(layer_fn(Identity)), n)),
            Row::new(ARC, |n| ask(route(read_task_local).layer(from_fn(in_task_local)), n)),
            Row::new(OURS, |n| {
                let layer = RequestContextLayer::new(|store, _| {
                    store.insert(All::new());
                });
                ask(route(read_struct).layer(layer), n);
            }),
        ],
        targets: &[Target::times(OURS, 1.0, ARC)],
    },
    // `benches/cost.awk` finds this group by its name.
    Group {
        name: "in axum: the cost of each way to pass values to a handler",
        baseline: true,
        rows: &[
            Row::new(BASELINE, |n| ask(app_without(), n)),
            Row::new("extensions with from_fn, three values", |n| {
                ask(route(read_extensions).layer(from_fn(extending)), n);
            }),
            Row::new("task_local! with from_fn, three values in a struct", |n| {
                ask(route(read_task_local).layer(from_fn(in_task_local)), n);
            }),
            Row::new("tower-http's SetRequestIdLayer and PropagateRequestIdLayer", |n| {
                let name = HeaderName::from_static("x-request-id");
                let set = SetRequestIdLayer::new(name.clone(), MakeRequestUuid);
                let layer = ServiceBuilder::new().layer(set).layer(PropagateRequestIdLayer::new(name));
                ask(route(hello).layer(layer), n);
            }),
            Row::new("RequestContextLayer, empty", |n| ask(route(hello).layer(RequestContextLayer::new(|_, _| {})), n)),
            Row::new("RequestContextLayer, three values", |n| ask(app_with_context(), n)),
            Row::new("RequestContextLayer, three values and on_end", |n| {
                ask(route(read_context).layer(RequestContextLayer::new(with_on_end)), n);
            }),
            Row::new("RequestContextLayer, RequestIdPolicy", |n| {
                let ids = RequestIdPolicy::new();
                let layer = RequestContextLayer::new(move |store, request| {
                    ids.apply(store, request);
                });
                ask(route(hello).layer(layer), n);
            }),
        ],
        targets: &[],
    },
];

/// Returns an app with a layer that does nothing, and a handler that reads nothing.
pub fn app_without() -> Router {
    route(hello).layer(layer_fn(Identity))
}

/// Returns an app with three values, and a handler that reads them.
pub fn app_with_context() -> Router {
    route(read_context).layer(RequestContextLayer::new(|store, _| insert_three(store)))
}

pub(crate) fn ask(app: Router, n: u64) {
    drive::<_, Body, _>(app, n);
}

pub(crate) fn route<H, T>(handler: H) -> Router
where
    H: Handler<T, ()>,
    T: 'static,
{
    Router::new().route("/", get(handler))
}

/// A service that only calls its inner service. It is the baseline, because axum boxes any service that wraps a route.
#[derive(Clone)]
pub(crate) struct Identity<S>(pub(crate) S);

impl<S: Service<Request>> Service<Request> for Identity<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> S::Future {
        self.0.call(request)
    }
}

pub(crate) async fn hello() -> &'static str {
    "hello"
}

pub(crate) async fn read_context() -> &'static str {
    black_box((RequestContext::get::<UserId>(), RequestContext::get::<Tenant>(), RequestContext::get::<Locale>()));
    "hello"
}

async fn read_locked() -> &'static str {
    black_box((writes::get::<UserId>(), writes::get::<Tenant>(), writes::get::<Locale>()));
    "hello"
}

async fn read_extensions(
    user: Extension<UserId>,
    tenant: Extension<Tenant>,
    locale: Extension<Locale>,
) -> &'static str {
    black_box((user.0, tenant.0, locale.0));
    "hello"
}

fn extended(mut request: Request) -> Request {
    extend(request.extensions_mut());
    request
}

async fn extending(request: Request, next: Next) -> Response {
    next.run(extended(request)).await
}

async fn locking(request: Request, next: Next) -> Response {
    let response = async {
        writes::set(UserId(7));
        writes::set(Tenant(8));
        writes::set(Locale(9));
        next.run(request).await
    };
    LOCKED.scope(Arc::default(), response).await
}

async fn in_metainfo(request: Request, next: Next) -> Response {
    let mut values = MetaInfo::new();
    values.insert(UserId(7));
    values.insert(Tenant(8));
    values.insert(Locale(9));
    METAINFO.scope(RefCell::new(values), next.run(request)).await
}

async fn read_metainfo() -> &'static str {
    black_box((metainfo_of::<UserId>(), metainfo_of::<Tenant>(), metainfo_of::<Locale>()));
    "hello"
}

fn metainfo_of<T: Copy + Send + Sync + 'static>() -> Option<T> {
    METAINFO.try_with(|values| values.borrow().get().copied()).ok()?
}

/// All values of a request, in one struct.
#[derive(Clone, Copy)]
struct All {
    user: UserId,
    tenant: Tenant,
    locale: Locale,
}

impl All {
    fn new() -> Self {
        black_box(Self { user: UserId(7), tenant: Tenant(8), locale: Locale(9) })
    }
}

tokio::task_local! {
    static ALL: Arc<All>;
}

async fn in_task_local(request: Request, next: Next) -> Response {
    ALL.scope(Arc::new(All::new()), next.run(request)).await
}

async fn read_task_local() -> &'static str {
    black_box(ALL.with(|all| (all.user, all.tenant, all.locale)));
    "hello"
}

async fn read_struct() -> &'static str {
    black_box(RequestContext::with(|all: &All| (all.user, all.tenant, all.locale)));
    "hello"
}
