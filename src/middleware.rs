//! The tower middleware. The layer creates the service, the service the response future, and the future the response
//! body.

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
