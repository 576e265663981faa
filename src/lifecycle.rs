//! The lifecycle of a request: its state, its callbacks, and how it ends.

mod callback_list;
mod context_kind;
mod end;
mod state;

pub use self::end::End;
pub(crate) use self::{callback_list::Callbacks, context_kind::ContextKind, state::RequestState};
