//! Id generators that implement `MakeRequestId` of tower-http 0.6.

use std::sync::Arc;

use tower_http_06::request_id::MakeRequestId;

use super::{RequestIdPolicy, generate::generate_for};

/// # Configuration
impl RequestIdPolicy {
    /// Sets a generator that implements `MakeRequestId` of tower-http 0.6.
    ///
    /// ```
    /// // tower-http 0.6, which has another name in this manifest.
    /// use tower_http_06::request_id::MakeRequestUuid;
    /// # use tower_request_context::{RequestIdPolicy, Store};
    ///
    /// let policy = RequestIdPolicy::new().generate_with_tower_http_06(MakeRequestUuid);
    /// # let (mut request, ()) = http::Request::new(()).into_parts();
    /// assert_eq!(policy.apply(&mut Store::new(), &mut request).as_str().len(), 36);
    /// ```
    ///
    /// The generator is cloned for each id that it creates, while tower-http clones it only with the service. So a
    /// counter in it must be shared, as an `Arc` of an atomic. The policy's header has been removed from the request
    /// that it gets, and the body is `()`. If it returns no id or an invalid id, the request gets a
    /// [`RequestId::new_v4`](crate::RequestId::new_v4).
    pub fn generate_with_tower_http_06<M>(mut self, generator: M) -> Self
    where
        M: MakeRequestId + Clone + Send + Sync + 'static,
    {
        self.config_mut().generate = Arc::new(move |parts| {
            generate_for(parts, |request| Some(generator.clone().make_request_id(request)?.into_header_value()))
        });
        self
    }
}
