//! What a library does that logs, or queries, on behalf of a request.

use tower_request_context::{HeaderPropagator, RequestContext, RequestId, RequestIdError, Store};

/// Returns a line of a log, with the id of the current request if it has one.
#[must_use]
pub fn log_line(text: &str) -> String {
    match RequestContext::id() {
        Some(id) => format!("[{id}] {text}"),
        None => text.to_owned(),
    }
}

/// Creates the context of a job that goes on for a request.
///
/// # Errors
///
/// If the text is not a valid id.
pub fn job(id: &str) -> Result<RequestContext, RequestIdError> {
    let id: RequestId = id.parse()?;
    Ok(RequestContext::new(Store::new().with_value(id)))
}

/// The headers that this library sends with its own requests.
pub fn propagator() -> HeaderPropagator {
    HeaderPropagator::new(["x-request-id"])
}
