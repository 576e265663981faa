//! The header that carries the request id of a store.

/// Which header carries the id of a store.
///
/// The id itself is the store's [`RequestId`], read when it is needed: what is propagated is what [`Store::id`] returns.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "request-id"), expect(dead_code, reason = "only a policy records a header"))]
pub(crate) enum IdHeader {
    /// No policy was applied to the store.
    #[default]
    Unset,
    /// `x-request-id`, the usual one: it needs no [`IdHeaders`], which take an allocation.
    RequestId,
    /// The last of the store's [`IdHeaders`].
    Recorded,
}
