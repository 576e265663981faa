//! How a request ends.

/// Describes how a request, or a [`Run`](crate::Run), ended.
///
/// ```
/// # use tower_request_context::{End, Store};
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let (sender, receiver) = tokio::sync::oneshot::channel();
/// let mut store = Store::new();
/// store.on_end(|end| sender.send(end).unwrap());
/// store.run(async { "the work" }).await;
/// assert_eq!(receiver.await, Ok(End::Completed));
/// # }
/// ```
///
/// `End` describes the transport, not the outcome. A response with status 500 or a gRPC error status is
/// [`Completed`](Self::Completed) if all of it was handed to the server. To know the outcome, record the status in
/// [`on_response`](crate::Store::on_response).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum End {
    /// All bytes of the response body were handed to the server, or the response needs no body. For a run: its future
    /// completed.
    ///
    /// The server may still have to send the response, and the client may never receive it.
    Completed,
    /// The inner service or the response body returned an error. Or the body was longer or shorter than announced, or
    /// the `Content-Length` was invalid: see [`recipes::lifecycle`](crate::recipes::lifecycle#body-length).
    Failed,
    /// The future or the body was dropped before it completed. This happens if the client disconnects, and if an outer
    /// layer such as a timeout drops it.
    Cancelled,
    /// The setup closure, the inner service's `call` or future, the response body, the future of a run or an
    /// `on_response` callback panicked.
    ///
    /// This includes a closure of [`on_enter`](crate::Store::on_enter) that panics when the layer or the run enters the
    /// context. If the context is entered for a drop or for `on_end` callbacks, that panic does not change the end.
    ///
    /// It also includes panics in the `Drop` of the future and of the body, and in the body's `is_end_stream` and
    /// `size_hint`.
    Panicked,
}
