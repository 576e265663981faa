//! Values that are initialised once.

use std::convert::Infallible;

use super::Store;

/// # Lazy values
impl Store {
    /// Returns a clone of the value of a type. If there is none, awaits `f` and sets the value that it returns.
    ///
    /// Only one caller runs its `f` at a time, and the others wait for the value. If that `f` is cancelled or panics, one of
    /// the others runs its own. A value that is [`set`](Self::set) meanwhile wins. The value is set in this store. A value
    /// that a parent holds is returned, and `f` does not run.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let store = Store::new();
    /// assert_eq!(store.get_or_init(async || 1_u8).await, 1);
    /// assert_eq!(store.get_or_init(async || 2_u8).await, 1);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If `f` waits for the value that it is to make, itself or through the initialisers of other values, and nothing else
    /// can wake it. An `f` that races such a wait against something else, as `select!` with a timeout does, goes on when
    /// that is ready.
    ///
    /// A timeout around `get_or_init` does not prevent the panic: put it around the wait inside `f`.
    ///
    /// Such a cycle is not found, and never completes, where it leads through a spawned task, or through an executor that
    /// `f` polls: a `FuturesUnordered`, a `LocalSet`, a `block_on`. To find one, a pending `f` that waits for another
    /// initialiser may be polled twice in a row.
    pub async fn get_or_init<T>(&self, f: impl AsyncFnOnce() -> T) -> T
    where
        T: Clone + Send + Sync + 'static,
    {
        let made = self.get_or_try_init(async || Ok::<T, Infallible>(f().await)).await;
        made.unwrap_or_else(|never| match never {})
    }

    /// Does the same as [`get_or_init`](Self::get_or_init) with an `f` that may fail. After an error another caller runs its
    /// own `f`.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let store = Store::new();
    /// assert_eq!(store.get_or_try_init::<u8, _>(async || Err("no")).await, Err("no"));
    /// assert_eq!(store.get_or_try_init::<u8, &str>(async || Ok(1)).await, Ok(1));
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `f`.
    ///
    /// # Panics
    ///
    /// As [`get_or_init`](Self::get_or_init) does.
    pub async fn get_or_try_init<T, E>(&self, f: impl AsyncFnOnce() -> Result<T, E>) -> Result<T, E>
    where
        T: Clone + Send + Sync + 'static,
    {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        let permit = loop {
            let permit = self.lazy.get_or_alloc().single_flight.acquire::<T>().await;
            if let Some(value) = self.get() {
                return Ok(value);
            }
            if let Some(permit) = permit {
                break permit;
            }
        };
        let made = permit.run(f()).await?;
        Ok(self.get_or_insert_with(|| made))
    }
}
