//! A request context for tower.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod context;
mod error;
pub mod future;
mod layer;
mod scope;
mod service;
mod setup;
mod store;

pub use self::{
    body::ResponseBody,
    context::{RequestContext, WeakRequestContext},
    error::ContextError,
    layer::{Nesting, RequestContextLayer},
    scope::Scoped,
    service::RequestContextService,
    setup::SetupOutcome,
    store::Store,
};
