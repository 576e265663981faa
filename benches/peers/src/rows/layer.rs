//! The layer around a bare service, and hand-written alternatives.

use std::{convert::Infallible, hint::black_box};

use http::{Request, Response, request::Parts};
use http_body_util::Full;
use tower::{Layer, service_fn, util::MapRequestLayer};
use tower_request_context::{RequestContext, RequestContextLayer, Store};

use super::{
    drive::drive,
    task_local::TaskLocalService,
    values::{Locale, Tenant, UserId, extend, insert_three},
};
use crate::{Group, Row, Target};

const OURS: &str = "RequestContextLayer";
const MAP_REQUEST: &str = "MapRequestLayer, http::Extensions";

pub(crate) const GROUPS: &[Group] = &[
    Group {
        name: "an empty layer",
        baseline: true,
        rows: &[
            Row::new("the bare service", |n| drive::<_, (), _>(service_fn(bare), n)),
            Row::new(OURS, |n| drive::<_, (), _>(RequestContextLayer::new(|_, _| {}).layer(service_fn(bare)), n)),
            Row::new("… with an on_response", |n| {
                drive::<_, (), _>(RequestContextLayer::new(on_response).layer(service_fn(bare)), n);
            }),
            Row::new("… with an on_end", |n| {
                drive::<_, (), _>(RequestContextLayer::new(on_end).layer(service_fn(bare)), n);
            }),
            Row::new("task_local! around call, poll, frame and drop", |n| {
                drive::<_, (), _>(TaskLocalService(service_fn(bare)), n);
            }),
        ],
        targets: &[Target::instructions(OURS, 600.0), Target::allocations(OURS, 1.0)],
    },
    Group {
        name: "three values, three reads",
        baseline: true,
        rows: &[
            Row::new("the bare service", |n| drive::<_, (), _>(service_fn(bare), n)),
            Row::new(MAP_REQUEST, |n| drive::<_, (), _>(map_request().layer(service_fn(read_extensions)), n)),
            Row::new(OURS, |n| {
                drive::<_, (), _>(RequestContextLayer::new(three).layer(service_fn(read_context)), n);
            }),
        ],
        targets: &[Target::times(OURS, 1.0, MAP_REQUEST), Target::allocations(OURS, 4.0)],
    },
];

pub(crate) type HandlerResult = Result<Response<Full<&'static [u8]>>, Infallible>;

pub(crate) async fn bare(request: Request<()>) -> HandlerResult {
    black_box(request);
    Ok(Response::new(Full::new(b"hello")))
}

fn on_response(store: &mut Store, _: &mut Parts) {
    store.on_response(|response| {
        black_box(response);
    });
}

pub(crate) fn on_end(store: &mut Store, _: &mut Parts) {
    store.on_end(|end| {
        black_box(end);
    });
}

fn three(store: &mut Store, request: &mut Parts) {
    black_box(request);
    insert_three(store);
}

async fn read_context(request: Request<()>) -> HandlerResult {
    black_box((RequestContext::get::<UserId>(), RequestContext::get::<Tenant>(), RequestContext::get::<Locale>()));
    bare(request).await
}

fn map_request() -> MapRequestLayer<impl Fn(Request<()>) -> Request<()> + Copy> {
    MapRequestLayer::new(|mut request: Request<()>| {
        extend(black_box(request.extensions_mut()));
        request
    })
}

async fn read_extensions(request: Request<()>) -> HandlerResult {
    let extensions = request.extensions();
    black_box((
        extensions.get::<UserId>().copied(),
        extensions.get::<Tenant>().copied(),
        extensions.get::<Locale>().copied(),
    ));
    bare(request).await
}
