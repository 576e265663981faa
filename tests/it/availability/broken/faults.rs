//! The faults of [`FaultyLayer`]: which promises each one breaks, and in which scenarios.

use tower_request_context::End;

use super::{
    super::{
        Manner, OUTER, Place,
        promises::{
            Promise::{
                self, CallbacksInContext, NothingLeaked, OnEndInOrder, OnEndRuns, OnEndRunsLast, OnEndRunsOnce,
                OnResponseInOrder, OnResponseRuns, OnResponseRunsInTime, OnResponseRunsOnce, OneSetup, OuterRestored,
                OwnStore, RightEnd, ValuesLiveLongEnough,
            },
            assert_breaks,
        },
        scenario::Scenario,
    },
    faulty_layer::{Fault, FaultyLayer},
};

macro_rules! breaks {
    ($($name:ident: $fault:ident => { $($promise:ident: $scenarios:expr),* };)*) => {
        $(
            #[test]
            fn $name() {
                let broken: &[(Promise, fn(&Scenario) -> bool)] = &[$(($promise, $scenarios)),*];
                assert_breaks(
                    |setup, probe| FaultyLayer::new(Fault::$fault, setup, probe),
                    |promise, scenario| broken.iter().any(|(it, scenarios)| *it == promise && scenarios(scenario)),
                );
            }
        )*
    };
}

breaks! {
    layer_without_a_fault_keeps_each_promise: None => {};

    // The setup and its store. With `RunsSetupTwice`, the store of the first run is dropped. In a store that is shared,
    // the values of the next setup replace those of the first, which are dropped.
    detects_a_second_setup_run: RunsSetupTwice => { OneSetup: always, ValuesLiveLongEnough: always };
    detects_one_store_for_all_requests: SharesOneStore => {
        OwnStore: is_called, CallbacksInContext: always, ValuesLiveLongEnough: always, NothingLeaked: always
    };
    detects_use_of_the_outer_store: UsesOuterStore => {
        OwnStore: is_nested, CallbacksInContext: is_nested, OuterRestored: is_nested, ValuesLiveLongEnough: is_nested,
        NothingLeaked: is_nested,
        // The outer context is current already, so its `on_enter` closures do not run again and cannot panic.
        RightEnd: is_nested_and_not_entered,
        OnResponseRunsInTime: |scenario| is_nested_and_not_entered(scenario) && !scenario.has_response()
    };
    detects_inheriting_by_default: Inherits => {
        OwnStore: |scenario| is_nested(scenario) && is_called(scenario), CallbacksInContext: is_nested
    };

    // Lifetimes of values and callbacks.
    detects_a_handle_kept_after_the_request: KeepsHandle => { NothingLeaked: always };
    detects_a_context_that_stores_itself: StoresItself => { NothingLeaked: always };
    detects_callbacks_that_are_never_dropped: LeaksCallbacks => { NothingLeaked: always };
    detects_values_dropped_before_the_body:
        DropsValuesBeforeBody => { ValuesLiveLongEnough: Scenario::has_response };
    detects_values_dropped_before_on_end: DropsValuesBeforeEnd => { ValuesLiveLongEnough: always };

    // `on_response` callbacks.
    detects_on_response_never_run: SkipsOnResponse => { OnResponseRuns: Scenario::has_response };
    detects_on_response_run_twice: RunsOnResponseTwice => { OnResponseRunsOnce: Scenario::has_response };
    detects_on_response_run_after_the_body:
        RunsOnResponseAfterBody => { OnResponseRunsInTime: Scenario::has_response };
    detects_on_response_run_without_a_response: RunsOnResponseWithoutResponse => {
        OnResponseRunsInTime: |scenario| !scenario.has_response() && !scenario.panics_in_call()
    };
    detects_on_response_run_in_reverse: ReversesOnResponse => { OnResponseInOrder: Scenario::has_response };
    detects_on_response_run_outside_the_context:
        RunsOnResponseOutside => { CallbacksInContext: Scenario::has_response };

    // Whether and when `on_end` callbacks run.
    detects_on_end_never_run: SkipsOnEnd => { OnEndRuns: always };
    detects_on_end_run_twice: RunsOnEndTwice => { OnEndRunsOnce: always };
    detects_on_end_skipped_for_a_future_dropped_early: SkipsOnEndOfDroppedFuture => {
        OnEndRuns: |scenario| is_cancelled(scenario) && scenario.stops_in(Place::Poll)
    };
    detects_on_end_skipped_for_a_body_dropped_early: SkipsOnEndOfDroppedBody => {
        OnEndRuns: |scenario| is_cancelled(scenario) && scenario.has_response()
    };
    detects_on_end_skipped_after_a_panic: SkipsOnEndAfterPanic => {
        OnEndRuns: |scenario| scenario.end() == End::Panicked
    };
    detects_on_end_skipped_after_a_panic_in_the_call:
        SkipsOnEndAfterPanicInCall => { OnEndRuns: Scenario::panics_in_call };
    detects_on_end_run_when_the_response_is_ready: EndsWithResponse => {
        OnEndRunsLast: Scenario::has_response,
        RightEnd: |scenario| scenario.has_response() && scenario.end() != End::Completed
    };
    detects_on_end_run_before_the_drop: EndsBeforeDrop => {
        OnEndRunsLast: |scenario| !scenario.panics_in_call() && !scenario.is_ready_without_response(),
        RightEnd: panics_in_the_last_drop
    };
    detects_on_end_run_in_reverse: ReversesOnEnd => { OnEndInOrder: always };
    detects_on_end_run_outside_the_context: RunsOnEndOutside => { CallbacksInContext: always };

    // The `End` that is reported.
    detects_cancelled_reported_as_completed: ReportsCancelledAsCompleted => {
        RightEnd: |scenario| scenario.end() == End::Cancelled
    };
    detects_failed_reported_as_completed: ReportsFailedAsCompleted => {
        RightEnd: |scenario| scenario.end() == End::Failed
    };
    detects_panicked_reported_as_cancelled: ReportsPanickedAsCancelled => {
        RightEnd: |scenario| scenario.end() == End::Panicked
    };
    detects_completed_reported_as_cancelled: ReportsCompletedAsCancelled => {
        RightEnd: |scenario| scenario.end() == End::Completed
    };
    detects_a_missed_panic_in_a_drop: MissesPanicInDrop => { RightEnd: panics_in_the_last_drop };
    detects_use_of_thread_panicking: UsesThreadPanicking => { RightEnd: |scenario| scenario.during_panic };
}

fn always(_: &Scenario) -> bool {
    true
}

fn is_nested(scenario: &Scenario) -> bool {
    scenario.outer == Some(OUTER)
}

/// Returns whether the inner service is called.
fn is_called(scenario: &Scenario) -> bool {
    !scenario.is_not_entered_in(Place::Call)
}

fn is_nested_and_not_entered(scenario: &Scenario) -> bool {
    is_nested(scenario) && scenario.script.is_not_entered()
}

/// Returns whether polling stops before completion, whether or not the destructor panics then.
fn is_cancelled(scenario: &Scenario) -> bool {
    matches!(scenario.script.manner, Manner::Cancelled | Manner::NeverPolled)
}

fn panics_in_the_last_drop(scenario: &Scenario) -> bool {
    scenario.script.panics_in_drop && !scenario.is_ready_without_response()
}
