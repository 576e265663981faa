//! It reaches everywhere: each place in a request, whatever happens there, inside each outer context.
//!
//! A cell of [`TABLE`] runs a request, by hand, through a layer around a [`Probe`](probe::Probe). In the cell's place the
//! probe must have seen the inner user, at each visit; after each step of the way the outer one must be current again. Each
//! context has two guards of `Store::on_enter`, which must be entered in order wherever it is current, and nowhere else.

mod broken;
mod carried;
mod drive;
mod entered;
mod guest;
mod log;
mod probe;
mod promises;
mod report;
mod way;

use std::{collections::HashSet, iter::zip};

use tower::Layer;
use tower_request_context::{Nesting, RequestContextLayer};

use self::{
    Manner::{Cancelled, Fails, NeverPolled, Panic, PendingMany, PendingOnce, Ready},
    Place::{Call, DropOfBody, DropOfFuture, Frame, Poll, Trailers},
    Visits::{Cannot, Times},
    guest::promised,
    promises::assert_breaks,
    report::{Real, Report},
};
use crate::support::{Setup, User};

const INNER: User = User(1);
const OUTER: User = User(2);
/// Who is current where nobody is, but in a context.
const NAMELESS: User = User(0);

/// How often is many.
const MANY: usize = 9;

/// Where code of a request runs. `Call` is its synchronous part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    Call,
    Poll,
    Frame,
    Trailers,
    DropOfFuture,
    DropOfBody,
}

/// What happens there; what is dropped was polled in this manner before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Manner {
    Ready,
    PendingOnce,
    PendingMany,
    Fails,
    Panic,
    Cancelled,
    NeverPolled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Cell {
    place: Place,
    manner: Manner,
    outer: Option<User>,
}

/// How often the place is visited in a run of the cell, or why there can be none.
#[derive(Clone, Copy)]
enum Visits {
    Times(usize),
    Cannot(&'static str),
}

const NO_FUTURE: Visits = Cannot("the sync part of call cannot be pending: it is no future");
const NO_ERROR: Visits = Cannot("the sync part of call cannot fail: it returns a future");
const NO_HALF: Visits = Cannot("the sync part of call cannot be cancelled: a function runs to its end");
const NO_POLL: Visits = Cannot("what is never polled has no poll");
const NO_FRAME: Visits = Cannot("what is never polled has no frame");
const NO_TRAILERS: Visits = Cannot("what is not polled on after its data has no trailers");

const MANNERS: [Manner; 7] = [Ready, PendingOnce, PendingMany, Fails, Panic, Cancelled, NeverPolled];

#[rustfmt::skip] // a grid, with the columns of `MANNERS`
const TABLE: [(Place, [Visits; 7]); 6] = [
    (Call,         [Times(1), NO_FUTURE, NO_FUTURE,       NO_ERROR, Times(1), NO_HALF,  Times(1)]),
    (Poll,         [Times(1), Times(2),  Times(1 + MANY), Times(1), Times(1), Times(1), NO_POLL]),
    (Frame,        [Times(1), Times(2),  Times(1 + MANY), Times(1), Times(1), Times(1), NO_FRAME]),
    (Trailers,     [Times(1), Times(2),  Times(1 + MANY), Times(1), Times(1), Times(1), NO_TRAILERS]),
    (DropOfFuture, [Times(1), Times(1),  Times(1),        Times(1), Times(1), Times(1), Times(1)]),
    (DropOfBody,   [Times(1), Times(1),  Times(1),        Times(1), Times(1), Times(1), Times(1)]),
];

fn cells() -> Vec<(Cell, Visits)> {
    let mut cells = Vec::new();
    for (place, row) in TABLE {
        for (manner, visits) in zip(MANNERS, row) {
            cells.extend([None, Some(OUTER)].map(|outer| (Cell { place, manner, outer }, visits)));
        }
    }
    cells
}

fn layer() -> RequestContextLayer<Setup> {
    RequestContextLayer::new(|store, _| {
        store.insert(INNER);
        entered::register(store, INNER);
    })
}

#[test]
fn the_table_considers_each_of_84_cells_once_and_runs_70() {
    let distinct: HashSet<Cell> = cells().into_iter().map(|(cell, _)| cell).collect();
    assert_eq!((cells().len(), distinct.len()), (84, 84));

    let report = Report::of(Real, |probe| layer().layer(probe));
    assert_eq!(report.ran.len(), 70, "{report}");
    assert_eq!(report.cannot_be.len(), 14, "{report}");
    assert!(report.cannot_be.iter().all(|(_, reason)| !reason.is_empty()));
}

/// F3 (Quarkus CVE-2022-2466), F21, E9: one guard for each way out, and each way in.
#[test]
fn the_layer_reaches_each_cell_and_restores_the_outer_context_after_each_step() {
    let report = Report::of(Real, |probe| layer().layer(probe));
    assert!(report.failed.is_empty(), "{report}");
}

#[test]
fn a_layer_that_inherits_or_inserts_its_extension_reaches_each_cell() {
    let report = Report::of(Real, |probe| layer().nesting(Nesting::Inherit).layer(probe));
    assert!(report.failed.is_empty(), "{report}");
    let report = Report::of(Real, |probe| layer().insert_extension().layer(probe));
    assert!(report.failed.is_empty(), "{report}");
}

#[test]
fn the_layer_keeps_each_promise_whichever_way_a_request_goes() {
    assert_breaks(|guest, probe| promised(guest).layer(probe), |_, _| false);
    assert_breaks(|guest, probe| promised(guest).insert_extension().layer(probe), |_, _| false);
}
