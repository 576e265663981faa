//! Request ids, and the headers that are propagated to outgoing requests.

mod id_headers;
mod names;
#[cfg(feature = "request-id")]
mod policy;
mod propagator;
mod request_id;

#[cfg(feature = "request-id")]
pub use self::policy::RequestIdPolicy;
pub use self::{
    propagator::HeaderPropagator,
    request_id::{RequestId, RequestIdError},
};
