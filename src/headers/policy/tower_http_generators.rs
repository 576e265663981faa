//! Generators that were written for tower-http.

use std::{mem, sync::Arc};

use http::{Request, request::Parts};

use super::RequestIdPolicy;
use crate::RequestId;

impl RequestIdPolicy {
    /// Creates ids with a generator written for the `SetRequestIdLayer` of tower-http 0.6.
    ///
    /// The generator is cloned for each request, as that layer does it. A counter has to be shared between its clones, as an
    /// `Arc` of an atomic. The request that it gets lacks the header that was rejected, and has an empty body. If it returns
    /// no id or an invalid one, the id is a [`RequestId::new_v4`].
    ///
    /// ```
    /// use tower_http_06::request_id::MakeRequestUuid;
    /// # use tower_request_context::{RequestIdPolicy, Store};
    ///
    /// let ids = RequestIdPolicy::new().generate_with_tower_http_06(MakeRequestUuid);
    /// # let (mut request, ()) = http::Request::new(()).into_parts();
    /// assert_eq!(ids.apply(&mut Store::new(), &mut request).as_str().len(), 36);
    /// ```
    #[cfg(feature = "tower-http-06")]
    pub fn generate_with_tower_http_06<M>(mut self, generator: M) -> Self
    where
        M: tower_http_06::request_id::MakeRequestId + Clone + Send + Sync + 'static,
    {
        self.generate = Arc::new(move |parts| {
            let id = with_request(parts, |request| generator.clone().make_request_id(request));
            id.and_then(|id| id.header_value().try_into().ok()).unwrap_or_else(RequestId::new_v4)
        });
        self
    }

    /// Creates ids with a generator written for the `SetRequestIdLayer` of tower-http 0.7.
    ///
    /// The generator is cloned for each request, as that layer does it. A counter has to be shared between its clones, as an
    /// `Arc` of an atomic. The request that it gets lacks the header that was rejected, and has an empty body. If it returns
    /// no id or an invalid one, the id is a [`RequestId::new_v4`].
    ///
    /// ```
    /// use tower_http::request_id::MakeRequestUuid;
    /// # use tower_request_context::{RequestIdPolicy, Store};
    ///
    /// let ids = RequestIdPolicy::new().generate_with_tower_http_07(MakeRequestUuid);
    /// # let (mut request, ()) = http::Request::new(()).into_parts();
    /// assert_eq!(ids.apply(&mut Store::new(), &mut request).as_str().len(), 36);
    /// ```
    #[cfg(feature = "tower-http-07")]
    pub fn generate_with_tower_http_07<M>(mut self, generator: M) -> Self
    where
        M: tower_http::request_id::MakeRequestId + Clone + Send + Sync + 'static,
    {
        self.generate = Arc::new(move |parts| {
            let id = with_request(parts, |request| generator.clone().make_request_id(request));
            id.and_then(|id| id.header_value().try_into().ok()).unwrap_or_else(RequestId::new_v4)
        });
        self
    }
}

/// Calls `f` with the parts of a request as a request.
fn with_request<R>(parts: &mut Parts, f: impl FnOnce(&Request<()>) -> R) -> R {
    let (empty, ()) = Request::new(()).into_parts();
    let request = Request::from_parts(mem::replace(parts, empty), ());
    let output = f(&request);
    *parts = request.into_parts().0;
    output
}
