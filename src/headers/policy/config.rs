//! The configuration of a policy.

use std::sync::Arc;

use http::{HeaderName, request::Parts};

use super::echo::Echo;
use crate::{
    RequestId,
    headers::{names::REQUEST_ID, trust::TrustPredicate},
};

#[derive(Clone)]
pub(super) struct PolicyConfig {
    /// Shared with the callback that echoes the id. The callback shares nothing else, so that it never drops the
    /// application's closures.
    pub(super) header: Arc<HeaderName>,
    pub(super) fallback: Option<HeaderName>,
    pub(super) generate: Arc<dyn Fn(&mut Parts) -> RequestId + Send + Sync>,
    pub(super) trusted: Option<TrustPredicate>,
    pub(super) echo: Option<Echo>,
}

impl PolicyConfig {
    pub(super) fn new() -> Self {
        Self {
            header: Arc::new(REQUEST_ID.clone()),
            fallback: None,
            generate: Arc::new(|_| RequestId::new_v4()),
            trusted: None,
            echo: Some(Echo::Replace),
        }
    }
}
