//! The identity of a request, and the layer that seeds it.

use axum::http::{HeaderMap, request::Parts};
use tower_request_context::{End, RequestContext, RequestContextLayer, Store};

use crate::counters::LEDGER;

/// No two requests have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(pub(crate) u64);

pub(crate) const NUMBER: &str = "x-number";

pub(crate) fn layer() -> RequestContextLayer<fn(&mut Store, &mut Parts)> {
    RequestContextLayer::new(|store, head| {
        let Some(number) = Number::of(&head.headers) else { return };
        store.insert(number);
        store.insert(Ballast::new());
        LEDGER.begin(number, end_of(head.uri.path()));
        store.on_response(move |head| {
            number.look("the head of a response");
            head.headers.insert(NUMBER, number.0.into());
        });
        store.on_end(move |end| {
            number.look("the end");
            LEDGER.end(number, end);
        });
    })
}

/// What a request ends with, by what its client is going to do.
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

    /// The number, in front of it so many blanks that a frame of it is no small one: h2 takes many of these, unread, for an attack.
    pub(crate) fn text(self) -> String {
        format!("{:>400}", self.0)
    }

    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        str::from_utf8(text).ok()?.trim().parse().ok().map(Self)
    }

    /// Looks who is current in a place that runs for this request.
    pub(crate) fn look(self, place: &'static str) {
        LEDGER.read(place, Some(self), RequestContext::get());
    }

    /// Looks who is current when it is dropped.
    pub(crate) fn look_in_drop(self, place: &'static str) -> Dropped {
        Dropped(self, place)
    }
}

#[must_use]
pub(crate) struct Dropped(Number, &'static str);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.look(self.1);
    }
}

/// Makes a store that is kept weigh something.
struct Ballast(#[expect(dead_code, reason = "it only weighs")] Box<[u8; 4096]>);

impl Ballast {
    fn new() -> Self {
        LEDGER.store_made();
        Self(Box::new([1; 4096]))
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        LEDGER.store_dropped();
    }
}
