//! The lifecycle of a request: its state, its callbacks, and how it ends.
//!
//! A callback is registered in three steps. `RequestContext::on_end` finds the current context.
//! `Store::register_on_end` finds the store that ends, which may be a parent. `Callbacks::register_on_end` adds the
//! callback, unless the state says that it is too late.
//!
//! When the request ends, `RequestContext::end` calls `set_ended`, after which further registrations are rejected. Then
//! it calls `run_end_callbacks` in the context. Both have the same names in `Store` and in this module. For
//! `on_response`, these steps are `close_response_callbacks`, `take_response_callbacks` and `ResponseCallbacks::run`.

mod callback_list;
mod context_kind;
mod end;
mod state;

pub use self::end::End;
pub(crate) use self::{
    callback_list::{Callbacks, ResponseCallbacks},
    context_kind::ContextKind,
    state::RequestState,
};
