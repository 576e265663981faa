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
    http::request::Parts,
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use metainfo::{METAINFO, MetaInfo};
use sentry_tower::NewSentryLayer;
use tower::{Service, util::MapRequestLayer};
use tower_request_context::{ContextValue, RequestContext, RequestContextLayer, Store};

use super::{
    drive::drive,
    values::{Locale, Tenant, UserId, extend},
    ways::{EXTENSIONS, IDENTITY, TASK_LOCAL, THREE},
    writes::{self, LOCKED},
};
use crate::{Group, Row, Target};

const OURS: &str = "RequestContextLayer";
const MAP_REQUEST: &str = "MapRequestLayer, extensions";
const FROM_FN: &str = "from_fn, extensions";
const LOCKED_MAP: &str = "from_fn, task_local! with a locked map";
const METAINFO_MAP: &str = "from_fn, metainfo";
const ARC: &str = "from_fn, task_local! with an Arc";
const EXTENSION: &str = "axum's Extension, as layer and extractor";

pub(crate) const GROUPS: &[Group] = &[
    Group {
        name: "in axum: three values, three reads",
        baseline: true,
        rows: &[
            Row::new(IDENTITY.name, |n| ask((IDENTITY.app)(), n)),
            Row::new(MAP_REQUEST, |n| ask(route(read_extensions).layer(MapRequestLayer::new(extended)), n)),
            Row::new(OURS, |n| ask((THREE.app)(), n)),
            Row::new(FROM_FN, |n| ask((EXTENSIONS.app)(), n)),
            Row::new(LOCKED_MAP, |n| ask(route(read_locked).layer(from_fn(locking)), n)),
            Row::new(METAINFO_MAP, |n| ask(route(read_metainfo).layer(from_fn(in_metainfo)), n)),
            Row::new("sentry-tower (a hub, no values)", |n| {
                ask(route(hello).layer(NewSentryLayer::<Request>::new_from_top()), n);
            }),
        ],
        targets: &[
            Target::times(OURS, 1.2, MAP_REQUEST),
            Target::times(OURS, 1.0, FROM_FN),
            Target::times(OURS, 1.0, LOCKED_MAP),
            Target::times(OURS, 1.0, METAINFO_MAP),
        ],
    },
    Group {
        name: "in axum: one struct, one read",
        baseline: true,
        rows: &[
            Row::new(IDENTITY.name, |n| ask((IDENTITY.app)(), n)),
            Row::new(ARC, |n| ask((TASK_LOCAL.app)(), n)),
            Row::new(OURS, |n| {
                let layer = RequestContextLayer::new(|store, _| {
                    store.insert(All::new());
                });
                ask(route(read_struct).layer(layer), n);
            }),
        ],
        targets: &[Target::times(OURS, 1.0, ARC)],
    },
    Group {
        name: "in axum: one value, one extractor",
        baseline: true,
        rows: &[
            Row::new(IDENTITY.name, |n| ask((IDENTITY.app)(), n)),
            Row::new(EXTENSION, |n| ask(route(extract_extension).layer(Extension(UserId(7))), n)),
            Row::new("RequestContextLayer, RequestContext::get", |n| {
                ask(route(read_user).layer(RequestContextLayer::new(insert_user)), n);
            }),
            Row::new("RequestContextLayer, ContextValue", |n| {
                ask(route(extract_user).layer(RequestContextLayer::new(insert_user)), n);
            }),
            Row::new("RequestContextLayer with insert_extension, ContextValue", |n| {
                ask(route(extract_user).layer(RequestContextLayer::new(insert_user).insert_extension()), n);
            }),
        ],
        targets: &[],
    },
];

/// Sends `n` requests to an app.
///
/// `with_state` turns its handlers into routes once, as `axum::serve` does for each connection. A `Router` that is called
/// without it does so for each request, and copies all layers.
pub(crate) fn ask(app: Router, n: u64) {
    drive::<_, Body, _>(app.with_state(()), n);
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

pub(super) async fn read_extensions(
    user: Extension<UserId>,
    tenant: Extension<Tenant>,
    locale: Extension<Locale>,
) -> &'static str {
    black_box((user.0, tenant.0, locale.0));
    "hello"
}

async fn extract_extension(Extension(user): Extension<UserId>) -> &'static str {
    black_box(user);
    "hello"
}

fn insert_user(store: &mut Store, _: &mut Parts) {
    store.insert(UserId(7));
}

async fn read_user() -> &'static str {
    black_box(RequestContext::get::<UserId>());
    "hello"
}

async fn extract_user(ContextValue(user): ContextValue<UserId>) -> &'static str {
    black_box(user);
    "hello"
}

fn extended(mut request: Request) -> Request {
    extend(request.extensions_mut());
    request
}

pub(super) async fn extending(request: Request, next: Next) -> Response {
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

pub(super) async fn in_task_local(request: Request, next: Next) -> Response {
    ALL.scope(Arc::new(All::new()), next.run(request)).await
}

pub(super) async fn read_task_local() -> &'static str {
    black_box(ALL.with(|all| (all.user, all.tenant, all.locale)));
    "hello"
}

async fn read_struct() -> &'static str {
    black_box(RequestContext::with(|all: &All| (all.user, all.tenant, all.locale)));
    "hello"
}
