//! The return type of a setup closure.

use http::Response;
use http_body::Body;

pub(super) use self::sealed::Rejection;
use self::sealed::{NoRejection, Rejected};

/// Trait for the return types of the setup closure of a [`RequestContextLayer`](crate::RequestContextLayer).
///
/// `B` is the body type of the inner service's responses. The trait is implemented for two types. It is sealed, so that
/// you cannot implement it for others.
///
/// * `()`: the inner service is called.
/// * `Result<(), http::Response<R>>`: an `Err` rejects the request with that response. The inner service is not called.
///
/// ```
/// # use tower_request_context::SetupOutcome;
/// fn rejection_body<B, O: SetupOutcome<B>>() -> &'static str {
///     std::any::type_name::<O::Body>()
/// }
/// assert_eq!(rejection_body::<String, ()>(), "alloc::string::String");
/// let boxed = rejection_body::<String, Result<(), http::Response<Box<String>>>>();
/// assert_eq!(boxed, "alloc::boxed::Box<alloc::string::String>");
/// ```
///
/// The body `R` of a rejection may be another type than `B`. Both need the same `Data`, and the error of `R` must
/// convert into the error of `B`. This holds for a rejection that is built with `into_response()` in axum, or with
/// `Status::into_http::<tonic::body::Body>()` in tonic.
///
/// Clippy's `result_large_err` may warn that a response is large. Allow the lint on the closure: its result is not
/// returned through further functions.
#[diagnostic::on_unimplemented(
    message = "the setup of a `RequestContextLayer` returned `{Self}`",
    label = "this setup returns `{Self}`, not `()` or `Result<(), http::Response<_>>`",
    note = "a setup returns `()`, or `Result<(), http::Response<_>>` to reject requests",
    note = "is a `;` missing at its end? `store.insert(value)` returns the previous value, not `()`",
    note = "is `Ok(())` missing at its end, or is there a value in the `Ok`?",
    note = "a bare `StatusCode` is not a response: return `Err(response)`, in axum `Err(status.into_response())`",
    note = "a setup cannot be async: await in async middleware below this layer, and set the value from there"
)]
pub trait SetupOutcome<B>: sealed::Sealed {
    /// The body of a rejection.
    type Body: Body;

    /// The type with which the response future holds a rejection.
    #[doc(hidden)]
    type Rejection: Rejection<Body = Self::Body>;

    #[doc(hidden)]
    fn into_rejection(self) -> Option<Self::Rejection>;
}

impl<B: Body> SetupOutcome<B> for () {
    type Body = B;
    type Rejection = NoRejection<B>;

    #[inline]
    fn into_rejection(self) -> Option<NoRejection<B>> {
        None
    }
}

impl<B, R: Body> SetupOutcome<B> for Result<(), Response<R>> {
    type Body = R;
    type Rejection = Rejected<R>;

    #[inline]
    fn into_rejection(self) -> Option<Rejected<R>> {
        self.err().map(|response| Rejected(Some(response)))
    }
}

#[expect(unnameable_types, reason = "sealed: users can neither name nor implement these")]
mod sealed {
    use std::{convert::Infallible, marker::PhantomData};

    use http::Response;

    pub trait Sealed {}

    impl Sealed for () {}

    impl<R> Sealed for Result<(), Response<R>> {}

    /// The response of a setup that rejected the request. The response future holds it until it is polled.
    pub trait Rejection {
        type Body;

        fn take(&mut self) -> Response<Self::Body>;
    }

    /// The rejection of a setup that never rejects. No value of this type exists, so no code is generated for it.
    #[expect(missing_debug_implementations, reason = "users never hold one")]
    pub struct NoRejection<B>(Infallible, PhantomData<fn() -> B>);

    impl<B> Rejection for NoRejection<B> {
        type Body = B;

        fn take(&mut self) -> Response<B> {
            match self.0 {}
        }
    }

    #[expect(missing_debug_implementations, reason = "users never hold one")]
    pub struct Rejected<R>(pub(super) Option<Response<R>>);

    impl<R> Rejection for Rejected<R> {
        type Body = R;

        fn take(&mut self) -> Response<R> {
            self.0.take().expect("the future takes the response once and then drops this")
        }
    }
}
