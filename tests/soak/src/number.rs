//! The number of a request, and the layer that inserts it.

use axum::http::{HeaderMap, request::Parts};
use tower_request_context::{End, RequestContext, RequestContextLayer, Store};

use crate::counters::COUNTERS;

/// Identifies a request. No two requests have the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(pub(crate) u64);

pub(crate) const NUMBER: &str = "x-number";

pub(crate) fn layer() -> RequestContextLayer<fn(&mut Store, &mut Parts)> {
    RequestContextLayer::new(|store, head| {
        let Some(number) = Number::of(&head.headers) else { return };
        store.insert(number);
        store.insert(Ballast::new());
        COUNTERS.begin(number, end_of(head.uri.path()));
        store.on_response(move |head| {
            number.check("an on_response callback");
            head.headers.insert(NUMBER, number.0.into());
        });
        store.on_end(move |end| {
            number.check("an on_end callback");
            COUNTERS.end(number, end);
        });
    })
}

/// Returns the expected end of a request. It depends on what its client does.
fn end_of(path: &str) -> End {
    match path {
        "/hang" | "/endless" | "/numbers.Numbers/Endless" => End::Cancelled,
        "/panic/handler" | "/panic/body" => End::Panicked,
        _ => End::Completed,
    }
}

impl Number {
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        Self::read(headers.get(NUMBER)?.as_bytes())
    }

    /// Returns the number, padded with blanks to 400 bytes. h2 treats many small, unread frames as an attack.
    pub(crate) fn text(self) -> String {
        format!("{:>400}", self.0)
    }

    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        str::from_utf8(text).ok()?.trim().parse().ok().map(Self)
    }

    /// Checks that this request is current in a place that runs for it.
    pub(crate) fn check(self, place: &'static str) {
        COUNTERS.record_read(place, Some(self), RequestContext::get());
    }

    /// Returns a guard that checks the current request in its drop.
    pub(crate) fn check_on_drop(self, place: &'static str) -> CheckOnDrop {
        CheckOnDrop(self, place)
    }
}

#[must_use]
pub(crate) struct CheckOnDrop(Number, &'static str);

impl Drop for CheckOnDrop {
    fn drop(&mut self) {
        self.0.check(self.1);
    }
}

/// Makes each store large, so that a leaked one is visible in the resident memory.
struct Ballast(#[expect(dead_code, reason = "it only takes memory")] Box<[u8; 4096]>);

impl Ballast {
    fn new() -> Self {
        COUNTERS.store_created();
        Self(Box::new([1; 4096]))
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        COUNTERS.store_dropped();
    }
}
