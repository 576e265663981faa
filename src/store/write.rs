//! Writing late: through `&self`, from anywhere.

use std::sync::Arc;

use super::{
    Store,
    late::{Late, Lookup},
};

impl Store {
    /// Sets a value at any time and from anywhere, in place of what this store or its parents hold.
    ///
    /// The value replaced is dropped before this returns, unless it is being read or updated just then.
    /// A seed that is replaced stays in memory, unseen, until the store is dropped.
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
        self.rare.make_for_writes().late.set(value, is_written);
    }

    /// Sets a value unless there is one, here or in a parent; says whether it did.
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
        !self.contains::<T>() && self.late_to_write::<T>().set_if_absent(Arc::new(value)).is_ok()
    }

    /// Changes a value in one atomic step and returns what `f` returned; `None` if there is no such value.
    ///
    /// `f` works on a clone and without a lock. If another writer of the type was quicker, `f` runs again on a fresh
    /// clone: it should do nothing but change the value. An inherited value is copied into this store; the parent's
    /// stays as it is.
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
            let (mut value, seen) = match self.late::<T>() {
                Lookup::Value(seen) => (T::clone(&seen), Some(seen)),
                Lookup::Removed => return None,
                Lookup::Unwritten => match self.seed::<T>() {
                    Some(value) => (value.clone(), None),
                    None => (self.parent.as_ref()?.get()?, None),
                },
            };
            let result = f(&mut value);
            if self.late_to_write::<T>().replace(seen, value).is_ok() {
                return Some(result);
            }
        }
    }

    /// Removes a value and says whether there was one; an inherited one is hidden here and stays in the parent.
    ///
    /// A seed that is removed stays in memory, unseen, until the store is dropped.
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
        self.contains::<T>() && !matches!(self.late_to_write::<T>().remove::<T>(), Lookup::Removed)
    }

    /// Returns a clone of the value of a type, which is made by `f` if there is none.
    ///
    /// Of several callers at once each may run its `f`; the first to insert wins, and all return its value.
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
        match self.late_to_write::<T>().set_if_absent(Arc::clone(&made)) {
            Ok(()) => T::clone(&made),
            Err((winner, _)) => T::clone(&winner),
        }
    }

    #[inline]
    fn late_to_write<T: 'static>(&self) -> &Late {
        self.written.add::<T>();
        &self.rare.make_for_writes().late
    }
}
