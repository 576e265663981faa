//! The configuration of a propagator: its headers and their limits.

use http::{HeaderName, HeaderValue};

use crate::headers::trust::TrustPredicate;

// The limits of [W3C Baggage](https://www.w3.org/TR/baggage/#limits). They apply to all values of the header together.
const MAX_BAGGAGE_BYTES: usize = 8192;
const MAX_BAGGAGE_MEMBERS: usize = 64;

// The headers of [W3C Trace Context](https://www.w3.org/TR/trace-context/).
pub(super) static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(super) static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

#[derive(Clone)]
pub(super) struct PropagatorConfig {
    pub(super) names: Vec<HeaderName>,
    pub(super) trusted: Option<TrustPredicate>,
    pub(super) max_header_bytes: usize,
    pub(super) max_total_bytes: usize,
}

impl PropagatorConfig {
    pub(super) const fn new() -> Self {
        Self { names: Vec::new(), trusted: None, max_header_bytes: 8192, max_total_bytes: 16384 }
    }

    pub(super) fn add(&mut self, name: HeaderName) {
        if !self.names.contains(&name) {
            self.names.push(name);
        }
    }

    /// Returns the listed headers that have values and are within the limits. They are in the order of the list, except
    /// that `tracestate` always comes after `traceparent`. `values_of` returns the values of a header.
    ///
    /// `tracestate` is returned only together with `traceparent`. So if copying the headers in this order stops early,
    /// the copy has no `tracestate` without its `traceparent`.
    pub(super) fn select_within_limits<'a, V>(&'a self, values_of: impl Fn(&'a HeaderName) -> V) -> Vec<&'a HeaderName>
    where
        V: Iterator<Item = &'a HeaderValue>,
    {
        let length = |name| self.length_within_limit(name, || values_of(name));
        let mut selected: Vec<_> = self.names.iter().filter_map(|name| Some((length(name)?, name))).collect();
        while selected.iter().map(|(length, _)| length).sum::<usize>() > self.max_total_bytes {
            let longest = selected.iter().enumerate().max_by_key(|(_, (length, _))| *length);
            selected.remove(longest.expect("an empty list has length 0, which is within every limit").0);
        }
        let mut selected: Vec<_> = selected.into_iter().map(|(_, name)| name).collect();
        let position = |wanted: &HeaderName| selected.iter().position(|name| *name == wanted);
        match (position(&TRACEPARENT), position(&TRACESTATE)) {
            (None, Some(state)) => drop(selected.remove(state)),
            (Some(parent), Some(state)) if state < parent => selected.swap(state, parent),
            _ => {}
        }
        selected
    }

    /// Returns the bytes of a header's values, as if they were joined by commas. `None` if it has no value or exceeds a
    /// limit.
    fn length_within_limit<'a, V>(&self, name: &HeaderName, values: impl Fn() -> V) -> Option<usize>
    where
        V: Iterator<Item = &'a HeaderValue>,
    {
        let length = values().map(|value| value.len() + 1).sum::<usize>().checked_sub(1)?;
        let fits = match name.as_str() {
            "baggage" => {
                let members = || values().flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).count();
                length <= self.max_header_bytes.min(MAX_BAGGAGE_BYTES) && members() <= MAX_BAGGAGE_MEMBERS
            }
            // Several values are invalid: no reader can tell which one is right.
            "traceparent" => length <= self.max_header_bytes && values().nth(1).is_none(),
            _ => length <= self.max_header_bytes,
        };
        fits.then_some(length)
    }
}
