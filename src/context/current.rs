//! The current context, asked for by nothing but a type.

use std::any::type_name;

use http::response::Parts;

use super::missing;
use crate::{CallbackError, ContextError, End, RequestContext, scope};

/// # The current context
///
/// Each reader and writer here is the method of [`Store`](crate::Store) with the same name, called on the context that
/// is current.
impl RequestContext {
    /// Tells whether a context is current.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// assert!(!RequestContext::is_active());
    /// assert!(RequestContext::new(Store::new()).sync_scope(RequestContext::is_active));
    /// ```
    #[must_use]
    pub fn is_active() -> bool {
        scope::with_current(|context| context.is_some())
    }

    /// Returns a clone of the value of a type; `None` if there is no such value or no context is current.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let context = RequestContext::new(Store::new().with_value(7_u8));
    /// context.sync_scope(|| assert_eq!(RequestContext::get::<u8>(), Some(7)));
    /// assert_eq!(RequestContext::get::<u8>(), None);
    /// ```
    #[inline]
    #[must_use]
    pub fn get<T>() -> Option<T>
    where
        T: Clone + Send + Sync + 'static,
    {
        Self::with(T::clone)
    }

    /// Returns a clone of the value of a type, or an error that says what is missing and why that may be.
    ///
    /// ```
    /// # use tower_request_context::{ContextError, RequestContext, Store};
    /// assert_eq!(RequestContext::try_get::<u8>(), Err(ContextError::NoContext));
    /// let missing = RequestContext::new(Store::new()).sync_scope(RequestContext::try_get::<u8>);
    /// assert!(matches!(missing, Err(ContextError::Missing { .. })));
    /// ```
    ///
    /// # Errors
    ///
    /// [`ContextError::NoContext`] where no context is current, [`ContextError::Missing`] if it has no such value.
    #[inline]
    pub fn try_get<T>() -> Result<T, ContextError>
    where
        T: Clone + Send + Sync + 'static,
    {
        scope::with_current(|context| context.ok_or(ContextError::NoContext)?.try_get())
    }

    /// Returns a clone of the value of a type where its absence is a bug.
    ///
    /// ```should_panic
    /// # use tower_request_context::RequestContext;
    /// RequestContext::expect::<u8>(); // cannot read `u8`: no request context is current: …
    /// ```
    ///
    /// # Panics
    ///
    /// If no context is current, or it holds no value of the type. The message names the type, the likely causes and their
    /// fixes. It lists the names of the types that the context does hold, at most 16, and points out those that are nearly
    /// the one that is missing, such as an `Option` or `Arc` of it. It shows no value.
    #[must_use]
    #[track_caller]
    pub fn expect<T>() -> T
    where
        T: Clone + Send + Sync + 'static,
    {
        match Self::try_get() {
            Ok(value) => value,
            Err(error) => missing::panic(error, type_name::<T>()),
        }
    }

    /// Calls `f` with the value of a type, which need not be `Clone`; `None` if there is no such value or no context
    /// is current.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let context = RequestContext::new(Store::new().with_value(String::from("a long text")));
    /// let length = context.sync_scope(|| RequestContext::with(|text: &String| text.len()));
    /// assert_eq!(length, Some(11));
    /// ```
    #[inline]
    pub fn with<T, R>(f: impl FnOnce(&T) -> R) -> Option<R>
    where
        T: Send + Sync + 'static,
    {
        scope::with_current(|context| context?.0.with(f))
    }

    /// Tells whether a context is current and has a value of a type.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let context = RequestContext::new(Store::new().with_value(false));
    /// assert!(context.sync_scope(RequestContext::contains::<bool>));
    /// assert!(!RequestContext::contains::<bool>());
    /// ```
    #[must_use]
    pub fn contains<T>() -> bool
    where
        T: Send + Sync + 'static,
    {
        Self::with(|_: &T| ()).is_some()
    }

    /// Sets a value in the current context, in place of what it or its parents hold.
    ///
    /// ```
    /// # use tower_request_context::{ContextError, RequestContext, Store};
    /// let context = RequestContext::new(Store::new());
    /// assert_eq!(context.sync_scope(|| RequestContext::set(7_u8)), Ok(()));
    /// assert_eq!(context.get::<u8>(), Some(7));
    /// assert_eq!(RequestContext::set(7_u8), Err(ContextError::NoContext));
    /// ```
    ///
    /// # Errors
    ///
    /// [`ContextError::NoContext`] where no context is current; the value is dropped then.
    pub fn set<T>(value: T) -> Result<(), ContextError>
    where
        T: Send + Sync + 'static,
    {
        scope::with_current(|context| {
            context.ok_or(ContextError::NoContext)?.0.set(value);
            Ok(())
        })
    }

    /// Sets a value in the current context unless it or a parent holds one. Returns whether it was set.
    ///
    /// ```
    /// # use tower_request_context::{ContextError, RequestContext, Store};
    /// let context = RequestContext::new(Store::new());
    /// assert_eq!(context.sync_scope(|| RequestContext::set_if_absent(1_u8)), Ok(true));
    /// assert_eq!(context.sync_scope(|| RequestContext::set_if_absent(2_u8)), Ok(false));
    /// assert_eq!(RequestContext::set_if_absent(1_u8), Err(ContextError::NoContext));
    /// ```
    ///
    /// # Errors
    ///
    /// [`ContextError::NoContext`] where no context is current. The value is dropped then.
    pub fn set_if_absent<T>(value: T) -> Result<bool, ContextError>
    where
        T: Send + Sync + 'static,
    {
        scope::with_current(|context| Ok(context.ok_or(ContextError::NoContext)?.0.set_if_absent(value)))
    }

    /// Removes a value from the current context. Returns whether there was one.
    ///
    /// A value that a parent holds is hidden in this context and stays in the parent.
    ///
    /// ```
    /// # use tower_request_context::{ContextError, RequestContext, Store};
    /// let context = RequestContext::new(Store::new().with_value(7_u8));
    /// assert_eq!(context.sync_scope(RequestContext::remove::<u8>), Ok(true));
    /// assert_eq!(context.sync_scope(RequestContext::remove::<u8>), Ok(false));
    /// assert_eq!(RequestContext::remove::<u8>(), Err(ContextError::NoContext));
    /// ```
    ///
    /// # Errors
    ///
    /// [`ContextError::NoContext`] where no context is current.
    pub fn remove<T>() -> Result<bool, ContextError>
    where
        T: Send + Sync + 'static,
    {
        scope::with_current(|context| Ok(context.ok_or(ContextError::NoContext)?.0.remove::<T>()))
    }

    /// Changes a value of the current context in one atomic step and returns what `f` returned.
    ///
    /// `f` works on a clone and may run again if another writer was quicker; see [`Store::update`](crate::Store::update).
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let context = RequestContext::new(Store::new().with_value(1_u8));
    /// assert_eq!(context.sync_scope(|| RequestContext::update(|n: &mut u8| *n += 1)), Ok(()));
    /// assert_eq!(context.get::<u8>(), Some(2));
    /// ```
    ///
    /// # Errors
    ///
    /// [`ContextError::NoContext`] where no context is current, [`ContextError::Missing`] if it has no such value.
    pub fn update<T, R>(f: impl FnMut(&mut T) -> R) -> Result<R, ContextError>
    where
        T: Clone + Send + Sync + 'static,
    {
        scope::with_current(|context| {
            let context = context.ok_or(ContextError::NoContext)?;
            context.0.update(f).ok_or_else(ContextError::missing::<T>)
        })
    }

    /// Returns a clone of the value of a type. If there is none, sets the one that `f` returns.
    ///
    /// Of several concurrent callers each may run its `f`. The first to set its value wins, and all return that value.
    /// Where no context is current, this returns what `f` returns.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let context = RequestContext::new(Store::new());
    /// assert_eq!(context.sync_scope(|| RequestContext::get_or_insert_with(|| 1_u8)), 1);
    /// assert_eq!(context.sync_scope(|| RequestContext::get_or_insert_with(|| 2_u8)), 1);
    /// assert_eq!(RequestContext::get_or_insert_with(|| 2_u8), 2);
    /// ```
    pub fn get_or_insert_with<T>(f: impl FnOnce() -> T) -> T
    where
        T: Clone + Send + Sync + 'static,
    {
        scope::with_current(|context| match context {
            Some(context) => context.0.get_or_insert_with(f),
            None => f(),
        })
    }

    /// Returns a clone of the value of a type, which is made by `f` if there is none, and made once a request.
    ///
    /// Outside of a context it just calls `f`. See [`Store::get_or_init`](crate::Store::get_or_init).
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let context = RequestContext::new(Store::new());
    /// assert_eq!(context.scope(RequestContext::get_or_init(async || 1_u8)).await, 1);
    /// assert_eq!(context.scope(RequestContext::get_or_init(async || 2_u8)).await, 1);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If `f` waits for the value that it is to make: see [`Store::get_or_init`](crate::Store::get_or_init).
    pub async fn get_or_init<T>(f: impl AsyncFnOnce() -> T) -> T
    where
        T: Clone + Send + Sync + 'static,
    {
        match Self::current() {
            Some(context) => context.0.get_or_init(f).await,
            None => f().await,
        }
    }

    /// As [`get_or_init`](Self::get_or_init), with an `f` that may fail; after an error another caller tries.
    ///
    /// ```
    /// # use tower_request_context::RequestContext;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// assert_eq!(RequestContext::get_or_try_init::<u8, _>(async || Err("no")).await, Err("no"));
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `f`.
    ///
    /// # Panics
    ///
    /// If `f` waits for the value that it is to make: see [`Store::get_or_init`](crate::Store::get_or_init).
    pub async fn get_or_try_init<T, E>(f: impl AsyncFnOnce() -> Result<T, E>) -> Result<T, E>
    where
        T: Clone + Send + Sync + 'static,
    {
        match Self::current() {
            Some(context) => context.0.get_or_try_init(f).await,
            None => f().await,
        }
    }

    /// Registers a callback that is called with the status and headers of the current request's response, before they are
    /// sent. It may change them. See [`Store::on_response`](crate::Store::on_response).
    ///
    /// In a [child](Self::child) this is the response of the nearest parent that has one.
    ///
    /// ```
    /// # use tower_request_context::RequestContext;
    /// fn deep_inside() -> Result<(), tower_request_context::CallbackError> {
    ///     RequestContext::on_response(|parts| {
    ///         parts.headers.insert("x-cache", http::HeaderValue::from_static("hit"));
    ///     })
    /// }
    /// # use {http::{Request, Response}, tower::{Layer, ServiceExt, service_fn}, std::convert::Infallible};
    /// # let service = service_fn(async |_: Request<()>| { deep_inside().unwrap(); Ok::<_, Infallible>(Response::new(String::new())) });
    /// # let service = tower_request_context::RequestContextLayer::default().layer(service);
    /// # assert_eq!(tokio_test::block_on(service.oneshot(Request::new(()))).unwrap().headers()["x-cache"], "hit");
    /// ```
    ///
    /// # Errors
    ///
    /// A [`CallbackError`] that says why `f` will not be called: no context is current, it has no response, or the headers
    /// were sent. `f` is dropped then.
    pub fn on_response(f: impl FnOnce(&mut Parts) + Send + 'static) -> Result<(), CallbackError> {
        scope::with_current(|context| context.ok_or(CallbackError::NoContext)?.0.try_on_response(f))
    }

    /// Registers a callback that is called once when the current request, or the current [`Run`](crate::Run), ends. See
    /// [`Store::on_end`](crate::Store::on_end).
    ///
    /// In a [child](Self::child) this is the end of the nearest parent that has one. To register with a context that is not
    /// current, enter it: `context.sync_scope(|| RequestContext::on_end(f))`.
    ///
    /// ```
    /// # use tower_request_context::{CallbackError, End, RequestContext, Store};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// let job = Store::new().run(async { RequestContext::on_end(move |end| sender.send(end).unwrap()) });
    /// assert_eq!(job.await, Ok(()));
    /// assert_eq!(receiver.recv(), Ok(End::Completed));
    /// assert_eq!(RequestContext::on_end(|_| {}), Err(CallbackError::NoContext));
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A [`CallbackError`] that says why `f` will not be called: no context is current, it has no end, or it has ended. `f`
    /// is dropped then.
    pub fn on_end(f: impl FnOnce(End) + Send + 'static) -> Result<(), CallbackError> {
        scope::with_current(|context| context.ok_or(CallbackError::NoContext)?.0.try_on_end(f))
    }

    /// Returns whether the current request, or the current [`Run`](crate::Run), has ended; `false` where no context is
    /// current. See [`Store::is_ended`](crate::Store::is_ended).
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
