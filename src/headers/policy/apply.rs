//! Applying a policy to a request.

use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};

use super::RequestIdPolicy;
use crate::{
    RequestContext, RequestId, RequestIdError, Store,
    headers::{id_headers::insert_id, names::is_hop_by_hop},
};

impl RequestIdPolicy {
    /// Gives a request its id, and returns it. Called in the setup of a layer.
    ///
    /// The id is then in the store, for [`RequestContext::id`]; alone on the request's header, in place of all that stood
    /// there, for the services inside; and on the response, whoever makes that: the handler, or a setup that refuses. With
    /// the features `tower-http-06` and `tower-http-07` it is also in the request's extensions, as the `RequestId` of that
    /// version of tower-http.
    ///
    /// The id that the request comes with is kept if it is trusted, or if it is already that of the store or of the current
    /// context, as it is for a layer inside a layer. It is never repaired, and what is not kept is neither echoed nor
    /// logged. Of two policies with different headers the one that is applied last gives the id. The header of the other
    /// keeps the id that it was given, also on outgoing requests.
    ///
    /// A [`HeaderMap`] has room for about 24,000 names. The id is left off a request or a response whose map is full, and a
    /// client's id is removed from it even then. The id in the store, and on outgoing requests, does not depend on that.
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
    pub fn apply(&self, store: &mut Store, request: &mut Parts) -> RequestId {
        let inbound = self.inbound(store, request);
        // Removed rather than replaced: a full map rejects a header even if it replaces one.
        request.headers.remove(&self.header);
        let id = inbound.unwrap_or_else(|| (self.generate)(request));
        insert_id(store, &self.header, id.clone());
        let _ = request.headers.try_insert(self.header.clone(), id.clone().into()); // fails if the map is full
        #[cfg(feature = "tower-http-06")]
        request.extensions.insert(tower_http_06::request_id::RequestId::new(id.clone().into()));
        #[cfg(feature = "tower-http-07")]
        request.extensions.insert(tower_http::request_id::RequestId::new(id.clone().into()));
        if let Some(echo) = self.echo {
            let (name, value) = (self.header.clone(), id.clone().into());
            store.on_response(move |head| echo.write(&mut head.headers, name, value));
        }
        id
    }

    /// Returns the id that [`apply`](Self::apply) would adopt from a request, or `None` if there is none or the request is
    /// not trusted.
    ///
    /// [`apply`](Self::apply) replaces an invalid id. Call this first to reject the request instead. It does not look at the
    /// id of an outer layer, which [`apply`](Self::apply) keeps.
    ///
    /// ```
    /// # use axum::response::IntoResponse;
    /// # use http::StatusCode;
    /// # use tower_request_context::{RequestContextLayer, RequestIdPolicy, Store};
    /// let ids = RequestIdPolicy::new().accept_inbound();
    /// # let (policy, (mut request, ())) = (ids.clone(), http::Request::new(()).into_parts());
    /// let setup = move |store: &mut Store, request: &mut http::request::Parts| {
    ///     if let Err(error) = ids.inbound_id(request) {
    ///         return Err((StatusCode::BAD_REQUEST, error.to_string()).into_response());
    ///     }
    ///     ids.apply(store, request);
    ///     Ok(())
    /// };
    /// # request.headers.insert("x-request-id", http::HeaderValue::from_static("two words"));
    /// # assert!(policy.inbound_id(&request).is_err());
    /// # assert_eq!(setup(&mut Store::new(), &mut request).unwrap_err().status(), StatusCode::BAD_REQUEST);
    /// ```
    ///
    /// # Errors
    ///
    /// A [`RequestIdError`] if a trusted request has an invalid id. With a [`fallback_header`](Self::fallback_header) this is
    /// an error only if neither header has a valid id. If both are invalid, it is the error of the first.
    pub fn inbound_id(&self, request: &Parts) -> Result<Option<RequestId>, RequestIdError> {
        if self.trusted.as_ref().is_none_or(|trusted| !trusted(request)) {
            return Ok(None);
        }
        let read = |header| {
            if is_hop_by_hop(&request.headers, header) {
                return Ok(None);
            }
            RequestId::from_headers(&request.headers, header)
        };
        let first = read(&self.header);
        match (&first, &self.fallback) {
            (Ok(None) | Err(_), Some(fallback)) => match read(fallback) {
                Ok(Some(id)) => Ok(Some(id)),
                second => first.and(second),
            },
            _ => first,
        }
    }

    fn inbound(&self, store: &Store, request: &Parts) -> Option<RequestId> {
        // The id of an outer layer, or of an earlier policy, is kept whatever the request's peer.
        if let Ok(Some(id)) = RequestId::from_headers(&request.headers, &self.header) {
            if store.id().or_else(RequestContext::id).is_some_and(|known| known == id) {
                return Some(id);
            }
        }
        self.inbound_id(request).ok().flatten()
    }
}

/// How the id is written on a response.
#[derive(Clone, Copy)]
pub(super) enum Echo {
    Replace,
    IfAbsent,
}

impl Echo {
    #[inline]
    fn write(self, headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
        if headers.contains_key(&name) {
            match self {
                Self::Replace => drop(headers.remove(&name)), // as in `apply`
                Self::IfAbsent => return,
            }
        }
        let _ = headers.try_insert(name, value); // fails if the map is full
    }
}
