//! The ways out of a request.

use tower_request_context::End::{self, Cancelled, Completed, Failed, Panicked};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Whole,
    Refused,
    /// A task of its own outlives it.
    Detached,
    /// A handle outlives it.
    Kept,
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
    /// After a first panic, which is the request's.
    SecondPanicInCallback,
    PanicInEndCallback,
    /// With a payload that panics in its own drop.
    PanicInDropOfPayload,
    PanicInDropOfInitialValue,
    PanicInDropOfSetValue,
    /// That is never called.
    PanicInDropOfCallback,
}

pub(super) const WAYS: [(Way, End); 23] = [
    (Way::Whole, Completed),
    (Way::Refused, Completed),
    (Way::Detached, Completed),
    (Way::Kept, Completed),
    (Way::FailedService, Failed),
    (Way::FailedBody, Failed),
    (Way::NeverPolled, Cancelled),
    (Way::CancelledFuture, Cancelled),
    (Way::UnreadBody, Cancelled),
    (Way::CancelledBody, Cancelled),
    (Way::PanicInSetup, Panicked),
    (Way::PanicInCall, Panicked),
    (Way::PanicInPoll, Panicked),
    (Way::PanicInCallback, Panicked),
    (Way::PanicInFrame, Panicked),
    (Way::PanicInDropOfFuture, Panicked),
    (Way::PanicInDropOfBody, Panicked),
    (Way::SecondPanicInCallback, Panicked),
    (Way::PanicInEndCallback, Completed),
    (Way::PanicInDropOfPayload, Completed),
    (Way::PanicInDropOfInitialValue, Completed),
    (Way::PanicInDropOfSetValue, Completed),
    (Way::PanicInDropOfCallback, Failed),
];
