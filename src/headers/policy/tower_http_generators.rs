//! Id generators that implement the traits of tower-http.

use std::{mem, sync::Arc};

use http::{HeaderValue, Request, request::Parts};

use super::RequestIdPolicy;
use crate::RequestId;

/// # Generators of tower-http
///
/// A generator that implements `MakeRequestId` is cloned for each request. tower-http clones it with the service. So a
/// counter in it must be shared, as an `Arc` of an atomic. The policy's header has been removed from the request that
/// it gets, and the body is `()`. If it returns no id or an invalid id, the request gets a [`RequestId::new_v4`].
impl RequestIdPolicy {
    /// Sets a generator that implements `MakeRequestId` of tower-http 0.6.
    ///
    /// ```
    /// use tower_http_06::request_id::MakeRequestUuid;
    /// # use tower_request_context::{RequestIdPolicy, Store};
    ///
    /// let policy = RequestIdPolicy::new().generate_with_tower_http_06(MakeRequestUuid);
    /// # let (mut request, ()) = http::Request::new(()).into_parts();
    /// assert_eq!(policy.apply(&mut Store::new(), &mut request).as_str().len(), 36);
    /// ```
    #[cfg(feature = "tower-http-06")]
    pub fn generate_with_tower_http_06<M>(mut self, generator: M) -> Self
    where
        M: tower_http_06::request_id::MakeRequestId + Clone + Send + Sync + 'static,
    {
        self.config_mut().generate = Arc::new(move |parts| {
            generate_for(parts, |request| Some(generator.clone().make_request_id(request)?.into_header_value()))
        });
        self
    }

    /// Sets a generator that implements `MakeRequestId` of tower-http 0.7.
    ///
    /// ```
    /// use tower_http::request_id::MakeRequestUuid;
    /// # use tower_request_context::{RequestIdPolicy, Store};
    ///
    /// let policy = RequestIdPolicy::new().generate_with_tower_http_07(MakeRequestUuid);
    /// # let (mut request, ()) = http::Request::new(()).into_parts();
    /// assert_eq!(policy.apply(&mut Store::new(), &mut request).as_str().len(), 36);
    /// ```
    #[cfg(feature = "tower-http-07")]
    pub fn generate_with_tower_http_07<M>(mut self, generator: M) -> Self
    where
        M: tower_http::request_id::MakeRequestId + Clone + Send + Sync + 'static,
    {
        self.config_mut().generate = Arc::new(move |parts| {
            generate_for(parts, |request| Some(generator.clone().make_request_id(request)?.into_header_value()))
        });
        self
    }
}

/// Calls a generator with the parts of a request as a request. Returns a new id if it returns no valid one.
fn generate_for(parts: &mut Parts, generator: impl FnOnce(&Request<()>) -> Option<HeaderValue>) -> RequestId {
    let (empty, ()) = Request::new(()).into_parts();
    let request = Request::from_parts(mem::replace(parts, empty), ());
    let id = generator(&request);
    *parts = request.into_parts().0;
    id.and_then(|id| RequestId::try_from(&id).ok()).unwrap_or_else(RequestId::new_v4)
}
