//! Extracting headers into a store and injecting them into outgoing requests.

use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};

use super::{
    HeaderPropagator,
    config::{TRACEPARENT, TRACESTATE},
};
use crate::{
    RequestId, Store,
    context::scope,
    headers::{
        names::{REQUEST_ID, is_hop_by_hop},
        policy_headers::{ids_by_header, is_policy_header},
    },
};

/// The headers that were extracted into one store. Several values of a header are in their original order.
#[derive(Default)]
struct Extracted(Vec<(HeaderName, HeaderValue)>);

/// # Extracting and injecting headers
impl HeaderPropagator {
    /// Copies the listed headers of a request into its store. Call it in the setup closure, before or after
    /// [`RequestIdPolicy::apply`](crate::RequestIdPolicy::apply).
    ///
    /// ```
    /// # use tower_request_context::{HeaderPropagator, RequestContextLayer};
    /// let propagator = HeaderPropagator::trace_context();
    /// let layer = RequestContextLayer::new(move |store, request| propagator.extract(store, request));
    /// # use tower::{Layer, Service};
    /// # let inner = tower::service_fn(async |_: http::Request<()>| Ok::<_, ()>(http::Response::new(String::new())));
    /// # drop(layer.layer(inner).call(http::Request::new(())));
    /// ```
    ///
    /// A second call adds headers to those of the first, and replaces headers that both calls found. A `traceparent` is
    /// replaced together with its `tracestate`. The values are copied, so that they do not keep the request's buffers
    /// alive.
    pub fn extract(&self, store: &mut Store, request: &Parts) {
        if self.config.trusted.as_ref().is_none_or(|trusted| trusted(request)) {
            self.extract_if(store, &request.headers, |store, name| !is_policy_header(store, name));
        }
    }

    /// Copies the listed headers of a message into the store of a job, and restores the request id. Use it for sources
    /// that you own, such as a queue that only your services can write to.
    ///
    /// ```
    /// # use http::HeaderMap;
    /// # use tower_request_context::{HeaderPropagator, RequestContext, RequestId, Store};
    /// let propagator = HeaderPropagator::trace_context().header("x-request-id");
    /// let request = RequestContext::new(Store::new().with_value("id-7".parse::<RequestId>()?));
    ///
    /// let mut message = HeaderMap::new();
    /// request.sync_scope(|| propagator.inject(&mut message));
    ///
    /// let mut store = Store::new();
    /// propagator.extract_trusted(&mut store, &message);
    /// assert_eq!(store.id().unwrap().as_str(), "id-7");
    /// # Ok::<_, tower_request_context::RequestIdError>(())
    /// ```
    ///
    /// This is [`extract`](Self::extract) for headers without an HTTP request. The [limits](Self#limits) are the same,
    /// and headers that the message's `Connection` header nominates are left out. [`trust_if`](Self::trust_if) does not
    /// apply.
    ///
    /// If the list names `x-request-id`, its value becomes the [id](Store::id) of the store, unless the store has an
    /// id. An invalid or repeated value is ignored, and not propagated as a header. An id under another header is
    /// copied as a header. It does not become the id of the store.
    pub fn extract_trusted(&self, store: &mut Store, headers: &HeaderMap) {
        if self.config.names.contains(&REQUEST_ID) && store.id().is_none() && !is_hop_by_hop(headers, &REQUEST_ID) {
            if let Ok(Some(id)) = RequestId::from_headers(headers, &REQUEST_ID) {
                store.insert(id);
            }
        }
        // `x-request-id` is not copied as a header. A valid id might differ from the store's, and an invalid one may
        // contain control sequences.
        self.extract_if(store, headers, |store, name| *name != REQUEST_ID && !is_policy_header(store, name));
    }

    /// Copies the listed headers for which `is_wanted` returns `true`, unless they are hop-by-hop.
    fn extract_if(&self, store: &mut Store, headers: &HeaderMap, is_wanted: impl Fn(&Store, &HeaderName) -> bool) {
        let is_extracted = |name| is_wanted(store, name) && !is_hop_by_hop(headers, name);
        let names = self
            .config
            .select_within_limits(|name| is_extracted(name).then(|| headers.get_all(name)).into_iter().flatten());
        if names.is_empty() {
            return;
        }
        // Takes out the headers that an earlier call extracted.
        let mut extracted = store.insert(Extracted::default()).unwrap_or_default();
        // The `tracestate` of an earlier call belongs to another trace, unless the `traceparent` is the same.
        let is_other_trace =
            names.contains(&&TRACEPARENT) && extracted.values_of(&TRACEPARENT).ne(headers.get_all(&TRACEPARENT));
        extracted.0.retain(|(name, _)| !(names.contains(&name) || is_other_trace && *name == TRACESTATE));
        for name in names {
            extracted.0.extend(headers.get_all(name).iter().map(|value| (name.clone(), copy_value(name, value))));
        }
        store.insert(extracted);
    }

    /// Adds the extracted headers and the [request id](Self#request-ids) of the current context to the headers of an
    /// outgoing request or message.
    ///
    /// ```
    /// # use tower_request_context::HeaderPropagator;
    /// use http::Request;
    /// use tower::{ServiceBuilder, service_fn};
    ///
    /// let propagator = HeaderPropagator::trace_context();
    /// let client = ServiceBuilder::new().map_request(move |mut request: Request<String>| {
    ///     propagator.inject(request.headers_mut());
    ///     request
    /// });
    /// let client = client.service(service_fn(async |request: Request<String>| {
    ///     Ok::<_, ()>(request.headers().len())
    /// }));
    /// # let sent = tokio_test::block_on(tower::ServiceExt::oneshot(client, Request::new(String::new())));
    /// # assert_eq!(sent, Ok(0)); // no context is current
    /// ```
    ///
    /// Headers that are already present are left as they are. If no context is current, nothing is added. If a header
    /// was not extracted into the current context itself, it is taken from the nearest parent that holds it.
    pub fn inject(&self, headers: &mut HeaderMap) {
        scope::with_current(|context| {
            let Some(context) = context else { return };
            let ids = ids_by_header(context, &self.config.names);
            let id_for = |name: &HeaderName| ids.iter().find(|(header, _)| *header == name);
            let source = |name: &HeaderName| {
                // A `tracestate` is taken from the store that holds the `traceparent`, so that both are of one trace.
                let key = if *name == TRACESTATE { &TRACEPARENT } else { name };
                // A value that was extracted under the header of an id came from the client, or is a copy of the id. A
                // policy may use `traceparent` as the header of its id. Then the extracted `tracestate` belongs to
                // another `traceparent`, and is not used either.
                if id_for(name).is_some() || id_for(key).is_some() {
                    return None;
                }
                context.initial_values().find(|extracted: &&Extracted| extracted.contains(key))
            };
            let values_of = |name| {
                let is_absent = !headers.contains_key(name);
                let id = id_for(name).and_then(|(_, id)| id.as_ref());
                let extracted = source(name).into_iter().flat_map(move |extracted| extracted.values_of(name));
                id.into_iter().chain(extracted).filter(move |_| is_absent)
            };
            let selected = self.config.select_within_limits(values_of);
            let values = selected.into_iter().flat_map(|name| values_of(name).map(move |value| (name, value.clone())));
            for (name, value) in values.collect::<Vec<_>>() {
                if headers.try_append(name, value).is_err() {
                    headers.remove(name); // the map is full: removes the values of this header that were added before
                    return;
                }
            }
        });
    }
}

impl Extracted {
    fn contains(&self, name: &HeaderName) -> bool {
        self.values_of(name).next().is_some()
    }

    fn values_of(&self, name: &HeaderName) -> impl Iterator<Item = &HeaderValue> {
        self.0.iter().filter(move |(extracted, _)| extracted == name).map(|(_, value)| value)
    }
}

/// Copies a value, so that it does not keep the server's read buffer alive.
fn copy_value(name: &HeaderName, value: &HeaderValue) -> HeaderValue {
    let mut copy = HeaderValue::from_bytes(value.as_bytes()).expect("the bytes come from a valid header value");
    let is_public = *name == TRACEPARENT || *name == TRACESTATE || *name == REQUEST_ID;
    copy.set_sensitive(value.is_sensitive() || !is_public);
    copy
}
