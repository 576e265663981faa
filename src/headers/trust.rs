//! Which senders of requests are trusted.

use std::sync::Arc;

use http::request::Parts;

/// Returns whether the sender of a request is trusted. The extensions of the request parts hold facts about the peer.
pub(super) type TrustPredicate = Arc<dyn Fn(&Parts) -> bool + Send + Sync>;
