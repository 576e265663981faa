//! Writes after sharing, and reads of the values written, compared with a hand-written map behind a lock.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    hint::black_box,
    sync::{Arc, PoisonError, RwLock},
};

use tower_request_context::{RequestContext, Store};

use super::values::SetLater;
use crate::{Group, Row, Target};

type LockedMap = Arc<RwLock<HashMap<TypeId, Box<dyn Any + Send + Sync>>>>;

tokio::task_local! {
    pub(crate) static LOCKED: LockedMap;
}

const LOCKED_MAP: &str = "task_local! with a locked map";
const OURS: &str = "tower-request-context";
const NOT_ABOVE_LOCKED_MAP: &[Target] = &[Target::times(OURS, 1.0, LOCKED_MAP)];

pub(crate) const GROUPS: &[Group] = &[
    Group {
        name: "read a value set after sharing",
        baseline: false,
        rows: &[
            Row::new(LOCKED_MAP, |n| locked(n, |_| _ = black_box(get::<SetLater>()))),
            Row::new(OURS, |n| current(n, |_| _ = black_box(RequestContext::get::<SetLater>()))),
        ],
        targets: NOT_ABOVE_LOCKED_MAP,
    },
    Group {
        name: "set",
        baseline: false,
        rows: &[
            Row::new(LOCKED_MAP, |n| locked(n, |i| set(SetLater(i)))),
            Row::new(OURS, |n| current(n, |i| _ = RequestContext::set(SetLater(i)))),
        ],
        targets: NOT_ABOVE_LOCKED_MAP,
    },
    Group {
        name: "update",
        baseline: false,
        rows: &[
            Row::new(LOCKED_MAP, |n| locked(n, update)),
            Row::new(OURS, |n| current(n, |i| _ = RequestContext::update(|value: &mut SetLater| value.0 += i))),
        ],
        targets: NOT_ABOVE_LOCKED_MAP,
    },
];

fn current(n: u64, work: impl Fn(u64)) {
    let context = RequestContext::new(Store::new());
    context.set(SetLater(0));
    context.sync_scope(|| (0..n).for_each(|i| work(black_box(i))));
}

fn locked(n: u64, work: impl Fn(u64)) {
    LOCKED.sync_scope(LockedMap::default(), || {
        set(SetLater(0));
        (0..n).for_each(|i| work(black_box(i)));
    });
}

pub(crate) fn get<T: Clone + 'static>() -> Option<T> {
    let get = |map: &LockedMap| {
        let map = map.read().unwrap_or_else(PoisonError::into_inner);
        map.get(&TypeId::of::<T>())?.downcast_ref().cloned()
    };
    LOCKED.try_with(get).ok()?
}

pub(crate) fn set<T: Send + Sync + 'static>(value: T) {
    let set = |map: &LockedMap| {
        let mut map = map.write().unwrap_or_else(PoisonError::into_inner);
        map.insert(TypeId::of::<T>(), Box::new(value))
    };
    drop(LOCKED.try_with(set));
}

fn update(i: u64) {
    let update = |map: &LockedMap| {
        let mut map = map.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = map.get_mut(&TypeId::of::<SetLater>()).and_then(|value| value.downcast_mut::<SetLater>()) {
            value.0 += i;
        }
    };
    let _ = LOCKED.try_with(update);
}
