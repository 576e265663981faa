//! How the contexts of a layer relate to the context around them.

/// How a layer's contexts relate to the context around them.
///
/// `Inherit` and `Reuse` look for an outer context, in this order:
///
/// 1. the current context, if it is a descendant of the context in the request's extensions;
/// 2. the context in the request's extensions, unless it has ended;
/// 3. the current context.
///
/// The outer layer puts its context into the extensions if it has the option
/// [`insert_extension`](crate::RequestContextLayer::insert_extension). It is needed below a `tower::buffer`, whose worker calls
/// the inner service on a task of its own, where no context is current.
///
/// ```
/// # use tower_request_context::Nesting;
/// assert!(matches!(Nesting::default(), Nesting::Override));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Nesting {
    /// Each request starts from its own store, whatever is current. A request that is made within another one, and
    /// carries no identity, is anonymous.
    #[default]
    Override,
    /// Each request gets a store of its own, as a child of the outer context: values that it lacks are read from there,
    /// and values that are set in it stay in it. The setup runs in the outer context. Without an outer context, the new
    /// one has no parent.
    Inherit,
    /// Keeps the outer context and skips the setup: for a layer that is applied twice, or below middleware that calls on
    /// another task. It never reuses a context that has ended. Without an outer context, the layer makes a new one.
    Reuse,
}
