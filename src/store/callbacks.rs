//! Callbacks for the response and the completion of a request.

use http::response::Parts;

use super::Store;
use crate::{
    CallbackError, End,
    lifecycle::{ContextKind, ResponseCallbacks},
};

/// # Callbacks and completion
impl Store {
    /// Registers a callback that is called with the status and headers of the response, before they are sent.
    ///
    /// Use it in the setup closure, where registration cannot fail. Code below the layer uses
    /// [`RequestContext::on_response`](crate::RequestContext::on_response).
    ///
    /// Callbacks run once, in the order of their registration, in the context. They may change the status and headers,
    /// also if the setup closure rejects the request. If there is no response, the callbacks are not called. They are
    /// dropped when the request ends. A store that does not become the context of a layer never calls them. If a
    /// callback panics, the others still run. Then the panic propagates, and the request ends as [`End::Panicked`].
    ///
    /// ```
    /// # use tower_request_context::RequestContextLayer;
    /// let layer = RequestContextLayer::new(|store, _| {
    ///     store.on_response(|parts| {
    ///         parts.headers.insert("x-served-by", http::HeaderValue::from_static("this server"));
    ///     });
    /// });
    /// # use {http::{Request, Response}, tower::{Layer, ServiceExt, service_fn}, std::convert::Infallible};
    /// # let service = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new())));
    /// # let response = tokio_test::block_on(layer.layer(service).oneshot(Request::new(()))).unwrap();
    /// # assert_eq!(response.headers()["x-served-by"], "this server");
    /// ```
    pub fn on_response(&mut self, f: impl FnOnce(&mut Parts) + Send + 'static) {
        let registered = self.callbacks.register_on_response(&self.state, f);
        debug_assert!(registered.is_ok(), "a store that is not shared has sent no headers");
    }

    /// Registers a callback that is called once, when the request ends, with the [`End`] that says how it ended.
    ///
    /// Use it in the setup closure, or before [`run`](Self::run), where registration cannot fail. Code that runs in the
    /// context uses [`RequestContext::on_end`](crate::RequestContext::on_end).
    ///
    /// Callbacks run in the order of their registration, in the context, after the response body was dropped and before
    /// the values are dropped. They are synchronous and run while the server waits, so keep them short and spawn longer
    /// work. A panic in a callback is reported by the panic hook and goes no further.
    ///
    /// A context from [`RequestContext::new`](crate::RequestContext::new), `child` or `inherit` has no end of its own,
    /// so callbacks of its store are dropped without being called.
    ///
    /// ```
    /// # use tower_request_context::{End, Store};
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// let mut store = Store::new();
    /// store.on_end(move |end| sender.send(end).unwrap());
    /// drop(store.run(std::future::pending::<()>()));
    /// assert_eq!(receiver.recv(), Ok(End::Cancelled));
    /// ```
    pub fn on_end(&mut self, f: impl FnOnce(End) + Send + 'static) {
        let registered = self.callbacks.register_on_end(&self.state, f);
        debug_assert!(registered.is_ok(), "a store that is not shared has not ended");
    }

    /// Returns whether the request, or the [`Run`](crate::Run), that this store belongs to has ended.
    ///
    /// In a [child](crate::RequestContext::child), this is the request or run of the nearest parent that has an end. If
    /// there is none, this returns `false`.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let context = Store::new().run(async { RequestContext::current().unwrap() }).await;
    /// assert!(context.is_ended());
    /// # }
    /// ```
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.nearest_ancestor(ContextKind::has_end).is_some_and(|store| store.state.is_ended())
    }

    /// Registers a callback with the nearest of this store and its parents that has a response.
    pub(crate) fn register_on_response(
        &self,
        f: impl FnOnce(&mut Parts) + Send + 'static,
    ) -> Result<(), CallbackError> {
        let store = self.nearest_ancestor(ContextKind::has_response).ok_or(CallbackError::NoLifecycle)?;
        store.callbacks.register_on_response(&store.state, f)
    }

    /// Registers a callback with the nearest of this store and its parents that has an end.
    pub(crate) fn register_on_end(&self, f: impl FnOnce(End) + Send + 'static) -> Result<(), CallbackError> {
        let store = self.nearest_ancestor(ContextKind::has_end).ok_or(CallbackError::NoLifecycle)?;
        store.callbacks.register_on_end(&store.state, f)
    }

    /// Closes the registration of `on_response` callbacks. Returns whether any may have been registered.
    #[inline]
    pub(crate) fn close_response_callbacks(&self) -> bool {
        self.state.close_response_callbacks()
    }

    pub(crate) fn take_response_callbacks(&self) -> ResponseCallbacks {
        self.callbacks.take_response_callbacks()
    }

    /// Closes the registration of all callbacks. Returns whether any may have been registered.
    #[inline]
    pub(crate) fn set_ended(&self) -> bool {
        self.state.set_ended()
    }

    pub(crate) fn run_end_callbacks(&self, end: End) {
        self.callbacks.run_end_callbacks(end);
    }
}
