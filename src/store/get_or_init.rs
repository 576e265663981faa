//! Values that are initialized on first use.

use std::convert::Infallible;

use super::Store;

/// # Lazy values
impl Store {
    /// Returns a clone of the value of type `T`. If there is none, awaits `f` and sets the value that it returns.
    ///
    /// One caller at a time runs its `f`, and the others wait for the value. If that `f` is cancelled or panics,
    /// another caller runs its own. If a value is [`set`](Self::set) while `f` runs, that one wins. What `f` returns is
    /// set in this store, not in a parent. If a read finds a value in a parent, it is returned and `f` does not run.
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
    /// Panics if `f` waits for its own value, directly or through the initializers of other values, and nothing else
    /// can wake it. An `f` that waits for something else too, such as a timeout in a `select!`, continues when that is
    /// ready. A timeout around `get_or_init` does not prevent the panic: put it around the wait inside `f`.
    ///
    /// A cycle through a spawned task, or through an executor that `f` polls (`FuturesUnordered`, `LocalSet`,
    /// `block_on`), is not detected and never completes. As a side effect of the detection, an `f` that waits for
    /// another initializer may be polled twice in a row.
    pub async fn get_or_init<T>(&self, f: impl AsyncFnOnce() -> T) -> T
    where
        T: Clone + Send + Sync + 'static,
    {
        let result = self.get_or_try_init(async || Ok::<T, Infallible>(f().await)).await;
        result.unwrap_or_else(|never| match never {})
    }

    /// Does the same as [`get_or_init`](Self::get_or_init) with an `f` that may fail. After an error, another caller
    /// runs its own `f`.
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
    /// Returns the error that `f` returns. It is not kept.
    ///
    /// # Panics
    ///
    /// Panics in the same cases as [`get_or_init`](Self::get_or_init).
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
        let value = permit.run(f()).await?;
        Ok(self.get_or_insert_with(|| value))
    }
}
