//! How a read grows with the values of a store, and with the contexts around it.

use std::hint::black_box;

use tower_request_context::{RequestContext, Store};

use super::reads::again;
use crate::{Group, Row, Target};

const FOUR: &str = "4";
const SIXTY_FOUR: &str = "64";
const AT_MOST_THREE_TIMES: &[Target] = &[Target::times(SIXTY_FOUR, 3.0, FOUR)];

pub(crate) const GROUPS: &[Group] = &[
    Group {
        name: "the slowest read of so many values",
        floor: false,
        rows: &[
            Row::new(FOUR, slowest::<4>),
            Row::new("1", slowest::<1>),
            Row::new("16", slowest::<16>),
            Row::new(SIXTY_FOUR, slowest::<64>),
        ],
        targets: AT_MOST_THREE_TIMES,
    },
    Group {
        name: "a read of so many values, each in turn",
        floor: false,
        rows: &[
            Row::new(FOUR, each::<4>),
            Row::new("1", each::<1>),
            Row::new("16", each::<16>),
            Row::new(SIXTY_FOUR, each::<64>),
        ],
        targets: AT_MOST_THREE_TIMES,
    },
    Group {
        name: "a read through so many contexts",
        floor: false,
        rows: &[
            Row::new("1", |n| nested(1, n)),
            Row::new("8", |n| nested(8, n)),
            Row::new(SIXTY_FOUR, |n| nested(64, n)),
        ],
        targets: &[],
    },
];

#[derive(Clone, Copy)]
struct Value<const N: usize>;

/// Does something with `Value<0>` to `Value<63>`, as far as they are wanted.
macro_rules! each {
    ($wanted:ident, $value:ident => $work:expr) => {
        each! { $wanted, $value => $work,
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
            32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
        }
    };
    ($wanted:ident, $value:ident => $work:expr, $($number:literal)*) => {
        $( if $number < $wanted {
            let $value = Value::<$number>;
            $work;
        } )*
    };
}

fn store<const WANTED: u64>() -> Store {
    let mut store = Store::new();
    each!(WANTED, value => store.insert(value));
    store
}

/// The slowest is the first seeded where all stand in the list, the last where the rest stand in a map.
fn slowest<const WANTED: u64>(n: u64) {
    RequestContext::new(store::<WANTED>()).sync_scope(|| {
        if WANTED <= 8 { again(n, RequestContext::get::<Value<0>>) } else { again(n, RequestContext::get::<Value<15>>) }
    });
}

/// Every value is read as often as any other: `n` should be a multiple of 64.
fn each<const WANTED: u64>(n: u64) {
    RequestContext::new(store::<WANTED>()).sync_scope(|| {
        for _ in 0..n.div_ceil(WANTED) {
            each!(WANTED, value => black_box(read(value)));
        }
    });
}

/// Reads a value of the type of another.
fn read<T: Clone + Send + Sync + 'static>(_: T) -> Option<T> {
    RequestContext::get()
}

fn nested(depth: usize, n: u64) {
    let mut context = RequestContext::new(Store::new().with_value(Value::<0>));
    for _ in 1..depth {
        context = context.child(Store::new());
    }
    context.sync_scope(|| again(n, RequestContext::get::<Value<0>>));
}
