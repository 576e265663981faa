//! Which headers may travel, and how much of them.

use http::{HeaderName, HeaderValue};

use super::names::{TrustPredicate, assert_forwardable};

/// Limits of [W3C Baggage](https://www.w3.org/TR/baggage/#limits), which hold for all lines of that header together.
const BAGGAGE_BYTES: usize = 8192;
const BAGGAGE_MEMBERS: usize = 64;

/// Of [W3C Trace Context](https://www.w3.org/TR/trace-context/). A state without its trace means nothing to who reads it.
pub(super) static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(super) static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

#[derive(Clone)]
pub(super) struct Rules {
    pub(super) names: Vec<HeaderName>,
    pub(super) trusted: Option<TrustPredicate>,
    pub(super) max_header_bytes: usize,
    pub(super) max_total_bytes: usize,
}

impl Rules {
    pub(super) const fn new() -> Self {
        Self { names: Vec::new(), trusted: None, max_header_bytes: 8192, max_total_bytes: 16384 }
    }

    #[track_caller]
    pub(super) fn add(&mut self, name: HeaderName) {
        assert_forwardable(&name);
        if !self.names.contains(&name) {
            self.names.push(name);
        }
    }

    /// The names whose headers are there and within the limits. The state of a trace goes with its trace or not at all.
    pub(super) fn select_within_limits<'a, L>(&'a self, values_of: impl Fn(&'a HeaderName) -> L) -> Vec<&'a HeaderName>
    where
        L: Iterator<Item = &'a HeaderValue>,
    {
        let length = |name| self.length(name, || values_of(name));
        let mut selected: Vec<_> = self.names.iter().filter_map(|name| Some((length(name)?, name))).collect();
        while selected.iter().map(|(length, _)| length).sum::<usize>() > self.max_total_bytes {
            let longest = selected.iter().enumerate().max_by_key(|(_, (length, _))| *length);
            selected.remove(longest.expect("the sum of none is zero").0);
        }
        let mut selected: Vec<_> = selected.into_iter().map(|(_, name)| name).collect();
        if !selected.iter().any(|name| *name == TRACEPARENT) {
            selected.retain(|name| *name != TRACESTATE);
        }
        selected
    }

    /// The bytes of a header's lines and of the commas that would join them, if it is there and fits.
    fn length<'a, L>(&self, name: &HeaderName, lines: impl Fn() -> L) -> Option<usize>
    where
        L: Iterator<Item = &'a HeaderValue>,
    {
        let length = lines().map(|line| line.len() + 1).sum::<usize>().checked_sub(1)?;
        let fits = match name.as_str() {
            "baggage" => {
                let members = || lines().flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).count();
                length <= self.max_header_bytes.min(BAGGAGE_BYTES) && members() <= BAGGAGE_MEMBERS
            }
            // Of several no reader could say which is the request's.
            "traceparent" => length <= self.max_header_bytes && lines().nth(1).is_none(),
            _ => length <= self.max_header_bytes,
        };
        fits.then_some(length)
    }
}
