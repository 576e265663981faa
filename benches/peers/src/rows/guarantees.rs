//! The cost of each guarantee that hand-written middleware does not give: three values, available in ever more of a request.

use std::{future::poll_fn, pin::pin};

use axum::{Router, extract::Request, routing::Route};
use http::request::Parts;
use tower::{Service, layer::layer_fn, service_fn};
use tower_request_context::{RequestContext, RequestContextLayer, Store};

use super::{
    axum::{Identity, ask, read_context, route},
    layer::on_end,
    values::{context, insert_three},
};
use crate::{Group, Row};

pub(crate) const GROUPS: &[Group] = &[Group {
    name: "in axum: three values, available in …",
    baseline: true,
    rows: &[
        Row::new("nothing: a layer that does nothing", |n| ask(app().layer(layer_fn(Identity)), n)),
        Row::new("… polls", |n| {
            let layer =
                layer_fn(|mut inner: Route| service_fn(move |request: Request| polled(context(), inner.call(request))));
            ask(app().layer(layer), n);
        }),
        Row::new("… and call", |n| {
            let layer = layer_fn(|mut inner: Route| {
                service_fn(move |request: Request| {
                    let context = context();
                    let future = context.sync_scope(|| inner.call(request));
                    polled(context, future)
                })
            });
            ask(app().layer(layer), n);
        }),
        Row::new("… and drops", |n| {
            let layer = layer_fn(|mut inner: Route| {
                service_fn(move |request: Request| {
                    let context = context();
                    context.scope(context.sync_scope(|| inner.call(request)))
                })
            });
            ask(app().layer(layer), n);
        }),
        Row::new("… and the body", |n| {
            let layer = layer_fn(|mut inner: Route| {
                service_fn(move |request: Request| {
                    let context = context();
                    let future = context.scope(context.sync_scope(|| inner.call(request)));
                    async move { future.await.map(|response| response.map(|body| context.scope(body))) }
                })
            });
            ask(app().layer(layer), n);
        }),
        Row::new("… with callbacks and completion: RequestContextLayer", |n| {
            ask(app().layer(RequestContextLayer::new(|store, _| insert_three(store))), n);
        }),
        Row::new("… and an on_end callback", |n| ask(app().layer(RequestContextLayer::new(with_on_end)), n)),
    ],
    targets: &[],
}];

fn app() -> Router {
    route(read_context)
}

async fn polled<T: Future>(context: RequestContext, future: T) -> T::Output {
    let mut future = pin!(future);
    poll_fn(|cx| context.sync_scope(|| future.as_mut().poll(cx))).await
}

pub(crate) fn with_on_end(store: &mut Store, request: &mut Parts) {
    insert_three(store);
    on_end(store, request);
}
