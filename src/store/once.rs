//! Values that are made once.

use std::convert::Infallible;

use super::Store;

impl Store {
    /// Returns a clone of the value of a type, which is made by `f` if there is none, and made once.
    ///
    /// Callers that come while it is being made wait for it. If `f` is cancelled or panics, one of them makes the value
    /// with its own. A value that is [`set`](Self::set) meanwhile wins. The value goes into this store; one that a parent
    /// holds is returned as it is.
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
    /// When `f` waits for the value that it is to make, directly or through the making of others. Where it waits for a
    /// task that waits for the value, it hangs: that cannot be seen from here.
    pub async fn get_or_init<T>(&self, f: impl AsyncFnOnce() -> T) -> T
    where
        T: Clone + Send + Sync + 'static,
    {
        let made = self.get_or_try_init(async || Ok::<T, Infallible>(f().await)).await;
        made.unwrap_or_else(|never| match never {})
    }

    /// As [`get_or_init`](Self::get_or_init), with an `f` that may fail; after an error another caller tries.
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
        let turn = loop {
            let turn = self.rare.make().turns.take::<T>().await;
            if let Some(value) = self.get() {
                return Ok(value);
            }
            if let Some(turn) = turn {
                break turn;
            }
        };
        let made = turn.run(f()).await?;
        Ok(self.get_or_insert_with(|| made))
    }
}
