//! The response and the end that a store belongs to.

use http::{Response, response::Parts};

use super::Store;
use crate::{CallbackError, End, RequestContext, Run, end::Role};

impl Store {
    /// Calls `f` with the head of the response when it is ready, before its body is sent; says whether it will.
    ///
    /// Callbacks run in the order of their registration, once, in the context, also for the response of a setup that
    /// refuses. They may change the head. It is too late when the head has been sent, and in vain on a context that has
    /// no response, such as one that is only [scoped](RequestContext::scope): `f` is dropped uncalled then. In a child it
    /// is the response of the nearest parent that has one; and what waits for a response that never comes is dropped
    /// uncalled at the end. After a panic in one callback the others still run; then the request fails with it.
    ///
    /// ```
    /// # use tower_request_context::RequestContext;
    /// fn deep_inside() {
    ///     RequestContext::current().unwrap().on_response(|head| {
    ///         head.headers.insert("x-cache", http::HeaderValue::from_static("hit"));
    ///     });
    /// }
    /// # use {http::{Request, Response}, tower::{Layer, ServiceExt, service_fn}, std::convert::Infallible};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let service = service_fn(async |_: Request<()>| { deep_inside(); Ok::<_, Infallible>(Response::new(String::new())) });
    /// # let service = tower_request_context::RequestContextLayer::default().layer(service);
    /// # assert_eq!(service.oneshot(Request::new(())).await.unwrap().headers()["x-cache"], "hit");
    /// # }
    /// ```
    pub fn on_response(&self, f: impl FnOnce(&mut Parts) + Send + 'static) -> bool {
        self.try_on_response(f).is_ok()
    }

    /// Calls `f` when the request is over, with how it came to that; says whether it will.
    ///
    /// Callbacks run in the order of their registration, once, in the context, after the response body was dropped and
    /// before the values are; see [`End`] for when that is. They are synchronous and run while the server waits, so they
    /// should be quick: spawn what is not. A panic in one is reported by the panic hook and goes no further.
    ///
    /// It is too late when the request is over, and in vain on a context without an end: `f` is dropped uncalled then. In
    /// a child it is the end of the nearest parent that has one.
    ///
    /// ```
    /// # use tower_request_context::{End, Store};
    /// let (sender, told) = std::sync::mpsc::channel();
    /// let store = Store::new();
    /// assert!(store.on_end(move |end| sender.send(end).expect("somebody listens")));
    /// drop(store.run(std::future::pending::<()>()));
    /// assert_eq!(told.recv(), Ok(End::Cancelled));
    /// ```
    pub fn on_end(&self, f: impl FnOnce(End) + Send + 'static) -> bool {
        self.try_on_end(f).is_ok()
    }

    /// Tells whether the request, or the [`Run`], that this store belongs to is over; never where there is no end.
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
        self.nearest(Role::has_end).is_some_and(|store| store.phase.is_ended())
    }

    /// Runs a future as a unit of work that is no HTTP request: a job, a message of a queue, a test.
    ///
    /// This store becomes the future's context. It ends with the future: `Completed` when that is ready, whatever its
    /// output, else `Cancelled` or `Panicked`. The completion of a request around it is not affected.
    ///
    /// The context inherits from the one that is current when the returned future is *first polled*. So a job that is
    /// awaited in a request inherits from the request, and one that is handed to `tokio::spawn`, or wrapped in
    /// [`RequestContext::exit`], inherits nothing. One that is dropped before it is polled inherits nothing either.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let job = Store::new().with_value(7_u8).run(async { RequestContext::get::<u8>() });
    /// assert_eq!(job.await, Some(7));
    /// # }
    /// ```
    pub fn run<T>(self, future: T) -> Run<T>
    where
        T: Future,
    {
        Run::new(self, future)
    }

    pub(crate) fn try_on_response(&self, f: impl FnOnce(&mut Parts) + Send + 'static) -> Result<(), CallbackError> {
        let store = self.nearest(Role::has_response).ok_or(CallbackError::NoRequest)?;
        store.callbacks.on_response(&store.phase, f)
    }

    pub(crate) fn try_on_end(&self, f: impl FnOnce(End) + Send + 'static) -> Result<(), CallbackError> {
        let store = self.nearest(Role::has_end).ok_or(CallbackError::NoRequest)?;
        store.callbacks.on_end(&store.phase, f)
    }
}

impl RequestContext {
    /// From now on the head is sent; says whether somebody may wait to see it before.
    #[inline]
    pub(crate) fn close_head(&self) -> bool {
        self.phase.respond()
    }

    /// Shows the head to those who wait for it.
    pub(crate) fn respond<B>(&self, response: Response<B>) -> Response<B> {
        self.sync_scope(|| {
            let (mut head, body) = response.into_parts();
            self.callbacks.respond(&mut head);
            Response::from_parts(head, body)
        })
    }

    /// From now on the request is over; tells those who wait for that.
    #[inline]
    pub(crate) fn end(&self, how: End) {
        if self.phase.end() {
            self.tell(how);
        }
    }

    #[inline(never)]
    fn tell(&self, how: End) {
        self.sync_scope(|| self.callbacks.end(how));
    }
}
