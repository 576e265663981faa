//! The kind of a context, which decides which callbacks it accepts.

/// The kind of context that a store belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ContextKind {
    /// The store belongs to no context yet, and may become any of the others.
    #[default]
    Unattached,
    /// A context that is only entered, with `scope` and the like. It has no response and never ends.
    Plain,
    /// The context of a [`Run`](crate::Run). It ends, and has no response.
    Run,
    /// The context of a layer. It has a response, and ends.
    Request,
}

impl ContextKind {
    /// Returns whether `on_response` callbacks may be registered.
    pub(crate) fn has_response(self) -> bool {
        matches!(self, Self::Unattached | Self::Request)
    }

    /// Returns whether `on_end` callbacks may be registered.
    pub(crate) fn has_end(self) -> bool {
        !matches!(self, Self::Plain)
    }
}
