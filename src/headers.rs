//! Request ids, and the headers that are propagated to outgoing requests.

mod names;
#[cfg(feature = "request-id")]
mod policy;
mod policy_headers;
mod propagator;
mod request_id;
mod trust;

#[cfg(feature = "request-id")]
pub use self::policy::RequestIdPolicy;
pub use self::{
    propagator::HeaderPropagator,
    request_id::{RequestId, RequestIdError},
};
