//! Echoing the id on a response.

use http::{HeaderMap, HeaderName, HeaderValue};

/// How an existing header of the response is treated.
#[derive(Clone, Copy)]
pub(super) enum Echo {
    /// The id replaces it.
    Replace,
    /// It is kept, and the id is not echoed.
    IfAbsent,
}

impl Echo {
    #[inline]
    pub(super) fn write(self, headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
        if headers.contains_key(&name) {
            match self {
                Self::Replace => drop(headers.remove(&name)), // a full map rejects a header even if it replaces another
                Self::IfAbsent => return,
            }
        }
        let _ = headers.try_insert(name, value); // fails if the map is full
    }
}
