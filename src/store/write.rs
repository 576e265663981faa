//! Writing to a store that may be shared.

use std::sync::Arc;

use super::{
    Store,
    shared::{Lookup, SharedValues},
};

/// # Values set after sharing
impl Store {
    /// Sets a value. It replaces the value of that type in this store and hides those of its parents.
    ///
    /// A replaced value that was set after sharing is dropped before this returns, unless it is being read or updated.
    /// A replaced [initial value](Self::insert) stays in memory until the store is dropped.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let store = Store::new().with_value(1_u8);
    /// store.set(2_u8);
    /// assert_eq!(store.get::<u8>(), Some(2));
    /// ```
    pub fn set<T>(&self, value: T)
    where
        T: Send + Sync + 'static,
    {
        let maybe_written = self.written.add::<T>();
        self.lazy.get_or_alloc_for_writes().shared.set(value, maybe_written);
    }

    /// Sets a value unless a read finds one, here or in a parent. Returns whether it was set.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let store = Store::new();
    /// assert!(store.set_if_absent(1_u8));
    /// assert!(!store.set_if_absent(2_u8));
    /// assert_eq!(store.get::<u8>(), Some(1));
    /// ```
    pub fn set_if_absent<T>(&self, value: T) -> bool
    where
        T: Send + Sync + 'static,
    {
        !self.contains::<T>() && self.shared_for_write::<T>().set_if_absent(Arc::new(value)).is_none()
    }

    /// Changes a value in one atomic step and returns what `f` returned, or `None` if there is no such value.
    ///
    /// `f` changes a clone, and no lock is held meanwhile. If another thread writes the value at the same time, `f`
    /// runs again on a new clone, so it should have no other effects. A value of a parent is cloned into this store and
    /// stays as it is in the parent.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let store = Store::new().with_value(1_u8);
    /// let before = store.update(|n: &mut u8| std::mem::replace(n, 5));
    /// assert_eq!((before, store.get::<u8>()), (Some(1), Some(5)));
    /// ```
    pub fn update<T, R>(&self, mut f: impl FnMut(&mut T) -> R) -> Option<R>
    where
        T: Clone + Send + Sync + 'static,
    {
        loop {
            let (mut value, expected) = match self.lookup_shared::<T>() {
                Lookup::Value(current) => (T::clone(&current), Some(current)),
                Lookup::Removed => return None,
                Lookup::NotFound => match self.initial::<T>() {
                    Some(value) => (value.clone(), None),
                    None => (self.parent.as_ref()?.get()?, None),
                },
            };
            let result = f(&mut value);
            if self.shared_for_write::<T>().compare_and_set(expected, value) {
                return Some(result);
            }
        }
    }

    /// Removes a value. Returns whether there was one.
    ///
    /// A value that a parent holds is hidden in this store and stays in the parent. A removed
    /// [initial value](Self::insert) stays in memory until the store is dropped.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let store = Store::new().with_value(7_u8);
    /// assert!(store.remove::<u8>());
    /// assert!(!store.remove::<u8>());
    /// assert_eq!(store.get::<u8>(), None);
    /// ```
    pub fn remove<T>(&self) -> bool
    where
        T: Send + Sync + 'static,
    {
        self.contains::<T>() && self.shared_for_write::<T>().remove::<T>()
    }

    /// Returns a clone of the value of type `T`. If there is none, sets the one that `f` returns.
    ///
    /// Concurrent callers may each run their `f`. The first to set its value wins, and all of them return that value.
    /// To run only one at a time, use [`get_or_init`](Self::get_or_init).
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let store = Store::new();
    /// assert_eq!(store.get_or_insert_with(|| 1_u8), 1);
    /// assert_eq!(store.get_or_insert_with(|| 2_u8), 1);
    /// ```
    pub fn get_or_insert_with<T>(&self, f: impl FnOnce() -> T) -> T
    where
        T: Clone + Send + Sync + 'static,
    {
        if let Some(value) = self.get() {
            return value;
        }
        let value = Arc::new(f());
        let current = self.shared_for_write::<T>().set_if_absent(Arc::clone(&value));
        T::clone(current.as_ref().unwrap_or(&value))
    }

    /// Returns the values set after sharing, for a write of this type.
    #[inline]
    fn shared_for_write<T: 'static>(&self) -> &SharedValues {
        self.written.add::<T>();
        &self.lazy.get_or_alloc_for_writes().shared
    }
}
