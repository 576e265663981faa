//! The context is available in each place of a request, whatever happens there, with and without an outer context.
//!
//! Each cell of [`TABLE`] sends a request through a layer around a [`Probe`](probe::Probe) and polls it by hand. At
//! each visit of the cell's place, the probe must see the inner user. After each step, the outer user must be current
//! again. Each context has two guards of `Store::on_enter`. They must be entered in order while it is current, and at
//! no other time.

mod broken;
mod drive;
mod enter_guards;
mod log;
mod other_paths;
mod probe;
mod promises;
mod report;
mod scenario;
mod setup;

use std::{collections::HashSet, iter::zip};

use tower::Layer;
use tower_request_context::{Nesting, RequestContextLayer};

use self::{
    Manner::{Cancelled, Fails, NeverPolled, Panic, PendingMany, PendingOnce, Ready},
    Place::{Call, DropOfBody, DropOfFuture, Frame, Poll, Trailers},
    Visits::{Cannot, Times},
    promises::assert_breaks,
    report::{CrateStorage, Report},
    setup::recording_layer,
};
use crate::support::{Setup, User};

const INNER: User = User(1);
const OUTER: User = User(2);
/// Stands for a context that holds no user.
const ANONYMOUS: User = User(0);

/// How often a `PendingMany` future is pending.
const MANY: usize = 9;

/// Where code of a request runs. `Call` is the synchronous part of the inner service's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    Call,
    Poll,
    Frame,
    Trailers,
    DropOfFuture,
    DropOfBody,
}

/// What happens in a place. For the drop places, it describes the polls before the drop.
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

/// How often the place is visited in a run of the cell, or why the cell cannot exist.
#[derive(Clone, Copy)]
enum Visits {
    Times(usize),
    Cannot(&'static str),
}

const NO_FUTURE: Visits = Cannot("the sync part of call is not a future, so it is never pending");
const NO_ERROR: Visits = Cannot("the sync part of call returns a future, not a result");
const NO_CANCEL: Visits = Cannot("the sync part of call is a function, which cannot be cancelled");
const NO_POLL: Visits = Cannot("a future that is never polled has no poll");
const NO_FRAME: Visits = Cannot("a body that is never polled has no frame");
const NO_TRAILERS: Visits = Cannot("a body that is not polled after its data has no trailers");

const MANNERS: [Manner; 7] = [Ready, PendingOnce, PendingMany, Fails, Panic, Cancelled, NeverPolled];

#[rustfmt::skip] // aligned to the columns of `MANNERS`
const TABLE: [(Place, [Visits; 7]); 6] = [
    (Call,         [Times(1), NO_FUTURE, NO_FUTURE,       NO_ERROR, Times(1), NO_CANCEL,  Times(1)]),
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
        enter_guards::register(store, INNER);
    })
}

#[test]
fn table_runs_each_cell_or_gives_a_reason() {
    let distinct: HashSet<Cell> = cells().into_iter().map(|(cell, _)| cell).collect();
    assert_eq!((cells().len(), distinct.len()), (84, 84));

    let report = Report::run(CrateStorage, |probe| layer().layer(probe));
    assert_eq!(report.ran.len(), 70, "{report}");
    assert_eq!(report.impossible.len(), 14, "{report}");
    assert!(report.impossible.iter().all(|(_, reason)| !reason.is_empty()));
}

/// F3 (Quarkus CVE-2022-2466), F21, E9. After each step the outer context is current again.
#[test]
fn layer_passes_each_cell() {
    let report = Report::run(CrateStorage, |probe| layer().layer(probe));
    assert!(report.failed.is_empty(), "{report}");
}

#[test]
fn inheriting_layer_and_extension_pass_each_cell() {
    let report = Report::run(CrateStorage, |probe| layer().nesting(Nesting::Inherit).layer(probe));
    assert!(report.failed.is_empty(), "{report}");
    let report = Report::run(CrateStorage, |probe| layer().insert_extension().layer(probe));
    assert!(report.failed.is_empty(), "{report}");
}

#[test]
fn layer_keeps_each_promise_in_each_scenario() {
    assert_breaks(|setup, probe| recording_layer(setup).layer(probe), |_, _| false);
    assert_breaks(|setup, probe| recording_layer(setup).insert_extension().layer(probe), |_, _| false);
}
