//! Which headers carry the ids of requests, for the requests that go out.

use std::iter;

use http::{HeaderName, HeaderValue};

use super::REQUEST_ID;
use crate::{RequestId, Store};

/// Which header carries the id of a store.
///
/// The id itself is the store's [`RequestId`], read when it is needed: what is propagated is what [`Store::id`] returns.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "request-id"), expect(dead_code, reason = "only a policy records a header"))]
pub(crate) enum IdHeader {
    /// No policy was applied to the store.
    #[default]
    Unset,
    /// `x-request-id`, the usual one: it needs no [`IdHeaders`], which take an allocation.
    RequestId,
    /// The last of the store's [`IdHeaders`].
    Recorded,
}

/// The headers that policies gave an id in one store.
pub(crate) struct IdHeaders {
    /// The header of the policy that was applied last.
    last: HeaderName,
    /// Those of the policies that were applied before.
    earlier: Vec<Given>,
}

/// A header and the id that a policy gave it, unless that was removed.
type Given = (HeaderName, Option<RequestId>);

/// Inserts the id that a policy gave, and records the header that carries it.
#[cfg(feature = "request-id")]
pub(crate) fn insert_id(store: &mut Store, header: &HeaderName, id: RequestId) {
    let former = store.insert(id);
    if *header == REQUEST_ID && store.id_header != IdHeader::Recorded {
        store.id_header = IdHeader::RequestId;
        return;
    }
    let before = headers_of(store).map(|(last, earlier)| [earlier, &[(last.clone(), former)]].concat());
    let mut earlier = before.unwrap_or_default();
    earlier.retain(|(name, _)| name != header);
    store.id_header = IdHeader::Recorded;
    store.insert(IdHeaders { last: header.clone(), earlier });
}

/// Returns whether a policy gave a header of this very store its id.
pub(crate) fn carries_id(store: &Store, header: &HeaderName) -> bool {
    headers_of(store).is_some_and(|(last, earlier)| last == header || earlier.iter().any(|(name, _)| name == header))
}

/// Returns those of `names` that carry an id in a context, each with its id, or with none if that was removed.
///
/// The header recorded nearest to the context carries the id of the context itself, which a child may have set. Without any
/// record that is `x-request-id`.
pub(crate) fn ids_under<'a>(context: &'a Store, names: &'a [HeaderName]) -> Vec<(&'a HeaderName, Option<HeaderValue>)> {
    let mut ids: Vec<(&HeaderName, Option<HeaderValue>)> = Vec::new();
    let mut nearest = Some(context);
    for store in context.ancestors() {
        let Some((last, earlier)) = headers_of(store) else { continue };
        let last = (last, nearest.take().unwrap_or(store).id());
        let earlier = earlier.iter().map(|(header, id)| (header, id.clone()));
        for (header, id) in iter::once(last).chain(earlier) {
            if names.contains(header) && ids.iter().all(|(known, _)| *known != header) {
                ids.push((header, id.map(HeaderValue::from)));
            }
        }
    }
    if nearest.is_some() && names.contains(&REQUEST_ID) {
        ids.extend(context.id().map(|id| (&REQUEST_ID, Some(id.into()))));
    }
    ids
}

/// The header of the policy applied last to this very store, and those of policies applied before.
fn headers_of(store: &Store) -> Option<(&HeaderName, &[Given])> {
    match store.id_header {
        IdHeader::Unset => None,
        IdHeader::RequestId => Some((&REQUEST_ID, &[])),
        IdHeader::Recorded => store.seed().map(|ids: &IdHeaders| (&ids.last, &ids.earlier[..])),
    }
}
