//! A library that logs, or sends requests, on behalf of the current request.

use tower_request_context::{HeaderPropagator, RequestContext, RequestId, RequestIdError, Store};

/// Returns a log line, with the id of the current request if there is one.
#[must_use]
pub fn log_line(text: &str) -> String {
    match RequestContext::id() {
        Some(id) => format!("[{id}] {text}"),
        None => text.to_owned(),
    }
}

/// Creates the context of a job that continues a request.
///
/// # Errors
///
/// Returns an error if the text is not a valid id.
pub fn job(id: &str) -> Result<RequestContext, RequestIdError> {
    let id: RequestId = id.parse()?;
    Ok(RequestContext::new(Store::new().with_value(id)))
}

/// Returns the propagator for this library's own requests.
pub fn propagator() -> HeaderPropagator {
    HeaderPropagator::new(["x-request-id"])
}
