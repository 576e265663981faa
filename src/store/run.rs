//! Work without an HTTP request.

use super::Store;
use crate::Run;

/// # Background jobs
impl Store {
    /// Runs a future in this store's context, as work without an HTTP request: a job, a message of a queue, a test.
    ///
    /// The context ends with the future: as `Completed` when the future is ready, whatever its output, else as `Cancelled`
    /// or `Panicked`. The completion of a request around it is not affected.
    ///
    /// The context inherits from the one that is current when the returned future is *first polled*. So a job that is
    /// awaited in a request inherits from the request. One that is passed to `tokio::spawn`, or wrapped in
    /// [`RequestContext::exit`](crate::RequestContext::exit), inherits nothing, and neither does one that is dropped before
    /// it is polled.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let job = Store::new().with_value(7_u8).run(async { RequestContext::get::<u8>() });
    /// assert_eq!(job.await, Some(7));
    /// # }
    /// ```
    pub fn run<T>(self, future: T) -> Run<T>
    where
        T: Future,
    {
        Run::new(self, future)
    }
}
