//! A read, of what is there and of what is not.

use std::{cell::RefCell, hint::black_box, sync::Arc};

use metainfo::{METAINFO, MetaInfo};
use opentelemetry::Context;
use tower_request_context::{RequestContext, RequestIdPolicy, Store};

use super::values::{Absent, EXTENSIONS, Late, Locale, Tenant, UserId, context, extensions, seed};
use crate::Row;

const NEWEST: &str = "read the value seeded last of three";
const OLDEST: &str = "read the value seeded first of three";
const MISS: &str = "read what is not there";
const OUTSIDE: &str = "read outside of any context";

pub(crate) const ROWS: &[Row] = &[
    Row { group: NEWEST, name: "http::Extensions held in hand", run: |n| held(n, |e| e.get::<Locale>().copied()) },
    Row { group: NEWEST, name: "tower-request-context", run: |n| current(n, RequestContext::get::<Locale>) },
    Row {
        group: NEWEST, name: "… after a late set of another type", run: |n| late(n, RequestContext::get::<Locale>)
    },
    Row { group: NEWEST, name: "… after an id was echoed", run: |n| echoed(n, RequestContext::get::<Locale>) },
    Row { group: NEWEST, name: "task_local! of an Arc of them", run: |n| task_local(n, read_task_local::<Locale>) },
    Row { group: NEWEST, name: "metainfo", run: |n| in_metainfo(n, read_metainfo::<Locale>) },
    Row { group: NEWEST, name: "opentelemetry", run: |n| in_otel(n, read_otel::<Locale>) },
    Row {
        group: NEWEST,
        name: "dcontext",
        run: |n| in_dcontext(n, || dcontext::get_context_variable::<Locale>("locale")),
    },
    Row { group: OLDEST, name: "http::Extensions held in hand", run: |n| held(n, |e| e.get::<UserId>().copied()) },
    Row { group: OLDEST, name: "tower-request-context", run: |n| current(n, RequestContext::get::<UserId>) },
    Row { group: MISS, name: "http::Extensions held in hand", run: |n| held(n, |e| e.get::<Absent>().copied()) },
    Row { group: MISS, name: "tower-request-context", run: |n| current(n, RequestContext::get::<Absent>) },
    Row { group: MISS, name: "task_local! of an Arc of them", run: |n| task_local(n, read_task_local::<Absent>) },
    Row { group: MISS, name: "metainfo", run: |n| in_metainfo(n, read_metainfo::<Absent>) },
    Row { group: MISS, name: "opentelemetry", run: |n| in_otel(n, read_otel::<Absent>) },
    Row {
        group: MISS,
        name: "dcontext",
        run: |n| in_dcontext(n, || dcontext::get_context_variable::<Absent>("absent")),
    },
    Row {
        group: OUTSIDE,
        name: "task_local! of an Arc of http::Extensions",
        run: |n| again(n, read_task_local::<UserId>),
    },
    Row { group: OUTSIDE, name: "tower-request-context", run: |n| again(n, RequestContext::get::<UserId>) },
    Row { group: OUTSIDE, name: "metainfo", run: |n| again(n, read_metainfo::<UserId>) },
    Row { group: OUTSIDE, name: "opentelemetry", run: |n| again(n, read_otel::<UserId>) },
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
