//! The response and the end that a store belongs to.

use http::response::Parts;

use super::Store;
use crate::{CallbackError, End, lifecycle::ContextKind};

/// # Callbacks and completion
impl Store {
    /// Registers a callback that is called with the status and headers of the response, before they are sent.
    ///
    /// This is for the setup closure, where it cannot fail. Once the context is shared, code below registers with
    /// [`RequestContext::on_response`](crate::RequestContext::on_response).
    ///
    /// Callbacks run once, in the order of their registration, in the context. They may change the status and headers, also
    /// of the response with which a setup rejects the request. A callback that waits for a response that never comes is
    /// dropped uncalled when the request ends, and so is one of a store that becomes no layer's context. After a panic in one
    /// callback the others still run. Then the request fails with that panic.
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
        let registered = self.callbacks.on_response(&self.state, f);
        debug_assert!(registered.is_ok(), "a store that is not shared has sent no headers");
    }

    /// Registers a callback that is called once when the request ends, with how it ended.
    ///
    /// This is for the setup closure, and for the store of a [`run`](Self::run), where it cannot fail. Once the context is
    /// shared, code below registers with [`RequestContext::on_end`](crate::RequestContext::on_end).
    ///
    /// Callbacks run in the order of their registration, in the context, after the response body was dropped and before the
    /// values are dropped; see [`End`] for when that is. They are synchronous and run while the server waits, so they should
    /// be quick: spawn longer work. A panic in one is reported by the panic hook and goes no further. A callback of a store
    /// that becomes a context without an end, such as one that is only [scoped](crate::RequestContext::scope), is dropped uncalled.
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
        let registered = self.callbacks.on_end(&self.state, f);
        debug_assert!(registered.is_ok(), "a store that is not shared has not ended");
    }

    /// Returns whether the request, or the [`Run`](crate::Run), that this store belongs to has ended. `false` for a context
    /// that has no end, such as one that is only [scoped](crate::RequestContext::scope).
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

    pub(crate) fn try_on_response(&self, f: impl FnOnce(&mut Parts) + Send + 'static) -> Result<(), CallbackError> {
        let store = self.nearest_ancestor(ContextKind::has_response).ok_or(CallbackError::NoLifecycle)?;
        store.callbacks.on_response(&store.state, f)
    }

    pub(crate) fn try_on_end(&self, f: impl FnOnce(End) + Send + 'static) -> Result<(), CallbackError> {
        let store = self.nearest_ancestor(ContextKind::has_end).ok_or(CallbackError::NoLifecycle)?;
        store.callbacks.on_end(&store.state, f)
    }

    /// Closes the registration of `on_response` callbacks. Returns whether any may be registered.
    #[inline]
    pub(crate) fn close_response_callbacks(&self) -> bool {
        self.state.send_headers()
    }

    pub(crate) fn run_response_callbacks(&self, parts: &mut Parts) {
        self.callbacks.run_on_response(parts);
    }

    /// Sets the state to ended. Returns whether any callbacks may be registered.
    #[inline]
    pub(crate) fn set_ended(&self) -> bool {
        self.state.end()
    }

    pub(crate) fn run_end_callbacks(&self, end: End) {
        self.callbacks.run_on_end(end);
    }
}
