//! Layers that enter each context, but handle the guards of `on_enter` incorrectly.

use std::mem::ManuallyDrop;

use tower_request_context::{RequestContext, Store};

use super::{
    super::{
        Manner, Place,
        enter_guards::{Guard, enter_by_hand, entries_of, panic_if_enabled},
        report::{CrateStorage, Storage},
    },
    assert_all_fail_because, assert_fails_exactly, is_drop,
};
use crate::support::User;

/// Enters contexts of this crate, and handles the guards itself.
#[derive(Clone, Copy)]
enum ManualGuards {
    Restores,
    RestoresUnlessUnwinding,
    EntersInReverse,
    DropsInOrderOfEntry,
    LeaksWhenEnterPanics,
}

impl Storage for ManualGuards {
    fn current() -> Option<User> {
        CrateStorage::current()
    }

    fn scope<R>(self, user: User, f: impl FnOnce() -> R) -> R {
        self.omitted_scope(user, || self.enter(user, f))
    }

    fn omitted_scope<R>(self, user: User, f: impl FnOnce() -> R) -> R {
        RequestContext::new(Store::new().with_value(user)).sync_scope(f)
    }
}

impl ManualGuards {
    fn enter<R>(self, user: User, f: impl FnOnce() -> R) -> R {
        let [first, second] = entries_of(user);
        match self {
            Self::Restores => enter_by_hand(user, f),
            Self::RestoresUnlessUnwinding => {
                let first = ManuallyDrop::new(Guard::enter(first));
                panic_if_enabled();
                let second = ManuallyDrop::new(Guard::enter(second));
                let result = f();
                drop(ManuallyDrop::into_inner(second));
                drop(ManuallyDrop::into_inner(first));
                result
            }
            Self::EntersInReverse => {
                let _second = Guard::enter(second);
                panic_if_enabled();
                let _first = Guard::enter(first);
                f()
            }
            Self::DropsInOrderOfEntry => {
                let mut guards = vec![Guard::enter(first)];
                panic_if_enabled();
                guards.push(Guard::enter(second));
                f()
            }
            Self::LeaksWhenEnterPanics => {
                let first = ManuallyDrop::new(Guard::enter(first));
                panic_if_enabled();
                let _first = ManuallyDrop::into_inner(first);
                let _second = Guard::enter(second);
                f()
            }
        }
    }
}

#[test]
fn correct_guards_pass_each_cell() {
    assert_fails_exactly(ManualGuards::Restores, |_| true, |_| false);
}

macro_rules! not_entered_in {
    ($($name:ident: $($place:ident)|*;)*) => {
        $(
            #[test]
            fn $name() {
                let is_there = |place| matches!(place, $(Place::$place)|*);
                let restores = ManualGuards::Restores;
                let report = assert_fails_exactly(restores, |now| !is_there(now.place), |cell| is_there(cell.place));
                assert_all_fail_because(&report, "misplaced guards: Event { kind: Visit");
            }
        )*
    };
}

not_entered_in! {
    detects_missing_guards_in_the_call: Call;
    detects_missing_guards_in_polls: Poll;
    detects_missing_guards_in_frames: Frame;
    detects_missing_guards_in_trailers: Trailers;
    detects_missing_guards_in_drops: DropOfFuture | DropOfBody;
}

#[test]
fn detects_guards_entered_in_the_wrong_order() {
    let report = assert_fails_exactly(ManualGuards::EntersInReverse, |_| true, |_| true);
    assert_all_fail_because(&report, "misplaced guards");
}

#[test]
fn detects_guards_dropped_in_the_wrong_order() {
    let report = assert_fails_exactly(ManualGuards::DropsInOrderOfEntry, |_| true, |_| true);
    assert_all_fail_because(&report, "misplaced guards: Event { kind: Step");
}

#[test]
fn detects_guards_left_entered_by_a_panic() {
    let report =
        assert_fails_exactly(ManualGuards::RestoresUnlessUnwinding, |_| true, |cell| cell.manner == Manner::Panic);
    assert_all_fail_because(&report, "misplaced guards: Event { kind: Step");
}

#[test]
fn detects_guards_left_entered_by_a_panicking_closure() {
    let report = assert_fails_exactly(
        ManualGuards::LeaksWhenEnterPanics,
        |_| true,
        |cell| cell.manner == Manner::Panic && !is_drop(cell.place),
    );
    assert_all_fail_because(&report, "panics_in_enter: true");
}
