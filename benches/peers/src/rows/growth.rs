//! How the cost of a read grows with the number of values in a store, and with the depth of nesting.

use std::hint::black_box;

use tower_request_context::{RequestContext, Store};

use super::reads::again;
use crate::{Group, Row, Target};

const FOUR: &str = "4";
const SIXTY_FOUR: &str = "64";
const AT_MOST_THREE_TIMES: &[Target] = &[Target::times(SIXTY_FOUR, 3.0, FOUR)];

pub(crate) const GROUPS: &[Group] = &[
    Group {
        name: "the slowest read, by number of values",
        baseline: false,
        rows: &[
            Row::new(FOUR, slowest::<4>),
            Row::new("1", slowest::<1>),
            Row::new("16", slowest::<16>),
            Row::new(SIXTY_FOUR, slowest::<64>),
        ],
        targets: AT_MOST_THREE_TIMES,
    },
    Group {
        name: "a read of each value in turn, by number of values",
        baseline: false,
        rows: &[
            Row::new(FOUR, each::<4>),
            Row::new("1", each::<1>),
            Row::new("16", each::<16>),
            Row::new(SIXTY_FOUR, each::<64>),
        ],
        targets: AT_MOST_THREE_TIMES,
    },
    Group {
        name: "a read through nested contexts, by depth",
        baseline: false,
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

/// Evaluates an expression for each of `Value<0>` to `Value<63>` whose number is below the limit.
macro_rules! each {
    ($limit:ident, $value:ident => $work:expr) => {
        each! { $limit, $value => $work,
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
            32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
        }
    };
    ($limit:ident, $value:ident => $work:expr, $($number:literal)*) => {
        $( if $number < $limit {
            let $value = Value::<$number>;
            $work;
        } )*
    };
}

fn store<const COUNT: u64>() -> Store {
    let mut store = Store::new();
    each!(COUNT, value => store.insert(value));
    store
}

/// Reads the slowest value: the first inserted if the list holds all of them, otherwise one in the overflow map.
fn slowest<const COUNT: u64>(n: u64) {
    RequestContext::new(store::<COUNT>()).sync_scope(|| {
        if COUNT <= 8 { again(n, RequestContext::get::<Value<0>>) } else { again(n, RequestContext::get::<Value<15>>) }
    });
}

/// Reads all values equally often. `n` should be a multiple of 64.
fn each<const COUNT: u64>(n: u64) {
    RequestContext::new(store::<COUNT>()).sync_scope(|| {
        for _ in 0..n.div_ceil(COUNT) {
            each!(COUNT, value => black_box(read(value)));
        }
    });
}

/// Reads the value whose type is that of the argument.
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
