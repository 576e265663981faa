//! The constructor of a store. It is not in `store.rs`, because rustdoc would list it after all other methods.

use std::mem::ManuallyDrop;

use super::{Store, id_header::IdHeader, initial::InitialValues, lazy_parts::LazyBox, shared::WriteFilter};
use crate::{
    lifecycle::{Callbacks, ContextKind, RequestState},
    sync::const_fn,
};

impl Store {
    const_fn! {
        /// Creates an empty store.
        ///
        /// ```
        /// # use tower_request_context::Store;
        /// assert!(!Store::new().contains::<u8>());
        /// ```
        #[must_use]
        pub const fn new() -> Self {
            Self {
                initial: InitialValues::new(),
                written: WriteFilter::new(),
                lazy: LazyBox::new(),
                callbacks: Callbacks::new(),
                state: RequestState::new(),
                kind: ContextKind::Unattached,
                needs_drop: false,
                id_header: IdHeader::Unset,
                parent: ManuallyDrop::new(None),
                on_enter: ManuallyDrop::new(None),
            }
        }
    }
}
