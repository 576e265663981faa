//! Callbacks for the response and the completion of the current request.

use http::{Response, response::Parts};

use super::{RequestContext, scope};
use crate::{CallbackError, End};

/// # Callbacks and completion
impl RequestContext {
    /// Registers a callback that is called with the status and headers of the current request's response, before they
    /// are sent.
    ///
    /// The callback may change them. See [`Store::on_response`](crate::Store::on_response). In a [child](Self::child),
    /// this is the response of the nearest parent that has one.
    ///
    /// ```
    /// # use tower_request_context::RequestContext;
    /// fn deep_inside() -> Result<(), tower_request_context::CallbackError> {
    ///     RequestContext::on_response(|parts| {
    ///         parts.headers.insert("x-cache", http::HeaderValue::from_static("hit"));
    ///     })
    /// }
    /// # use {http::{Request, Response}, tower::{Layer, ServiceExt, service_fn}, std::convert::Infallible};
    /// # let service = service_fn(async |_: Request<()>| {
    /// #     deep_inside().unwrap();
    /// #     Ok::<_, Infallible>(Response::new(String::new()))
    /// # });
    /// # let service = tower_request_context::RequestContextLayer::default().layer(service);
    /// # assert_eq!(tokio_test::block_on(service.oneshot(Request::new(()))).unwrap().headers()["x-cache"], "hit");
    /// ```
    ///
    /// # Errors
    ///
    /// Returns a [`CallbackError`] if no context is current, if it has no response or has ended, or if the status and
    /// headers are final. `f` is dropped in that case.
    pub fn on_response(f: impl FnOnce(&mut Parts) + Send + 'static) -> Result<(), CallbackError> {
        scope::with_current(|context| context.ok_or(CallbackError::NoContext)?.0.register_on_response(f))
    }

    /// Registers a callback that is called once, when the current request or the current [`Run`](crate::Run) ends.
    ///
    /// See [`Store::on_end`](crate::Store::on_end). In a [child](Self::child), this is the end of the nearest parent
    /// that has one. To register with a context that is not current, enter it:
    /// `context.sync_scope(|| RequestContext::on_end(f))`.
    ///
    /// ```
    /// # use tower_request_context::{CallbackError, End, RequestContext, Store};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// let callback = move |end| sender.send(end).unwrap();
    /// let job = Store::new().run(async { RequestContext::on_end(callback) });
    /// assert_eq!(job.await, Ok(()));
    /// assert_eq!(receiver.recv(), Ok(End::Completed));
    /// assert_eq!(RequestContext::on_end(|_| {}), Err(CallbackError::NoContext));
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns a [`CallbackError`] if no context is current, if it has no end, or if it has already ended. `f` is
    /// dropped in that case.
    pub fn on_end(f: impl FnOnce(End) + Send + 'static) -> Result<(), CallbackError> {
        scope::with_current(|context| context.ok_or(CallbackError::NoContext)?.0.register_on_end(f))
    }

    /// Returns whether the current request, or the current [`Run`](crate::Run), has ended.
    ///
    /// If no context is current, this returns `false`. See [`Store::is_ended`](crate::Store::is_ended).
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let context = Store::new().run(async { RequestContext::current().unwrap() }).await;
    /// assert!(context.sync_scope(RequestContext::is_ended));
    /// assert!(!RequestContext::is_ended());
    /// # }
    /// ```
    #[must_use]
    pub fn is_ended() -> bool {
        scope::with_current(|context| context.is_some_and(|context| context.0.is_ended()))
    }
}

impl RequestContext {
    /// Runs the `on_response` callbacks in this context.
    pub(crate) fn run_response_callbacks<B>(&self, response: Response<B>) -> Response<B> {
        let callbacks = self.0.take_response_callbacks();
        // `Scoped` drops the response and the callbacks in this context, if a hook panics when it is entered.
        let run = self.scope(move || {
            let (mut parts, body) = response.into_parts();
            callbacks.run(&mut parts);
            Response::from_parts(parts, body)
        });
        run.call()
    }

    /// Ends this context, and runs its `on_end` callbacks in it if any may have been registered. The first call takes
    /// them, and later registrations are rejected, so a second call runs no callbacks.
    #[inline]
    pub(crate) fn end(&self, end: End) {
        if self.set_ended() {
            self.run_end_callbacks(end);
        }
    }

    #[inline(never)]
    fn run_end_callbacks(&self, end: End) {
        let mut context = Some(self.clone());
        let _entered = scope::enter_in_drop(&mut context);
        self.0.run_end_callbacks(end);
    }
}
