//! A write after the setup, and a read of what was written, beside the map behind a lock that one would write by hand.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    hint::black_box,
    sync::{Arc, PoisonError, RwLock},
};

use tower_request_context::{RequestContext, Store};

use super::values::Late;
use crate::{Group, Row, Target};

type LockedMap = Arc<RwLock<HashMap<TypeId, Box<dyn Any + Send + Sync>>>>;

tokio::task_local! {
    pub(crate) static LOCKED: LockedMap;
}

const LOCKED_MAP: &str = "task_local! of a locked map";
const OURS: &str = "tower-request-context";
const AT_MOST_THEIRS: &[Target] = &[Target::times(OURS, 1.0, LOCKED_MAP)];

pub(crate) const GROUPS: &[Group] = &[
    Group {
        name: "read a value that was set late",
        floor: false,
        rows: &[
            Row::new(LOCKED_MAP, |n| locked(n, |_| _ = black_box(get::<Late>()))),
            Row::new(OURS, |n| current(n, |_| _ = black_box(RequestContext::get::<Late>()))),
        ],
        targets: AT_MOST_THEIRS,
    },
    Group {
        name: "set",
        floor: false,
        rows: &[
            Row::new(LOCKED_MAP, |n| locked(n, |i| set(Late(i)))),
            Row::new(OURS, |n| current(n, |i| _ = RequestContext::set(Late(i)))),
        ],
        targets: AT_MOST_THEIRS,
    },
    Group {
        name: "update",
        floor: false,
        rows: &[
            Row::new(LOCKED_MAP, |n| locked(n, update)),
            Row::new(OURS, |n| current(n, |i| _ = RequestContext::update(|late: &mut Late| late.0 += i))),
        ],
        targets: AT_MOST_THEIRS,
    },
];

fn current(n: u64, work: impl Fn(u64)) {
    let context = RequestContext::new(Store::new());
    context.set(Late(0));
    context.sync_scope(|| (0..n).for_each(|i| work(black_box(i))));
}

fn locked(n: u64, work: impl Fn(u64)) {
    LOCKED.sync_scope(LockedMap::default(), || {
        set(Late(0));
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
        if let Some(late) = map.get_mut(&TypeId::of::<Late>()).and_then(|value| value.downcast_mut::<Late>()) {
            late.0 += i;
        }
    };
    let _ = LOCKED.try_with(update);
}
