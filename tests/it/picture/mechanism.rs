//! The ways to give a value to the code of a request.

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
};
use futures_util::future::BoxFuture;
use http::Extensions;
use tokio::task::JoinHandle;
use tower_http::trace::TraceLayer;
use tower_request_context::{RequestContext, RequestContextLayer};
use tracing::{Instrument, Span, info_span};

#[derive(Clone)]
pub(super) struct User;

pub(super) struct Mechanism {
    pub(super) name: &'static str,
    /// Adds the layer that makes the value available.
    pub(super) wrap: fn(Router) -> Router,
    /// Returns whether code without an argument can read the value.
    pub(super) is_ambient: fn() -> bool,
    /// Returns whether code that was given a request, or what it passed on, can read the value.
    pub(super) is_in: fn(&Extensions) -> bool,
    /// Spawns as a user of this mechanism does, and returns whether that needs no wrapper around the future.
    pub(super) spawn: fn(BoxFuture<'static, ()>) -> (JoinHandle<()>, Wrapped),
}

/// Whether the code that spawns has to wrap the future itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Wrapped(pub(super) bool);

pub(super) static MECHANISMS: [&Mechanism; 4] = [
    &Mechanism {
        name: "request extensions",
        wrap: |app| {
            app.layer(from_fn(async |mut request: Request, next: Next| {
                request.extensions_mut().insert(User);
                next.run(request).await
            }))
        },
        is_ambient: || false,
        is_in: |extensions| extensions.get::<User>().is_some(),
        spawn: |future| (tokio::spawn(future), Wrapped(false)),
    },
    &Mechanism {
        name: "tokio::task_local!",
        wrap: |app| {
            app.layer(from_fn(async |request: Request, next: Next| TASK_LOCAL.scope(User, next.run(request)).await))
        },
        is_ambient: || TASK_LOCAL.try_with(|_| ()).is_ok(),
        is_in: |_| false,
        spawn: |future| (tokio::spawn(TASK_LOCAL.scope(TASK_LOCAL.get(), future)), Wrapped(true)),
    },
    &Mechanism {
        name: "TraceLayer's span",
        wrap: |app| app.layer(TraceLayer::new_for_http().make_span_with(|_: &Request| info_span!("request"))),
        is_ambient: || Span::current().metadata().is_some_and(|span| span.name() == "request"),
        is_in: |_| false,
        spawn: |future| (tokio::spawn(future.in_current_span()), Wrapped(true)),
    },
    &Mechanism {
        name: "tower-request-context",
        wrap: |app| {
            app.layer(RequestContextLayer::new(|store, _| {
                store.insert(User);
            }))
        },
        is_ambient: RequestContext::contains::<User>,
        is_in: |_| false,
        spawn: |future| (RequestContext::spawn(future), Wrapped(false)),
    },
];

tokio::task_local! {
    static TASK_LOCAL: User;
}
