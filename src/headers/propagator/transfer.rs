//! Extracting headers into a store and injecting them into outgoing requests.

use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};

use super::HeaderPropagator;
use crate::{
    RequestId, Store,
    context::scope,
    headers::{
        id_headers::{ids_for, is_id_header},
        names::{REQUEST_ID, is_hop_by_hop},
        rules::{TRACEPARENT, TRACESTATE},
    },
};

/// The headers that were extracted into one store: the lines of each, in their order.
#[derive(Default)]
struct Extracted(Vec<(HeaderName, HeaderValue)>);

impl HeaderPropagator {
    /// Copies the listed headers of a request into its store. Call it in the setup closure, before or after
    /// [`RequestIdPolicy::apply`](crate::RequestIdPolicy::apply).
    ///
    /// A second call adds headers, and replaces those that both calls found. A replaced `traceparent` is removed together with
    /// its `tracestate`. The store holds copies, which do not keep the request's buffers alive.
    ///
    /// ```
    /// # use tower_request_context::{HeaderPropagator, RequestContextLayer};
    /// let propagator = HeaderPropagator::trace_context();
    /// let layer = RequestContextLayer::new(move |store, request| propagator.extract(store, request));
    /// # use tower::{Layer, Service};
    /// # let inner = tower::service_fn(async |_: http::Request<()>| Ok::<_, ()>(http::Response::new(String::new())));
    /// # drop(layer.layer(inner).call(http::Request::new(())));
    /// ```
    pub fn extract(&self, store: &mut Store, request: &Parts) {
        if self.0.trusted.as_ref().is_none_or(|trusted| trusted(request)) {
            self.extract_if(store, &request.headers, |store, name| !is_id_header(store, name));
        }
    }

    /// Copies the listed headers of a message into the store of a job, and restores its request id. Use it for sources that
    /// you own, such as a queue that only your services can write to.
    ///
    /// This is [`extract`](Self::extract) for headers without an HTTP request. The [limits](Self#limits) are the same, and
    /// headers that the message's `Connection` header nominates are left out. [`trust_if`](Self::trust_if) does not apply.
    ///
    /// If `x-request-id` is listed, its value becomes the [id](Store::id) of the store, unless the store has one. A value
    /// that is not a valid id, or that is repeated, is ignored: it is not propagated as another header would be. An id under
    /// another header is copied as a header, and does not become the id of the store.
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
    pub fn extract_trusted(&self, store: &mut Store, headers: &HeaderMap) {
        if self.0.names.contains(&REQUEST_ID) && store.id().is_none() && !is_hop_by_hop(headers, &REQUEST_ID) {
            if let Ok(Some(id)) = RequestId::from_headers(headers, &REQUEST_ID) {
                store.insert(id);
            }
        }
        // A copy of a valid id could differ from the store's, and an invalid one may be made to do harm in a log.
        self.extract_if(store, headers, |store, name| *name != REQUEST_ID && !is_id_header(store, name));
    }

    /// Copies those of the listed headers that are wanted and not hop-by-hop.
    fn extract_if(&self, store: &mut Store, headers: &HeaderMap, is_wanted: impl Fn(&Store, &HeaderName) -> bool) {
        let is_taken = |name| is_wanted(store, name) && !is_hop_by_hop(headers, name);
        let names =
            self.0.select_within_limits(|name| is_taken(name).then(|| headers.get_all(name)).into_iter().flatten());
        if names.is_empty() {
            return;
        }
        let mut extracted = store.insert(Extracted::default()).unwrap_or_default();
        // The state of one trace says nothing of another.
        let is_other =
            names.contains(&&TRACEPARENT) && extracted.values_of(&TRACEPARENT).ne(headers.get_all(&TRACEPARENT));
        extracted.0.retain(|(name, _)| !(names.contains(&name) || is_other && *name == TRACESTATE));
        for name in names {
            extracted.0.extend(headers.get_all(name).iter().map(|line| (name.clone(), copy(name, line))));
        }
        store.insert(extracted);
    }

    /// Adds the listed headers that the current context holds, and its [request id](Self#request-ids), to the headers of an
    /// outgoing request or message.
    ///
    /// Headers that are already present are left as they are. Where no context is current, nothing is added. A header that
    /// was not extracted into a [child](crate::RequestContext::child), or into the context of a layer that inherits, is taken
    /// from the nearest parent that holds it.
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
    /// let client = client.service(service_fn(async |request: Request<String>| Ok::<_, ()>(request.headers().len())));
    /// # let sent = tokio_test::block_on(tower::ServiceExt::oneshot(client, Request::new(String::new())));
    /// # assert_eq!(sent, Ok(0)); // no context is current
    /// ```
    pub fn inject(&self, headers: &mut HeaderMap) {
        scope::with_current(|context| {
            let Some(context) = context else { return };
            let ids = ids_for(context, &self.0.names);
            let id_for = |name: &HeaderName| ids.iter().find(|(header, _)| *header == name);
            let source = |name: &HeaderName| {
                // The state of one trace says nothing of another, be it the caller's or a parent's.
                let holder = if *name == TRACESTATE { &TRACEPARENT } else { name };
                // What was extracted under the header of an id is a client's, or a copy.
                if id_for(name).is_some() || id_for(holder).is_some() {
                    return None;
                }
                context.initial_values().find(|extracted: &&Extracted| extracted.holds(holder))
            };
            let values_of = |name| {
                let is_free = !headers.contains_key(name);
                let id = id_for(name).and_then(|(_, id)| id.as_ref());
                let extracted = source(name).into_iter().flat_map(move |extracted| extracted.values_of(name));
                id.into_iter().chain(extracted).filter(move |_| is_free)
            };
            let selected = self.0.select_within_limits(values_of);
            let lines = selected.into_iter().flat_map(|name| values_of(name).map(move |line| (name, line.clone())));
            for (name, line) in lines.collect::<Vec<_>>() {
                // A map that is full takes no other line, and so would have but a part of this header.
                if headers.try_append(name, line).is_err() {
                    headers.remove(name);
                    return;
                }
            }
        });
    }
}

impl Extracted {
    fn holds(&self, name: &HeaderName) -> bool {
        self.values_of(name).next().is_some()
    }

    fn values_of(&self, name: &HeaderName) -> impl Iterator<Item = &HeaderValue> {
        self.0.iter().filter(move |(extracted, _)| extracted == name).map(|(_, line)| line)
    }
}

/// A copy does not keep the buffer alive that the server read the request into.
fn copy(name: &HeaderName, line: &HeaderValue) -> HeaderValue {
    let mut copy = HeaderValue::from_bytes(line.as_bytes()).expect("a header value has the bytes of one");
    let is_public = *name == TRACEPARENT || *name == TRACESTATE || *name == REQUEST_ID;
    copy.set_sensitive(line.is_sensitive() || !is_public);
    copy
}
