//! Calling a generator that reads a request.

use std::mem;

use http::{HeaderValue, Request, request::Parts};

use crate::RequestId;

/// Calls a generator that reads a `Request`, which is made of `parts`. Returns a new id if it returns no valid one.
pub(super) fn generate_for(
    parts: &mut Parts,
    generator: impl FnOnce(&Request<()>) -> Option<HeaderValue>,
) -> RequestId {
    let (empty, ()) = Request::new(()).into_parts();
    let request = Request::from_parts(mem::replace(parts, empty), ());
    let id = generator(&request);
    *parts = request.into_parts().0;
    id.and_then(|id| RequestId::try_from(&id).ok()).unwrap_or_else(RequestId::new_v4)
}
