//! What a setup may answer.

use http::Response;
use http_body::Body;

pub(super) use self::sealed::Rejection;
use self::sealed::{NoRejection, Rejected};

/// What the setup of a [`RequestContextLayer`](crate::RequestContextLayer) returns, for an inner service that answers
/// with bodies of type `B`.
///
/// It is `()`, to go on, or `Result<(), http::Response<R>>`, where `Err` refuses the request with that response. The
/// body `R` of a rejection may differ from `B`, as long as its data is the same and its error converts into `B`'s.
/// This trait is sealed: there are no other answers.
///
/// In axum a rejection is built with `into_response()`, in tonic with `Status::into_http::<tonic::body::Body>()`: their
/// bodies fail as the inner ones do. Clippy's `result_large_err` may remark that a response is large; it is, and it is
/// moved once: allow the lint on such a closure.
///
/// ```
/// # use tower_request_context::SetupOutcome;
/// fn body_of_refusal<B, O: SetupOutcome<B>>() -> &'static str {
///     std::any::type_name::<O::Body>()
/// }
/// assert_eq!(body_of_refusal::<String, ()>(), "alloc::string::String");
/// let boxed = body_of_refusal::<String, Result<(), http::Response<Box<String>>>>();
/// assert_eq!(boxed, "alloc::boxed::Box<alloc::string::String>");
/// ```
#[diagnostic::on_unimplemented(
    message = "the setup of a `RequestContextLayer` returned `{Self}`",
    label = "this setup returns `{Self}`, not `()` or `Result<(), http::Response<_>>`",
    note = "a setup returns `()`, or `Result<(), http::Response<_>>` to refuse requests",
    note = "is a `;` missing after its last expression, such as `store.insert(value)`, which returns the value replaced?",
    note = "is `Ok(())` missing at its end, or is there a value in the `Ok`?",
    note = "a bare `StatusCode` is not a response: return `Err(response)`, in axum `Err(status.into_response())`",
    note = "a setup cannot be async: set what you awaited from async middleware below this layer"
)]
pub trait SetupOutcome<B>: sealed::Sealed {
    /// The body of a rejection.
    type Body: Body;

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

#[expect(unnameable_types, reason = "what cannot be named cannot be implemented, and is nobody's business")]
mod sealed {
    use std::{convert::Infallible, marker::PhantomData};

    use http::Response;

    pub trait Sealed {}

    impl Sealed for () {}

    impl<R> Sealed for Result<(), Response<R>> {}

    /// Where a future keeps the response of a setup that rejected until it is polled.
    pub trait Rejection {
        type Body;

        fn take(&mut self) -> Response<Self::Body>;
    }

    /// Of this there is none, and so there is no code for it.
    #[expect(missing_debug_implementations, reason = "nobody sees one")]
    pub struct NoRejection<B>(Infallible, PhantomData<fn() -> B>);

    impl<B> Rejection for NoRejection<B> {
        type Body = B;

        fn take(&mut self) -> Response<B> {
            match self.0 {}
        }
    }

    #[expect(missing_debug_implementations, reason = "nobody sees one")]
    pub struct Rejected<R>(pub(super) Option<Response<R>>);

    impl<R> Rejection for Rejected<R> {
        type Body = R;

        fn take(&mut self) -> Response<R> {
            self.0.take().expect("a future that is ready is not polled again")
        }
    }
}
