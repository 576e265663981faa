//! A response body that counts the bytes that it has not returned yet.

use std::pin::Pin;

use bytes::Buf;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

use super::remaining_bytes::RemainingBytes;
use crate::End;

pin_project! {
    pub(super) struct TrackedBody<B> {
        #[pin]
        body: B,
        remaining: RemainingBytes,
    }
}

impl<B> TrackedBody<B> {
    #[inline]
    pub(super) fn new(body: B, remaining: RemainingBytes) -> Self {
        Self { body, remaining }
    }

    #[inline]
    pub(super) fn get_ref(&self) -> &B {
        &self.body
    }

    #[inline]
    pub(super) fn get_pin_mut(self: Pin<&mut Self>) -> Pin<&mut B> {
        self.project().body
    }

    /// Counts down from an exact size hint. A hint that is not exact leaves the length unknown.
    #[inline]
    pub(super) fn set_size(&mut self, size: &SizeHint) {
        self.remaining = RemainingBytes::from_size_hint(size);
    }

    /// Records a frame that the body returned.
    #[inline]
    pub(super) fn record_frame<D: Buf>(self: Pin<&mut Self>, frame: &Frame<D>) {
        let remaining = self.project().remaining;
        match frame.data_ref() {
            Some(data) => remaining.subtract(data.remaining() as u64),
            None if frame.is_trailers() => remaining.record_trailers(),
            None => {}
        }
    }

    /// Returns how the request ends if the body returns `None` now.
    #[inline]
    pub(super) fn at_end(&self) -> End {
        self.remaining.at_end()
    }

    /// Returns how the request ends if the body is dropped now, before it returned `None`. Calls `is_end_stream` only
    /// if the count does not decide.
    pub(super) fn at_drop(&self, is_end_stream: impl FnOnce(&B) -> bool) -> End {
        self.remaining.at_drop(|| is_end_stream(&self.body))
    }
}
