//! The three values of a request, in the store of each alternative.

use std::sync::Arc;

use http::Extensions;
use serde::{Deserialize, Serialize};
use tower_request_context::{RequestContext, Store};

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct UserId(pub(crate) u64);

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tenant(pub(crate) u64);

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Locale(pub(crate) u64);

/// Never stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Absent;

/// Set after sharing, in the rows that measure this.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct SetLater(pub(crate) u64);

tokio::task_local! {
    pub(crate) static EXTENSIONS: Arc<Extensions>;
}

pub(crate) fn insert_three(store: &mut Store) {
    store.insert(UserId(7));
    store.insert(Tenant(8));
    store.insert(Locale(9));
}

pub(crate) fn context() -> RequestContext {
    let mut store = Store::new();
    insert_three(&mut store);
    RequestContext::new(store)
}

pub(crate) fn extend(extensions: &mut Extensions) {
    extensions.insert(UserId(7));
    extensions.insert(Tenant(8));
    extensions.insert(Locale(9));
}

pub(crate) fn extensions() -> Extensions {
    let mut extensions = Extensions::new();
    extend(&mut extensions);
    extensions
}
