//! Reading: late values first, then seeds, then the parents.

use std::iter;

use super::{Store, shared::Lookup};
use crate::ContextError;

/// # Reading values
impl Store {
    /// Returns a clone of the value of a type.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let store = Store::new().with_value(7_u8);
    /// assert_eq!(store.get::<u8>(), Some(7));
    /// assert_eq!(store.get::<u16>(), None);
    /// ```
    #[inline]
    #[must_use]
    pub fn get<T>(&self) -> Option<T>
    where
        T: Clone + Send + Sync + 'static,
    {
        self.with(T::clone)
    }

    /// Returns a clone of the value of a type, or an error that names the type.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let error = Store::new().try_get::<u8>().unwrap_err();
    /// assert!(error.to_string().starts_with("no `u8` in the request context"));
    /// ```
    ///
    /// # Errors
    ///
    /// [`ContextError::Missing`] if there is no such value.
    #[inline]
    pub fn try_get<T>(&self) -> Result<T, ContextError>
    where
        T: Clone + Send + Sync + 'static,
    {
        self.get().ok_or_else(ContextError::missing::<T>)
    }

    /// Calls `f` with the value of a type, which need not be `Clone`; `None` if there is no such value.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let store = Store::new().with_value(String::from("a long text"));
    /// assert_eq!(store.with(|text: &String| text.len()), Some(11));
    /// ```
    #[inline]
    pub fn with<T, R>(&self, f: impl FnOnce(&T) -> R) -> Option<R>
    where
        T: Send + Sync + 'static,
    {
        // Most reads find a seed of this very store, and are short enough to stand where they are called.
        if !self.written.has::<T>() {
            if let Some(value) = self.initial.first() {
                return Some(f(value));
            }
        }
        self.search(f)
    }

    /// Returns whether there is a value of a type.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let store = Store::new().with_value(false);
    /// assert!(store.contains::<bool>());
    /// ```
    #[inline]
    #[must_use]
    pub fn contains<T>(&self) -> bool
    where
        T: Send + Sync + 'static,
    {
        self.with(|_: &T| ()).is_some()
    }

    #[inline(never)]
    fn search<T, R>(&self, f: impl FnOnce(&T) -> R) -> Option<R>
    where
        T: Send + Sync + 'static,
    {
        let mut store = self;
        loop {
            match store.shared::<T>() {
                Lookup::NotFound => {}
                Lookup::Removed => return None,
                Lookup::Value(value) => return Some(f(&value)),
            }
            if let Some(value) = store.initial() {
                return Some(f(value));
            }
            store = store.parent.as_ref()?;
        }
    }

    #[inline]
    pub(super) fn shared<T>(&self) -> Lookup<T>
    where
        T: Send + Sync + 'static,
    {
        if self.written.has::<T>() {
            self.lazy.get().map_or(Lookup::NotFound, |parts| parts.shared.get())
        } else {
            Lookup::NotFound
        }
    }

    #[inline]
    pub(crate) fn initial<T>(&self) -> Option<&T>
    where
        T: Send + Sync + 'static,
    {
        // The list has mostly been looked at by now.
        self.lazy.get().and_then(|parts| parts.overflow.get()).or_else(|| self.initial.get())
    }

    /// The values of a type that were seeded here and in the parents, nearest first.
    pub(crate) fn initial_values<T>(&self) -> impl Iterator<Item = &T>
    where
        T: Send + Sync + 'static,
    {
        self.ancestors().filter_map(|store| store.initial())
    }

    /// This store and its parents, nearest first.
    pub(crate) fn ancestors(&self) -> impl Iterator<Item = &Self> {
        iter::successors(Some(self), |store| store.parent.as_deref())
    }
}
