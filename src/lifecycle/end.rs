//! How a request ended.

/// How a request, or a [`Run`](crate::Run), came to its end.
///
/// This speaks of the transport, not of the outcome: a 500 and a gRPC error status are [`Completed`](Self::Completed)
/// when their response was handed to the server whole. For the outcome, record the status in
/// [`on_response`](crate::Store::on_response).
///
/// ```
/// # use tower_request_context::{End, Store};
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let (sender, ended) = tokio::sync::oneshot::channel();
/// let mut store = Store::new();
/// store.on_end(|end| sender.send(end).unwrap());
/// store.run(async { "the work" }).await;
/// assert_eq!(ended.await, Ok(End::Completed));
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum End {
    /// The response was handed on whole, or needs no body; the run is done. A server may still have to send it, and
    /// whether it arrived nobody knows.
    Completed,
    /// The inner service or the response body returned an error, or the body does not match the length of its response:
    /// see [`recipes::lifecycle`](crate::recipes::lifecycle#body-length).
    Failed,
    /// The future or the body was dropped before it was done: the client went away, or a layer outside gave up.
    Cancelled,
    /// The setup, the inner service's `call` or future, the body or an `on_response` callback panicked, be it in a drop.
    /// A body's `is_end_stream` and `size_hint` count too.
    Panicked,
}
