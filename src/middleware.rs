//! The tower middleware. The layer makes a service, the service makes a future, and the future makes a body.

mod body;
pub mod future;
mod layer;
mod nesting;
mod prepare;
mod remaining_bytes;
mod service;
mod setup;
mod tracked_body;

pub use self::{
    body::ResponseBody, layer::RequestContextLayer, nesting::Nesting, service::RequestContextService,
    setup::SetupOutcome,
};
