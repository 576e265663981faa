//! Inserting initial values into a store that is not shared yet.

use std::{mem::needs_drop, sync::Arc};

use super::{Store, shared::Lookup};

/// # Initial values
impl Store {
    /// Inserts a value and returns the previous value of that type in this store.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let mut store = Store::new();
    /// assert_eq!(store.insert(1_u8), None);
    /// assert_eq!(store.insert(2_u8), Some(1));
    /// ```
    pub fn insert<T>(&mut self, value: T) -> Option<T>
    where
        T: Send + Sync + 'static,
    {
        self.needs_drop |= needs_drop::<T>();
        let replaced = match self.initial.insert(value) {
            Ok(replaced) => replaced,
            Err(value) => self.lazy.get_mut_or_alloc().overflow.insert(value),
        };
        // `Store::set` takes `&self`, so it may have set a value before the store is shared.
        if !self.written.has::<T>() {
            return replaced;
        }
        match self.lazy.get_mut().map_or(Lookup::NotFound, |parts| parts.shared.take_entry()) {
            Lookup::NotFound => replaced,
            Lookup::Removed => None,
            // `&mut self` rules out a concurrent read or update, so this is the only handle.
            Lookup::Value(value) => Arc::into_inner(value),
        }
    }

    /// Inserts a value, as [`insert`](Self::insert) does, and returns the store.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let store = Store::new().with_value(7_u8).with_value("seven");
    /// assert_eq!((store.get::<u8>(), store.get::<&str>()), (Some(7), Some("seven")));
    /// ```
    #[must_use]
    pub fn with_value<T>(mut self, value: T) -> Self
    where
        T: Send + Sync + 'static,
    {
        self.insert(value);
        self
    }
}
