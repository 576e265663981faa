//! How a layer's context relates to an outer context.

/// Determines how the context of a [`RequestContextLayer`](crate::RequestContextLayer) relates to an outer context.
///
/// Set it with [`RequestContextLayer::nesting`](crate::RequestContextLayer::nesting).
///
/// ```
/// # use tower_request_context::Nesting;
/// assert!(matches!(Nesting::default(), Nesting::Override));
/// ```
///
/// # The outer context
///
/// `Inherit` and `Reuse` use the first of these that exists:
///
/// 1. the current context, if it is the context in the request's extensions or a descendant of it;
/// 2. the context in the request's extensions, unless it has ended;
/// 3. the current context.
///
/// A layer with the option [`insert_extension`](crate::RequestContextLayer::insert_extension) puts its context into the
/// extensions. Set this option on the outer layer if there is a `tower::buffer` between the two layers. The worker of
/// the buffer calls the inner service on another task, where no context is current.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Nesting {
    /// Creates a context without a parent for each request, even if another context is current. A request that is made
    /// within another request does not see the values of that request, such as its user.
    #[default]
    Override,
    /// Creates a context for each request, as a child of the outer context. Values that it does not hold are read from
    /// the outer context. Values that are set in it are not visible in the outer context. The setup runs in the outer
    /// context. Without an outer context, the new context has no parent.
    Inherit,
    /// Skips the setup, and keeps the outer context. Use it if a layer is applied twice. Use it also below middleware
    /// that calls the inner service on another task. There, it makes the context from the extensions current again. A
    /// context that has ended is not reused. Without an outer context, the layer runs its setup and creates a new
    /// context.
    Reuse,
}
