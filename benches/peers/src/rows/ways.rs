//! Ways to pass values to a handler in axum, each as an app. The group below counts what each costs in process.
//! `src/end_to_end` puts the same apps under load.

use axum::{Router, http::HeaderName, middleware::from_fn};
use tower::{ServiceBuilder, layer::layer_fn};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_request_context::{RequestContextLayer, RequestIdPolicy};

use super::{
    axum::{Identity, ask, extending, hello, in_task_local, read_context, read_extensions, read_task_local, route},
    guarantees::with_on_end,
    values::insert_three,
};
use crate::{Group, Row};

/// A way to pass values to a handler.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// Selects it on the command line.
    pub key: &'static str,
    pub name: &'static str,
    pub app: fn() -> Router,
}

/// The baseline: axum boxes any service that wraps a route, even one that does nothing.
pub const IDENTITY: Way =
    Way { key: "identity", name: "a layer that does nothing", app: || route(hello).layer(layer_fn(Identity)) };

pub const NONE: Way = Way { key: "none", name: "no layer", app: || route(hello) };

pub const EXTENSIONS: Way = Way {
    key: "extensions",
    name: "extensions with from_fn, three values",
    app: || route(read_extensions).layer(from_fn(extending)),
};

pub const TASK_LOCAL: Way = Way {
    key: "task_local",
    name: "task_local! with from_fn, three values in a struct",
    app: || route(read_task_local).layer(from_fn(in_task_local)),
};

pub const TOWER_HTTP: Way = Way {
    key: "tower_http",
    name: "tower-http's SetRequestIdLayer and PropagateRequestIdLayer",
    app: || {
        let name = HeaderName::from_static("x-request-id");
        let set = SetRequestIdLayer::new(name.clone(), MakeRequestUuid);
        route(hello).layer(ServiceBuilder::new().layer(set).layer(PropagateRequestIdLayer::new(name)))
    },
};

pub const THREE: Way = Way {
    key: "three",
    name: "RequestContextLayer, three values",
    app: || route(read_context).layer(RequestContextLayer::new(|store, _| insert_three(store))),
};

pub const ON_END: Way = Way {
    key: "on_end",
    name: "RequestContextLayer, three values and on_end",
    app: || route(read_context).layer(RequestContextLayer::new(with_on_end)),
};

pub const ID: Way = Way {
    key: "id",
    name: "RequestContextLayer, RequestIdPolicy",
    app: || {
        let ids = RequestIdPolicy::new();
        let layer = RequestContextLayer::new(move |store, request| {
            ids.apply(store, request);
        });
        route(hello).layer(layer)
    },
};

/// The ways that are put under load. The first is the baseline.
pub const WAYS: [Way; 8] = [IDENTITY, NONE, EXTENSIONS, TASK_LOCAL, THREE, ON_END, TOWER_HTTP, ID];

pub(crate) const GROUPS: &[Group] = &[
    // `benches/cost.awk` finds this group by its name.
    Group {
        name: "in axum: each way to pass values",
        baseline: true,
        rows: &[
            Row::new(IDENTITY.name, |n| ask((IDENTITY.app)(), n)),
            Row::new(EXTENSIONS.name, |n| ask((EXTENSIONS.app)(), n)),
            Row::new(TASK_LOCAL.name, |n| ask((TASK_LOCAL.app)(), n)),
            Row::new(TOWER_HTTP.name, |n| ask((TOWER_HTTP.app)(), n)),
            Row::new("RequestContextLayer, empty", |n| ask(route(hello).layer(RequestContextLayer::new(|_, _| {})), n)),
            Row::new(THREE.name, |n| ask((THREE.app)(), n)),
            Row::new(ON_END.name, |n| ask((ON_END.app)(), n)),
            Row::new(ID.name, |n| ask((ID.app)(), n)),
        ],
        targets: &[],
    },
];
