//! The exits of a request.

use tower_request_context::End::{self, Cancelled, Completed, Failed, Panicked};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Completed,
    Rejected,
    /// A spawned task outlives the request.
    SpawnedTask,
    /// A handle outlives the request.
    KeptHandle,
    FailedService,
    FailedBody,
    NeverPolled,
    CancelledFuture,
    UnreadBody,
    CancelledBody,
    PanicInSetup,
    PanicInCall,
    PanicInPoll,
    PanicInCallback,
    PanicInFrame,
    PanicInDropOfFuture,
    PanicInDropOfBody,
    /// After the first panic, with which the request ends.
    SecondPanicInCallback,
    PanicInEndCallback,
    /// The drop of a panic payload panics.
    PanicInDropOfPayload,
    PanicInDropOfInitialValue,
    PanicInDropOfSetValue,
    /// The callback is never called.
    PanicInDropOfCallback,
}

pub(super) const EXITS: [(Exit, End); 23] = [
    (Exit::Completed, Completed),
    (Exit::Rejected, Completed),
    (Exit::SpawnedTask, Completed),
    (Exit::KeptHandle, Completed),
    (Exit::FailedService, Failed),
    (Exit::FailedBody, Failed),
    (Exit::NeverPolled, Cancelled),
    (Exit::CancelledFuture, Cancelled),
    (Exit::UnreadBody, Cancelled),
    (Exit::CancelledBody, Cancelled),
    (Exit::PanicInSetup, Panicked),
    (Exit::PanicInCall, Panicked),
    (Exit::PanicInPoll, Panicked),
    (Exit::PanicInCallback, Panicked),
    (Exit::PanicInFrame, Panicked),
    (Exit::PanicInDropOfFuture, Panicked),
    (Exit::PanicInDropOfBody, Panicked),
    (Exit::SecondPanicInCallback, Panicked),
    (Exit::PanicInEndCallback, Completed),
    (Exit::PanicInDropOfPayload, Completed),
    (Exit::PanicInDropOfInitialValue, Completed),
    (Exit::PanicInDropOfSetValue, Completed),
    (Exit::PanicInDropOfCallback, Failed),
];
