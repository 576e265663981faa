//! Reading values: those set after sharing, then initial values, then those of the parents.

use std::iter;

use super::{Store, shared::Lookup};
use crate::ContextError;

/// # Reading values
impl Store {
    /// Returns a clone of the value of type `T`, or `None` if there is none.
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

    /// Returns a clone of the value of type `T`, or an error that names the type.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let error = Store::new().try_get::<u8>().unwrap_err();
    /// assert!(error.to_string().starts_with("no `u8` in the request context"));
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ContextError::Missing`] if there is no such value.
    #[inline]
    pub fn try_get<T>(&self) -> Result<T, ContextError>
    where
        T: Clone + Send + Sync + 'static,
    {
        self.get().ok_or_else(ContextError::missing::<T>)
    }

    /// Calls `f` with a reference to the value of type `T`, which need not be `Clone`. Returns `None` if there is no
    /// such value.
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
        // Most reads find an initial value of this store. This part is short enough to be inlined into the caller.
        if !self.written.has::<T>() {
            if let Some(value) = self.initial.get_fast() {
                return Some(f(value));
            }
        }
        self.search(f)
    }

    /// Returns whether there is a value of type `T`.
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

    // Out of line, to keep the callers of `with` small.
    #[inline(never)]
    fn search<T, R>(&self, f: impl FnOnce(&T) -> R) -> Option<R>
    where
        T: Send + Sync + 'static,
    {
        for store in self.ancestors() {
            match store.lookup_shared::<T>() {
                Lookup::NotFound => {}
                Lookup::Removed => return None,
                Lookup::Value(value) => return Some(f(&value)),
            }
            if let Some(value) = store.initial() {
                return Some(f(value));
            }
        }
        None
    }

    /// Looks a type up among the values set after sharing.
    #[inline]
    pub(super) fn lookup_shared<T>(&self) -> Lookup<T>
    where
        T: Send + Sync + 'static,
    {
        if self.written.has::<T>() {
            self.lazy.get().map_or(Lookup::NotFound, |parts| parts.shared.get())
        } else {
            Lookup::NotFound
        }
    }

    /// Returns the initial value of a type in this store, also if another value was set since.
    #[inline]
    pub(crate) fn initial<T>(&self) -> Option<&T>
    where
        T: Send + Sync + 'static,
    {
        // The overflow map first: `with` has usually searched the list already.
        self.lazy.get().and_then(|parts| parts.overflow.get()).or_else(|| self.initial.get())
    }

    /// The initial values of a type in this store and its parents, nearest first.
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
