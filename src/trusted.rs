//! Whether what a request says is believed.

use std::sync::Arc;

use http::request::Parts;

/// Decides by the head of a request, to which servers add what they know of the peer.
pub(crate) type Trusted = Arc<dyn Fn(&Parts) -> bool + Send + Sync>;
