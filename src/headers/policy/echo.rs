//! Echoing the id on a response.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{Entry, OccupiedEntry},
};

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
    pub(super) fn write(self, headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue) {
        match headers.try_entry(name) {
            Ok(Entry::Vacant(entry)) => drop(entry.try_insert(value)),
            Ok(Entry::Occupied(entry)) => self.write_to_existing(entry, value),
            Err(_) => self.write_to_full(headers, name, value),
        }
    }

    /// Writes to a header that the response already has, or keeps it.
    fn write_to_existing(self, mut entry: OccupiedEntry<'_, HeaderValue>, value: HeaderValue) {
        match self {
            Self::Replace => drop(entry.insert(value)),
            Self::IfAbsent => {}
        }
    }

    /// Writes to a full map. `try_entry` fails on it, even for a header that is in it.
    #[cold]
    fn write_to_full(self, headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue) {
        if matches!(self, Self::Replace) && headers.remove(name).is_some() {
            let _ = headers.try_insert(name, value); // there is room now
        }
    }
}
