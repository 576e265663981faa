//! Which promises each fault breaks, and on which ways.

use tower_request_context::End;

use super::{
    super::{
        Manner, OUTER, Place,
        promises::{
            Promise::{
                self, CalledInContext, EndTold, EndToldLast, EndToldOnce, EndsInOrder, HeadShown, HeadShownInTime,
                HeadShownOnce, HeadsInOrder, NothingLeft, OneSetup, OuterRestored, OwnStore, RightEnd, ValuesKept,
            },
            assert_breaks,
        },
        way::Way,
    },
    flawed::{Fault, Flawed},
};

macro_rules! breaks {
    ($($name:ident: $fault:ident => { $($promise:ident: $ways:expr),* };)*) => {
        $(
            #[test]
            fn $name() {
                let broken: &[(Promise, fn(&Way) -> bool)] = &[$(($promise, $ways)),*];
                assert_breaks(
                    |guest, probe| Flawed::new(Fault::$fault, guest, probe),
                    |promise, way| broken.iter().any(|(broken, ways)| *broken == promise && ways(way)),
                );
            }
        )*
    };
}

breaks! {
    a_layer_by_hand_without_a_fault_keeps_each_promise: None => {};

    // The setup and its store. A request that is served in the store of another drops what that one has put there.
    a_layer_that_sets_up_twice: SetsUpTwice => { OneSetup: always, ValuesKept: always };
    a_layer_that_shares_one_store_among_its_requests:
        SharesOneStore => { OwnStore: is_called, CalledInContext: always, ValuesKept: always, NothingLeft: always };
    a_layer_that_uses_the_store_of_the_outer_context: UsesTheOuterStore => {
        OwnStore: is_inside, CalledInContext: is_inside, OuterRestored: is_inside, ValuesKept: is_inside,
        NothingLeft: is_inside,
        // The outer context is current, so that its closures do not run again and do not panic.
        RightEnd: is_inside_and_not_entered, HeadShownInTime: |way| is_inside_and_not_entered(way) && !way.has_head()
    };
    a_layer_that_inherits_unasked: Inherits => { OwnStore: |way| is_inside(way) && is_called(way), CalledInContext: is_inside };

    // How long things live.
    a_layer_that_keeps_a_handle_after_the_request: KeepsAHandle => { NothingLeft: always };
    a_layer_whose_context_holds_itself: HoldsItself => { NothingLeft: always };
    a_layer_that_never_drops_its_callbacks: ForgetsItsCallbacks => { NothingLeft: always };
    a_layer_that_drops_the_values_before_the_body: DropsValuesBeforeTheBody => { ValuesKept: Way::has_head };
    a_layer_that_drops_the_values_before_the_end_is_told: DropsValuesBeforeTheEnd => { ValuesKept: always };

    // The head.
    a_layer_that_never_shows_the_head: NeverShowsTheHead => { HeadShown: Way::has_head };
    a_layer_that_shows_the_head_twice: ShowsTheHeadTwice => { HeadShownOnce: Way::has_head };
    a_layer_that_shows_the_head_after_it_is_sent: ShowsTheHeadAfterTheBody => { HeadShownInTime: Way::has_head };
    a_layer_that_shows_a_head_that_never_came:
        ShowsAHeadThatNeverCame => { HeadShownInTime: |way| !way.has_head() && !way.panics_in_the_call() };
    a_layer_that_calls_the_last_on_response_first: ShowsTheHeadBackwards => { HeadsInOrder: Way::has_head };
    a_layer_that_shows_the_head_outside_of_the_context: ShowsTheHeadOutside => { CalledInContext: Way::has_head };

    // Whether and when the end is told.
    a_layer_that_never_tells_the_end: NeverEnds => { EndTold: always };
    a_layer_that_tells_the_end_twice: EndsTwice => { EndToldOnce: always };
    a_layer_that_loses_the_end_of_a_future_that_is_dropped_before_it_is_ready:
        LosesTheEndOfADroppedFuture => { EndTold: |way| is_given_up(way) && way.is_cut_in(Place::Poll) };
    a_layer_that_loses_the_end_of_a_body_that_is_dropped_halfway:
        LosesTheEndOfADroppedBody => { EndTold: |way| is_given_up(way) && way.has_head() };
    a_layer_that_loses_the_end_of_a_panic: LosesTheEndOfAPanic => { EndTold: |way| way.end() == End::Panicked };
    a_layer_that_loses_the_end_of_a_panic_in_the_call:
        LosesTheEndOfAPanicInTheCall => { EndTold: Way::panics_in_the_call };
    a_layer_that_tells_the_end_when_the_head_is_ready: EndsWithTheHead => {
        EndToldLast: Way::has_head, RightEnd: |way| way.has_head() && way.end() != End::Completed
    };
    a_layer_that_tells_the_end_before_it_drops_the_future_or_the_body: EndsBeforeTheDrop => {
        EndToldLast: |way| !way.panics_in_the_call() && !way.is_ready_in_vain(),
        RightEnd: panics_in_the_last_drop
    };
    a_layer_that_calls_the_last_on_end_first: EndsBackwards => { EndsInOrder: always };
    a_layer_that_tells_the_end_outside_of_the_context: EndsOutside => { CalledInContext: always };

    // Which end is told.
    a_layer_that_calls_what_is_cancelled_completed:
        CompletesTheCancelled => { RightEnd: |way| way.end() == End::Cancelled };
    a_layer_that_calls_what_failed_completed: CompletesTheFailed => { RightEnd: |way| way.end() == End::Failed };
    a_layer_that_calls_what_panicked_cancelled: CancelsThePanicked => { RightEnd: |way| way.end() == End::Panicked };
    a_layer_that_calls_what_was_sent_and_then_dropped_cancelled:
        CancelsTheDelivered => { RightEnd: |way| way.end() == End::Completed };
    a_layer_that_misses_a_panic_in_a_drop: MissesAPanicInADrop => { RightEnd: panics_in_the_last_drop };
    a_layer_that_asks_whether_the_thread_panics: AsksWhetherTheThreadPanics => { RightEnd: |way| way.amid_a_panic };
}

fn always(_: &Way) -> bool {
    true
}

fn is_inside(way: &Way) -> bool {
    way.outer == Some(OUTER)
}

/// Whether the inner service is called.
fn is_called(way: &Way) -> bool {
    !way.is_not_entered_in(Place::Call)
}

fn is_inside_and_not_entered(way: &Way) -> bool {
    is_inside(way) && way.script.is_not_entered()
}

/// Whether somebody stops asking, be it that the destructor panics then.
fn is_given_up(way: &Way) -> bool {
    matches!(way.script.manner, Manner::Cancelled | Manner::NeverPolled)
}

fn panics_in_the_last_drop(way: &Way) -> bool {
    way.script.panics_in_drop && !way.is_ready_in_vain()
}
