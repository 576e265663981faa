//! The configuration of a policy.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};

use super::echo::Echo;
use crate::{
    RequestId,
    headers::{names::REQUEST_ID, trust::TrustPredicate},
};

#[derive(Clone)]
pub(super) struct PolicyConfig {
    pub(super) header: HeaderName,
    pub(super) fallback: Option<HeaderName>,
    pub(super) generate: Arc<dyn Fn(&mut Parts) -> RequestId + Send + Sync>,
    pub(super) trusted: Option<TrustPredicate>,
    pub(super) echo: Option<Echo>,
}

impl PolicyConfig {
    pub(super) fn new() -> Self {
        Self {
            header: REQUEST_ID.clone(),
            fallback: None,
            generate: Arc::new(|_| RequestId::new_v4()),
            trusted: None,
            echo: Some(Echo::Replace),
        }
    }

    /// Writes the id to the header of a response, unless the echo is off.
    #[inline]
    pub(super) fn echo_id(&self, headers: &mut HeaderMap, id: HeaderValue) {
        if let Some(echo) = self.echo {
            echo.write(headers, &self.header, id);
        }
    }
}
