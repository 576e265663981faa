//! The header that carries the request id of a store.

/// Which header carries the request id of a store on outgoing requests.
///
/// The id itself is not stored here. It is the store's [`RequestId`](crate::RequestId), read when it is needed, so
/// outgoing requests carry what [`Store::id`](crate::Store::id) returns.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "request-id"), expect(dead_code, reason = "only `RequestIdPolicy` records a header"))]
pub(crate) enum IdHeader {
    /// No policy was applied to the store.
    #[default]
    Unset,
    /// `x-request-id`, the default header of a policy. A variant of its own, because inserting a `PolicyHeaders` takes
    /// an allocation.
    RequestId,
    /// The header of the policy that was applied last. The store holds it in a value of the type `PolicyHeaders` (see
    /// `headers/policy_headers.rs`).
    Recorded,
}
