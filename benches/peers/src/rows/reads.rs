//! Reads of present and absent values.

use std::{cell::RefCell, hint::black_box, sync::Arc};

use metainfo::{METAINFO, MetaInfo};
use opentelemetry::Context;
use tower_request_context::{RequestContext, RequestIdPolicy, Store};

use super::values::{Absent, EXTENSIONS, Locale, SetLater, Tenant, UserId, context, extensions, insert_three};
use crate::{Group, Row, Target};

const ARGUMENT: &str = "http::Extensions, passed as an argument";
const OURS: &str = "tower-request-context";
const AFTER_SET: &str = "… after a set of another type";
const AFTER_APPLY: &str = "… after RequestIdPolicy::apply";
const TASK_LOCAL: &str = "task_local! with an Arc<http::Extensions>";

/// The rows that read a value by its type; dcontext reads it by a name.
macro_rules! reads {
    ($type:ty, $name:literal) => {
        &[
            Row::new(ARGUMENT, |n| as_argument(n, |extensions| extensions.get::<$type>().cloned())),
            Row::new(OURS, |n| current(n, RequestContext::get::<$type>)),
            Row::new(AFTER_SET, |n| after_set(n, RequestContext::get::<$type>)),
            Row::new(AFTER_APPLY, |n| after_apply(n, RequestContext::get::<$type>)),
            Row::new(TASK_LOCAL, |n| task_local(n, read_task_local::<$type>)),
            Row::new("metainfo", |n| in_metainfo(n, read_metainfo::<$type>)),
            Row::new("opentelemetry", |n| in_otel(n, read_otel::<$type>)),
            Row::new("dcontext", |n| in_dcontext(n, || dcontext::get_context_variable::<$type>($name))),
        ]
    };
}

// The id is one more value that a read of an absent value compares, so that group has no target for it.
const UNCHANGED: [Target; 2] = [Target::times(AFTER_SET, 1.0, OURS), Target::times(AFTER_APPLY, 1.0, OURS)];
const HIT: &[Target] = &[Target::times(OURS, 1.0, ARGUMENT), UNCHANGED[0], UNCHANGED[1]];

pub(crate) const GROUPS: &[Group] = &[
    Group {
        name: "read the value inserted last of three",
        baseline: false,
        rows: reads!(Locale, "locale"),
        targets: HIT,
    },
    Group {
        name: "read the value inserted first of three",
        baseline: false,
        rows: reads!(UserId, "user"),
        targets: HIT,
    },
    Group { name: "read an absent value", baseline: false, rows: reads!(Absent, "absent"), targets: &[UNCHANGED[0]] },
    Group {
        name: "read without a context",
        baseline: false,
        rows: &[
            Row::new(TASK_LOCAL, |n| again(n, read_task_local::<UserId>)),
            Row::new(OURS, |n| again(n, RequestContext::get::<UserId>)),
            Row::new("metainfo", |n| again(n, read_metainfo::<UserId>)),
            Row::new("opentelemetry", |n| again(n, read_otel::<UserId>)),
        ],
        targets: &[],
    },
];

pub(crate) fn again<T>(n: u64, read: impl Fn() -> T) {
    for _ in 0..n {
        black_box(read());
    }
}

fn as_argument<T>(n: u64, read: fn(&http::Extensions) -> T) {
    let extensions = extensions();
    again(n, || read(black_box(&extensions)));
}

fn current<T>(n: u64, read: impl Fn() -> T) {
    context().sync_scope(|| again(n, read));
}

fn after_set<T>(n: u64, read: impl Fn() -> T) {
    let context = context();
    context.set(SetLater(1));
    context.sync_scope(|| again(n, read));
}

fn after_apply<T>(n: u64, read: impl Fn() -> T) {
    let mut store = Store::new();
    RequestIdPolicy::new().apply(&mut store, &mut http::Request::new(()).into_parts().0);
    insert_three(&mut store);
    RequestContext::new(store).sync_scope(|| again(n, read));
}

fn task_local<T>(n: u64, read: impl Fn() -> T) {
    EXTENSIONS.sync_scope(Arc::new(extensions()), || again(n, read));
}

fn read_task_local<T: Clone + Send + Sync + 'static>() -> Option<T> {
    EXTENSIONS.try_with(|extensions| extensions.get().cloned()).ok()?
}

fn in_metainfo<T>(n: u64, read: impl Fn() -> T) {
    let mut values = MetaInfo::new();
    values.insert(UserId(7));
    values.insert(Tenant(8));
    values.insert(Locale(9));
    METAINFO.sync_scope(RefCell::new(values), || again(n, read));
}

fn read_metainfo<T: Clone + Send + Sync + 'static>() -> Option<T> {
    METAINFO.try_with(|values| values.borrow().get().cloned()).ok()?
}

fn in_otel<T>(n: u64, read: impl Fn() -> T) {
    let context = Context::new().with_value(UserId(7)).with_value(Tenant(8)).with_value(Locale(9));
    let _attached = context.attach();
    again(n, read);
}

fn read_otel<T: Clone + Send + Sync + 'static>() -> Option<T> {
    Context::map_current(|context| context.get().cloned())
}

fn in_dcontext<T>(n: u64, read: impl Fn() -> T) {
    let mut registry = dcontext::RegistryBuilder::new();
    registry.register::<UserId>("user");
    registry.register::<Tenant>("tenant");
    registry.register::<Locale>("locale");
    let _ = dcontext::try_initialize(registry);
    let _scope = dcontext::push_scope("request");
    dcontext::set_context_variable("user", UserId(7));
    dcontext::set_context_variable("tenant", Tenant(8));
    dcontext::set_context_variable("locale", Locale(9));
    again(n, read);
}
