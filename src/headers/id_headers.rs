//! Which headers carry the ids of requests, for the requests that go out.

use std::iter;

use http::{HeaderName, HeaderValue};

use super::{RequestId, names::REQUEST_ID};
use crate::{Store, store::IdHeader};

/// The headers that policies gave an id in one store.
pub(super) struct IdHeaders {
    /// The header of the policy that was applied last.
    last: HeaderName,
    /// Those of the policies that were applied before.
    earlier: Vec<AssignedId>,
}

/// A header and the id that a policy gave it, unless that was removed.
type AssignedId = (HeaderName, Option<RequestId>);

/// Inserts the id that a policy gave, and records the header that carries it.
#[cfg(feature = "request-id")]
pub(super) fn insert_id(store: &mut Store, header: &HeaderName, id: RequestId) {
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
pub(super) fn is_id_header(store: &Store, header: &HeaderName) -> bool {
    headers_of(store).is_some_and(|(last, earlier)| last == header || earlier.iter().any(|(name, _)| name == header))
}

/// Returns those of `names` that carry an id in a context, each with its id, or with none if that was removed.
///
/// The header recorded nearest to the context carries the id of the context itself, which a child may have set. Without any
/// record that is `x-request-id`.
pub(super) fn ids_for<'a>(context: &'a Store, names: &'a [HeaderName]) -> Vec<(&'a HeaderName, Option<HeaderValue>)> {
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
fn headers_of(store: &Store) -> Option<(&HeaderName, &[AssignedId])> {
    match store.id_header {
        IdHeader::Unset => None,
        IdHeader::RequestId => Some((&REQUEST_ID, &[])),
        IdHeader::Recorded => store.initial().map(|ids: &IdHeaders| (&ids.last, &ids.earlier[..])),
    }
}
