//! Layers that enter each context and make a mistake with the guards of `on_enter`.

use std::mem::ManuallyDrop;

use tower_request_context::{RequestContext, Store};

use super::{
    super::{
        Manner, Place,
        entered::{Guard, both, enter_by_hand, panic_if_enabled},
        report::{Carrier, Real},
    },
    assert_all_fail_because, assert_fails_exactly, is_drop,
};
use crate::support::User;

/// Enters contexts of this crate, and guards by hand.
#[derive(Clone, Copy)]
enum ByHand {
    Restores,
    RestoresUnlessUnwinding,
    EntersTheLastFirst,
    DropsTheFirstFirst,
    LeaksOnAPanicOfEnter,
}

impl Carrier for ByHand {
    fn current() -> Option<User> {
        Real::current()
    }

    fn scope<R>(self, user: User, f: impl FnOnce() -> R) -> R {
        self.omitted_scope(user, || self.enter(user, f))
    }

    fn omitted_scope<R>(self, user: User, f: impl FnOnce() -> R) -> R {
        RequestContext::new(Store::new().with_value(user)).sync_scope(f)
    }
}

impl ByHand {
    fn enter<R>(self, user: User, f: impl FnOnce() -> R) -> R {
        let [first, second] = both(user);
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
            Self::EntersTheLastFirst => {
                let _second = Guard::enter(second);
                panic_if_enabled();
                let _first = Guard::enter(first);
                f()
            }
            Self::DropsTheFirstFirst => {
                let mut guards = vec![Guard::enter(first)];
                panic_if_enabled();
                guards.push(Guard::enter(second));
                f()
            }
            Self::LeaksOnAPanicOfEnter => {
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
fn guards_entered_by_hand_pass_each_cell() {
    assert_fails_exactly(ByHand::Restores, |_| true, |_| false);
}

macro_rules! not_entered_in {
    ($($name:ident: $($place:ident)|*;)*) => {
        $(
            #[test]
            fn $name() {
                let is_there = |place| matches!(place, $(Place::$place)|*);
                let report =
                    assert_fails_exactly(ByHand::Restores, |now| !is_there(now.place), |cell| is_there(cell.place));
                assert_all_fail_because(&report, "misplaced guards: Event { what: Visit");
            }
        )*
    };
}

not_entered_in! {
    missing_guards_in_the_call_are_found: Call;
    missing_guards_in_polls_are_found: Poll;
    missing_guards_in_frames_are_found: Frame;
    missing_guards_in_trailers_are_found: Trailers;
    missing_guards_in_drops_are_found: DropOfFuture | DropOfBody;
}

#[test]
fn guards_entered_in_the_wrong_order_are_found_in_each_cell() {
    let report = assert_fails_exactly(ByHand::EntersTheLastFirst, |_| true, |_| true);
    assert_all_fail_because(&report, "misplaced guards");
}

#[test]
fn guards_dropped_in_the_wrong_order_are_found_in_each_cell() {
    let report = assert_fails_exactly(ByHand::DropsTheFirstFirst, |_| true, |_| true);
    assert_all_fail_because(&report, "misplaced guards: Event { what: Step");
}

#[test]
fn guards_left_entered_by_a_panic_are_found() {
    let report = assert_fails_exactly(ByHand::RestoresUnlessUnwinding, |_| true, |cell| cell.manner == Manner::Panic);
    assert_all_fail_because(&report, "misplaced guards: Event { what: Step");
}

#[test]
fn guards_left_entered_by_a_panicking_closure_are_found() {
    let report = assert_fails_exactly(
        ByHand::LeaksOnAPanicOfEnter,
        |_| true,
        |cell| cell.manner == Manner::Panic && !is_drop(cell.place),
    );
    assert_all_fail_because(&report, "panics_in_enter: true");
}
