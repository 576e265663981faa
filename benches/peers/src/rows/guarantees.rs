//! What each guarantee costs that middleware by hand does not give: the same three values, for more and more of a request.

use std::{future::poll_fn, pin::pin};

use axum::{Router, extract::Request, routing::Route};
use http::request::Parts;
use tower::{Service, layer::layer_fn, service_fn};
use tower_request_context::{RequestContext, RequestContextLayer, Store};

use super::{
    axum::{Identity, ask, read_context, route},
    layer::on_end,
    values::{context, seed},
};
use crate::{Group, Row};

pub(crate) const GROUPS: &[Group] = &[Group {
    name: "in axum: three values, current …",
    floor: true,
    rows: &[
        Row::new("in a layer that does nothing: nowhere", |n| ask(app().layer(layer_fn(Identity)), n)),
        Row::new("… in the polls", |n| {
            let layer =
                layer_fn(|mut inner: Route| service_fn(move |request: Request| polled(context(), inner.call(request))));
            ask(app().layer(layer), n);
        }),
        Row::new("… and in the call", |n| {
            let layer = layer_fn(|mut inner: Route| {
                service_fn(move |request: Request| {
                    let context = context();
                    let future = context.sync_scope(|| inner.call(request));
                    polled(context, future)
                })
            });
            ask(app().layer(layer), n);
        }),
        Row::new("… and in the drops", |n| {
            let layer = layer_fn(|mut inner: Route| {
                service_fn(move |request: Request| {
                    let context = context();
                    context.scope(context.sync_scope(|| inner.call(request)))
                })
            });
            ask(app().layer(layer), n);
        }),
        Row::new("… and in the body", |n| {
            let layer = layer_fn(|mut inner: Route| {
                service_fn(move |request: Request| {
                    let context = context();
                    let future = context.scope(context.sync_scope(|| inner.call(request)));
                    async move { future.await.map(|response| response.map(|body| context.scope(body))) }
                })
            });
            ask(app().layer(layer), n);
        }),
        Row::new("… with callbacks and an end: RequestContextLayer", |n| {
            ask(app().layer(RequestContextLayer::new(|store, _| seed(store))), n);
        }),
        Row::new("… and told to an on_end", |n| ask(app().layer(RequestContextLayer::new(told)), n)),
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

fn told(store: &mut Store, request: &mut Parts) {
    seed(store);
    on_end(store, request);
}
