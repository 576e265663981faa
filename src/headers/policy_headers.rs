//! The headers under which request ids are propagated.

use std::iter;

use http::{HeaderName, HeaderValue};

use super::{RequestId, names::REQUEST_ID};
use crate::{Store, store::IdHeader};

/// The headers to which policies assigned an id in one store.
struct PolicyHeaders {
    /// The header of the policy that was applied last. Its id is the store's [`RequestId`].
    last: HeaderName,
    /// The headers of the policies that were applied before.
    earlier: Vec<AssignedId>,
}

/// A header of an earlier policy, and the id that the store held when the next policy was applied. The id is `None` if
/// it had been removed.
#[derive(Clone)]
struct AssignedId {
    header: HeaderName,
    id: Option<RequestId>,
}

/// Inserts the id that a policy assigned, and records the header of that policy.
#[cfg(feature = "request-id")]
pub(super) fn insert_id(store: &mut Store, header: &HeaderName, id: RequestId) {
    let previous_id = store.insert(id);
    if *header == REQUEST_ID && store.id_header != IdHeader::Recorded {
        // The usual case needs no `PolicyHeaders`, and so no allocation.
        store.id_header = IdHeader::RequestId;
        return;
    }
    let mut earlier = match recorded_headers(store) {
        Some((last, earlier)) => [earlier, &[AssignedId { header: last.clone(), id: previous_id }]].concat(),
        None => Vec::new(),
    };
    earlier.retain(|assigned| assigned.header != *header);
    store.id_header = IdHeader::Recorded;
    store.insert(PolicyHeaders { last: header.clone(), earlier });
}

/// Returns whether a policy assigned an id to a header in this store. Parents are ignored.
pub(super) fn is_policy_header(store: &Store, header: &HeaderName) -> bool {
    recorded_headers(store)
        .is_some_and(|(last, earlier)| last == header || earlier.iter().any(|assigned| assigned.header == *header))
}

/// Returns those of `names` under which an id is propagated from a context, each with its id. The id is `None` if it
/// was removed.
///
/// The context's own id goes under one header. To find it, look for the nearest store to which a policy was applied.
/// The header is that of the last policy applied to this store. Without such a store, it is `x-request-id`.
pub(super) fn ids_by_header<'a>(
    context: &'a Store,
    names: &'a [HeaderName],
) -> Vec<(&'a HeaderName, Option<HeaderValue>)> {
    let mut ids: Vec<(&HeaderName, Option<HeaderValue>)> = Vec::new();
    // The last header of the nearest store with a policy gets the id of `context`. The last header of each further
    // store with a policy gets the id of that store.
    let mut context_without_header = Some(context); // `None` once its id has a header
    for store in context.ancestors() {
        let Some((last, earlier)) = recorded_headers(store) else { continue };
        let last = (last, context_without_header.take().unwrap_or(store).id());
        let earlier = earlier.iter().map(|assigned| (&assigned.header, assigned.id.clone()));
        for (header, id) in iter::once(last).chain(earlier) {
            if names.contains(header) && ids.iter().all(|(known, _)| *known != header) {
                ids.push((header, id.map(HeaderValue::from)));
            }
        }
    }
    if context_without_header.is_some() && names.contains(&REQUEST_ID) {
        ids.extend(context.id().map(|id| (&REQUEST_ID, Some(id.into()))));
    }
    ids
}

/// Returns the header of the policy that was applied last to this store, and the headers of the policies before.
/// Parents are ignored.
fn recorded_headers(store: &Store) -> Option<(&HeaderName, &[AssignedId])> {
    match store.id_header {
        IdHeader::Unset => None,
        IdHeader::RequestId => Some((&REQUEST_ID, &[])),
        IdHeader::Recorded => store.initial().map(|ids: &PolicyHeaders| (&ids.last, &ids.earlier[..])),
    }
}
