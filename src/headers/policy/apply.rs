//! Applying a policy to a request.

use std::sync::Arc;

use http::request::Parts;

use super::RequestIdPolicy;
use crate::{
    RequestContext, RequestId, RequestIdError, Store,
    headers::{names::is_hop_by_hop, policy_headers::insert_id},
};

/// # Applying the policy
impl RequestIdPolicy {
    /// Assigns an id to a request and returns it. Call this in the setup closure of a layer.
    ///
    /// ```
    /// # use tower_request_context::{RequestIdPolicy, Store};
    /// let forged = http::Request::builder().header("x-request-id", "forged").body(()).unwrap();
    /// let (mut store, (mut request, ())) = (Store::new(), forged.into_parts());
    /// let id = RequestIdPolicy::new().apply(&mut store, &mut request);
    /// assert_ne!(id.as_str(), "forged");
    /// assert_eq!(request.headers["x-request-id"], id.as_str());
    /// assert_eq!(store.id(), Some(id));
    /// ```
    ///
    /// The id is then in these places:
    ///
    /// * in the store, where [`RequestContext::id`] finds it;
    /// * on the request, where it replaces all values of the header;
    /// * on the response, also if the setup rejects the request, unless [`echo`](Self::echo) is off, or
    ///   [`echo_if_absent`](Self::echo_if_absent) keeps a header that the response already has;
    /// * with the features `tower-http-06` and `tower-http-07`, in the request's extensions, as the `RequestId` of that
    ///   version of tower-http.
    ///
    /// An id that the request has is kept in two cases: it is [accepted](Self::accept_inbound), or an earlier policy or
    /// an outer layer assigned it. An id counts as assigned if it equals the id of the store or, if the store has none,
    /// that of the current context. Any other id is replaced, and is neither echoed nor logged. An invalid id is
    /// replaced as a whole, never repaired or truncated.
    ///
    /// If two policies with different headers are applied, the last one assigns the id of the store. The header of the
    /// first keeps the id that the store had before, also on outgoing requests.
    ///
    /// A [`HeaderMap`](http::HeaderMap) is full at about 24,000 names. If the map of a request or of a response is
    /// full, the id can only replace an existing value of its header. If the map has no value of that header, the id is
    /// not added. The id in the store and on outgoing requests is not affected.
    pub fn apply(&self, store: &mut Store, request: &mut Parts) -> RequestId {
        let config = &*self.config;
        let received = RequestId::from_headers(&request.headers, &config.header);
        let has_header = !matches!(received, Ok(None));
        let kept = received
            .ok()
            .flatten()
            .filter(|id| is_known(store, id))
            .or_else(|| self.inbound_id(request).ok().flatten());
        if has_header {
            // Removed first, because `try_insert` fails on a full map, even for a header that is in it.
            request.headers.remove(&*config.header);
        }
        let id = kept.unwrap_or_else(|| (config.generate)(request));
        insert_id(store, &config.header, id.clone());
        let _ = request.headers.try_insert(&*config.header, id.clone().into()); // fails if the map is full
        #[cfg(feature = "tower-http-06")]
        request.extensions.insert(tower_http_06::request_id::RequestId::new(id.clone().into()));
        #[cfg(feature = "tower-http-07")]
        request.extensions.insert(tower_http::request_id::RequestId::new(id.clone().into()));
        if let Some(echo) = config.echo {
            let (header, value) = (Arc::clone(&config.header), id.clone().into());
            store.on_response(move |parts| echo.write(&mut parts.headers, &header, value));
        }
        id
    }

    /// Returns the id that [`apply`](Self::apply) would accept from a request, or `None` if it has no id or is not
    /// trusted.
    ///
    /// [`apply`](Self::apply) replaces an invalid id. To reject the request instead, call `inbound_id` before `apply`.
    /// `inbound_id` does not check whether an outer layer or an earlier policy assigned the id. `apply` does.
    ///
    /// ```
    /// # use axum::response::IntoResponse;
    /// # use http::StatusCode;
    /// # use tower_request_context::{RequestContextLayer, RequestIdPolicy, Store};
    /// let policy = RequestIdPolicy::new().accept_inbound();
    /// # let (same_policy, (mut request, ())) = (policy.clone(), http::Request::new(()).into_parts());
    /// let setup = move |store: &mut Store, request: &mut http::request::Parts| {
    ///     if let Err(error) = policy.inbound_id(request) {
    ///         return Err((StatusCode::BAD_REQUEST, error.to_string()).into_response());
    ///     }
    ///     policy.apply(store, request);
    ///     Ok(())
    /// };
    /// # request.headers.insert("x-request-id", http::HeaderValue::from_static("two words"));
    /// # assert!(same_policy.inbound_id(&request).is_err());
    /// # assert_eq!(setup(&mut Store::new(), &mut request).unwrap_err().status(), StatusCode::BAD_REQUEST);
    /// ```
    ///
    /// # Errors
    ///
    /// Returns a [`RequestIdError`] if a trusted request has an invalid id. With a
    /// [`fallback_header`](Self::fallback_header) this is an error only if neither header has a valid id. If both ids
    /// are invalid, it is the error of the first.
    pub fn inbound_id(&self, request: &Parts) -> Result<Option<RequestId>, RequestIdError> {
        if self.config.trusted.as_ref().is_none_or(|trusted| !trusted(request)) {
            return Ok(None);
        }
        let read = |header| {
            if is_hop_by_hop(&request.headers, header) {
                return Ok(None);
            }
            RequestId::from_headers(&request.headers, header)
        };
        let first = read(&self.config.header);
        match (&first, &self.config.fallback) {
            (Ok(None) | Err(_), Some(fallback)) => match read(fallback) {
                Ok(Some(id)) => Ok(Some(id)),
                second => first.and(second),
            },
            _ => first,
        }
    }
}

/// Returns whether an outer layer or an earlier policy assigned this id. It is then kept even if the peer is not
/// trusted.
fn is_known(store: &Store, id: &RequestId) -> bool {
    store.id().or_else(RequestContext::id).is_some_and(|known| known == *id)
}
