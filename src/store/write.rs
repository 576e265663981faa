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
    /// The replaced value is dropped before this returns, unless it is being read or updated.
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
        let is_written = self.written.add::<T>();
        self.lazy.get_or_alloc_for_writes().shared.set(value, is_written);
    }

    /// Sets a value unless this store or a parent holds one. Returns whether it was set.
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
        !self.contains::<T>() && self.shared_for_write::<T>().set_if_absent(Arc::new(value)).is_ok()
    }

    /// Changes a value in one atomic step and returns what `f` returned, or `None` if there is no such value.
    ///
    /// `f` works on a clone, and no lock is held. If another thread writes the value meanwhile, `f` runs again on a new
    /// clone, so it should have no other effects. A value of a parent is copied into this store and does not change in the
    /// parent.
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
            let (mut value, seen) = match self.shared::<T>() {
                Lookup::Value(seen) => (T::clone(&seen), Some(seen)),
                Lookup::Removed => return None,
                Lookup::NotFound => match self.initial::<T>() {
                    Some(value) => (value.clone(), None),
                    None => (self.parent.as_ref()?.get()?, None),
                },
            };
            let result = f(&mut value);
            if self.shared_for_write::<T>().compare_and_set(seen, value).is_ok() {
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
        self.contains::<T>() && !matches!(self.shared_for_write::<T>().remove::<T>(), Lookup::Removed)
    }

    /// Returns a clone of the value of a type. If there is none, sets the one that `f` returns.
    ///
    /// Of several concurrent callers each may run its `f`. The first to set its value wins, and all return that value.
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
        let made = Arc::new(f());
        match self.shared_for_write::<T>().set_if_absent(Arc::clone(&made)) {
            Ok(()) => T::clone(&made),
            Err((winner, _)) => T::clone(&winner),
        }
    }

    #[inline]
    fn shared_for_write<T: 'static>(&self) -> &SharedValues {
        self.written.add::<T>();
        &self.lazy.get_or_alloc_for_writes().shared
    }
}
