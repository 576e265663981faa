//! Child contexts, and children of those.

use futures_util::future::join;
use http::{Request, Response};
use tokio::sync::Barrier;
use tower::{Layer, ServiceExt, service_fn};
use tower_request_context::{Nesting, RequestContext, RequestContextLayer, Store};

use crate::support::{User, bare_request, in_time, layer, text};

#[derive(Clone, Copy)]
struct Shop(&'static str);

#[derive(Clone, Copy)]
struct Tenant(User);

/// Set in the innermost context.
#[derive(Clone, Copy)]
struct Note(User);

// F5: data written to the copy of a copy was visible in other copies of the same context.
#[tokio::test]
async fn cve_2025_49574_nested_children_are_isolated_from_each_other() {
    let met = Barrier::new(2);
    let innermost = service_fn(async |_: Request<()>| {
        RequestContext::set(Note(RequestContext::expect())).unwrap();
        met.wait().await;
        let inside = seen();
        met.wait().await;
        Ok::<_, ()>(Response::new(inside))
    });
    let tenant = RequestContextLayer::new(|store, request| {
        store.insert(Tenant(User::of(request).unwrap()));
    });
    let inner = tenant.nesting(Nesting::Inherit).layer(innermost);
    let outer = layer().nesting(Nesting::Inherit).layer(service_fn(async |request: Request<()>| {
        let inside = text(inner.clone().oneshot(request).await?).await;
        Ok::<_, ()>(Response::new(format!("{inside} inside, {} outside", seen())))
    }));

    let base = RequestContext::new(Store::new().with_value(Shop("cats")));
    let ask = async |user| {
        let response = base.scope(outer.clone().oneshot(bare_request(Some(user)))).await.unwrap();
        text(response).await
    };
    let expected = |user| {
        let inside = format!("Shop(cats) User({user}) Tenant({user}) Note({user})");
        format!("{inside} inside, Shop(cats) User({user}) outside")
    };
    assert_eq!(in_time(join(ask(1), ask(2))).await, (expected(1), expected(2)));
    assert_eq!(base.sync_scope(seen), "Shop(cats)");
}

/// Returns all values of the current context, as text.
fn seen() -> String {
    let seen = [
        RequestContext::get().map(|Shop(name)| format!("Shop({name})")),
        RequestContext::get().map(|User(id)| format!("User({id})")),
        RequestContext::get().map(|Tenant(User(id))| format!("Tenant({id})")),
        RequestContext::get().map(|Note(User(id))| format!("Note({id})")),
    ];
    seen.into_iter().flatten().collect::<Vec<_>>().join(" ")
}
