//! The kind of a context, which decides what callbacks it takes.

/// What a store is to the one who asks for its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ContextKind {
    /// In no context yet: it may become any of the others.
    #[default]
    Unattached,
    /// A context that is entered and left, and never ends.
    Scoped,
    /// A unit of work without a response.
    Run,
    /// A layer's: it has a response and an end.
    Request,
}

impl ContextKind {
    pub(crate) fn has_response(self) -> bool {
        matches!(self, Self::Unattached | Self::Request)
    }

    pub(crate) fn has_end(self) -> bool {
        !matches!(self, Self::Scoped)
    }
}
