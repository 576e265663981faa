//! A read, of what is there and of what is not.

use std::{cell::RefCell, hint::black_box, sync::Arc};

use metainfo::{METAINFO, MetaInfo};
use opentelemetry::Context;
use tower_request_context::{RequestContext, RequestIdPolicy, Store};

use super::values::{Absent, EXTENSIONS, Late, Locale, Tenant, UserId, context, extensions, seed};
use crate::{Group, Row, Target};

const HELD: &str = "http::Extensions held in hand";
const OURS: &str = "tower-request-context";
const LATE: &str = "… after a late set of another type";
const ECHOED: &str = "… after an id was echoed";
const TOKIOS: &str = "task_local! of an Arc of http::Extensions";

/// What is read by its type, and by the name that dcontext wants.
macro_rules! reads {
    ($type:ty, $name:literal) => {
        &[
            Row::new(HELD, |n| held(n, |extensions| extensions.get::<$type>().cloned())),
            Row::new(OURS, |n| current(n, RequestContext::get::<$type>)),
            Row::new(LATE, |n| late(n, RequestContext::get::<$type>)),
            Row::new(ECHOED, |n| echoed(n, RequestContext::get::<$type>)),
            Row::new(TOKIOS, |n| task_local(n, read_task_local::<$type>)),
            Row::new("metainfo", |n| in_metainfo(n, read_metainfo::<$type>)),
            Row::new("opentelemetry", |n| in_otel(n, read_otel::<$type>)),
            Row::new("dcontext", |n| in_dcontext(n, || dcontext::get_context_variable::<$type>($name))),
        ]
    };
}

// An id is one value more that a read of what is not there has to pass, so there the echo has no such target.
const UNCHANGED: [Target; 2] = [Target::times(LATE, 1.0, OURS), Target::times(ECHOED, 1.0, OURS)];
const HIT: &[Target] = &[Target::times(OURS, 1.0, HELD), UNCHANGED[0], UNCHANGED[1]];

pub(crate) const GROUPS: &[Group] = &[
    Group { name: "read the value seeded last of three", floor: false, rows: reads!(Locale, "locale"), targets: HIT },
    Group { name: "read the value seeded first of three", floor: false, rows: reads!(UserId, "user"), targets: HIT },
    Group { name: "read what is not there", floor: false, rows: reads!(Absent, "absent"), targets: &[UNCHANGED[0]] },
    Group {
        name: "read outside of any context",
        floor: false,
        rows: &[
            Row::new(TOKIOS, |n| again(n, read_task_local::<UserId>)),
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

fn held<T>(n: u64, read: fn(&http::Extensions) -> T) {
    let extensions = extensions();
    again(n, || read(black_box(&extensions)));
}

fn current<T>(n: u64, read: impl Fn() -> T) {
    context().sync_scope(|| again(n, read));
}

fn late<T>(n: u64, read: impl Fn() -> T) {
    let context = context();
    context.set(Late(1));
    context.sync_scope(|| again(n, read));
}

fn echoed<T>(n: u64, read: impl Fn() -> T) {
    let mut store = Store::new();
    RequestIdPolicy::new().apply(&mut store, &mut http::Request::new(()).into_parts().0);
    seed(&mut store);
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
