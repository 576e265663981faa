//! Inside of axum, in process: what its users write today.

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
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use metainfo::{METAINFO, MetaInfo};
use sentry_tower::NewSentryLayer;
use tower::{Service, layer::layer_fn, util::MapRequestLayer};
use tower_request_context::{RequestContext, RequestContextLayer};

use super::{
    drive::drive,
    values::{Locale, Tenant, UserId, extend, seed},
    writes::{self, LOCKED},
};
use crate::Row;

const THREE: &str = "in axum: three values, three reads";
const STRUCT: &str = "in axum: one struct, one read";

pub(crate) const ROWS: &[Row] = &[
    Row { group: THREE, name: "a layer that does nothing", run: |n| ask(route(hello).layer(layer_fn(Identity)), n) },
    Row {
        group: THREE,
        name: "RequestContextLayer",
        run: |n| ask(route(read_context).layer(RequestContextLayer::new(|store, _| seed(store))), n),
    },
    Row {
        group: THREE,
        name: "MapRequestLayer, extensions",
        run: |n| ask(route(read_extensions).layer(MapRequestLayer::new(extended)), n),
    },
    Row {
        group: THREE,
        name: "from_fn, extensions",
        run: |n| ask(route(read_extensions).layer(from_fn(extending)), n),
    },
    Row {
        group: THREE,
        name: "from_fn, task_local! of a locked map",
        run: |n| ask(route(read_locked).layer(from_fn(locking)), n),
    },
    Row { group: THREE, name: "from_fn, metainfo", run: |n| ask(route(read_metainfo).layer(from_fn(in_metainfo)), n) },
    Row {
        group: THREE,
        name: "sentry-tower (a hub, no values)",
        run: |n| ask(route(hello).layer(NewSentryLayer::<Request>::new_from_top()), n),
    },
    Row { group: STRUCT, name: "a layer that does nothing", run: |n| ask(route(hello).layer(layer_fn(Identity)), n) },
    Row {
        group: STRUCT,
        name: "from_fn, task_local! of an Arc of it",
        run: |n| ask(route(read_task_local).layer(from_fn(in_task_local)), n),
    },
    Row {
        group: STRUCT,
        name: "RequestContextLayer",
        run: |n| {
            ask(
                route(read_struct).layer(RequestContextLayer::new(|store, _| {
                    store.insert(All::new());
                })),
                n,
            )
        },
    },
];

fn ask(app: Router, n: u64) {
    drive::<_, Body, _>(app, n);
}

fn route<H, T>(handler: H) -> Router
where
    H: Handler<T, ()>,
    T: 'static,
{
    Router::new().route("/", get(handler))
}

/// The least that a layer can be: axum boxes what a route is wrapped in.
#[derive(Clone)]
struct Identity<S>(S);

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

async fn hello() -> &'static str {
    "hello"
}

async fn read_context() -> &'static str {
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
    let answer = async {
        writes::set(UserId(7));
        writes::set(Tenant(8));
        writes::set(Locale(9));
        next.run(request).await
    };
    LOCKED.scope(Arc::default(), answer).await
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

/// All that a request knows, in one struct.
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
