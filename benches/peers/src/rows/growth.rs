//! How a read grows with the values of a store, and with the contexts around it.

use tower_request_context::{RequestContext, Store};

use super::reads::again;
use crate::Row;

const VALUES: &str = "the slowest read of so many values";
const NESTED: &str = "a read through so many contexts";

pub(crate) const ROWS: &[Row] = &[
    Row { group: VALUES, name: "4", run: |n| among::<4>(n) },
    Row { group: VALUES, name: "1", run: |n| among::<1>(n) },
    Row { group: VALUES, name: "16", run: |n| among::<16>(n) },
    Row { group: VALUES, name: "64", run: |n| among::<64>(n) },
    Row { group: NESTED, name: "1", run: |n| nested(1, n) },
    Row { group: NESTED, name: "8", run: |n| nested(8, n) },
    Row { group: NESTED, name: "64", run: |n| nested(64, n) },
];

#[derive(Clone, Copy)]
struct Value<const N: usize>;

/// Inserts `Value<0>` to `Value<63>`, as far as they are wanted.
fn seed<const WANTED: usize>(store: &mut Store) {
    macro_rules! seed {
        ($($n:literal)*) => { $( if $n < WANTED { store.insert(Value::<$n>); } )* };
    }
    seed!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
    seed!(32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63);
}

/// The slowest is the first seeded where all stand in the list, the last where the rest stand in a map.
fn among<const WANTED: usize>(n: u64) {
    let mut store = Store::new();
    seed::<WANTED>(&mut store);
    RequestContext::new(store).sync_scope(|| {
        if WANTED <= 8 { again(n, RequestContext::get::<Value<0>>) } else { again(n, RequestContext::get::<Value<15>>) }
    });
}

fn nested(depth: usize, n: u64) {
    let mut context = RequestContext::new(Store::new().with_value(Value::<0>));
    for _ in 1..depth {
        context = context.child(Store::new());
    }
    context.sync_scope(|| again(n, RequestContext::get::<Value<0>>));
}
