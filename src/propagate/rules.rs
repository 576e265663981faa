//! Which headers may travel, and how much of them.

use http::{HeaderName, HeaderValue};

use crate::headers::{Trusted, assert_free};

/// Limits of [W3C Baggage](https://www.w3.org/TR/baggage/#limits), which hold for all lines of that header together.
const BAGGAGE_BYTES: usize = 8192;
const BAGGAGE_MEMBERS: usize = 64;

/// Of [W3C Trace Context](https://www.w3.org/TR/trace-context/). A state without its trace means nothing to who reads it.
pub(super) static TRACE: HeaderName = HeaderName::from_static("traceparent");
pub(super) static STATE: HeaderName = HeaderName::from_static("tracestate");

#[derive(Clone)]
pub(super) struct Rules {
    pub(super) names: Vec<HeaderName>,
    pub(super) trusted: Option<Trusted>,
    pub(super) per_header: usize,
    pub(super) total: usize,
}

impl Rules {
    pub(super) const fn new() -> Self {
        Self { names: Vec::new(), trusted: None, per_header: 8192, total: 16384 }
    }

    #[track_caller]
    pub(super) fn add(&mut self, name: HeaderName) {
        assert_free(&name);
        if !self.names.contains(&name) {
            self.names.push(name);
        }
    }

    /// The names whose headers are there and within the limits. The state of a trace goes with its trace or not at all.
    pub(super) fn admit<'a, L>(&'a self, lines_of: impl Fn(&'a HeaderName) -> L) -> Vec<&'a HeaderName>
    where
        L: Iterator<Item = &'a HeaderValue>,
    {
        let length = |name| self.length(name, || lines_of(name));
        let mut admitted: Vec<_> = self.names.iter().filter_map(|name| Some((length(name)?, name))).collect();
        while admitted.iter().map(|(length, _)| length).sum::<usize>() > self.total {
            let longest = admitted.iter().enumerate().max_by_key(|(_, (length, _))| *length);
            admitted.remove(longest.expect("the sum of none is zero").0);
        }
        let mut admitted: Vec<_> = admitted.into_iter().map(|(_, name)| name).collect();
        if !admitted.iter().any(|name| *name == TRACE) {
            admitted.retain(|name| *name != STATE);
        }
        admitted
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
                length <= self.per_header.min(BAGGAGE_BYTES) && members() <= BAGGAGE_MEMBERS
            }
            // Of several no reader could say which is the request's.
            "traceparent" => length <= self.per_header && lines().nth(1).is_none(),
            _ => length <= self.per_header,
        };
        fits.then_some(length)
    }
}
