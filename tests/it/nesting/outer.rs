//! Which context a layer inherits from or reuses: the one in the request's extensions, or the current one.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
};

use http::{Request, Response, request::Parts};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_request_context::{Nesting, RequestContext, RequestContextLayer, Store, WeakRequestContext};

use super::Tenant;
use crate::{
    recorder::recorder,
    support::{User, text},
};

#[derive(Clone, Copy)]
struct Deadline(&'static str);

/// The values that the setup read.
#[derive(Clone, Debug, PartialEq)]
struct InSetup(String);

type Context<'a> = Option<&'a RequestContext>;

#[tokio::test]
async fn layer_inherits_from_the_nearest_live_context() {
    let deadline = || Store::new().with_value(Deadline("9s"));
    let request = &RequestContext::new(Store::new().with_value(User(1)));
    let [child, other] = [&request.child(deadline()), &RequestContext::new(Store::new().with_value(User(2)))];
    let grandchild = &child.child(Store::new());
    let ended = &Store::new().with_value(User(3)).run(async { RequestContext::current().unwrap() }).await;
    let ended_child = &ended.child(deadline());
    let ended_job = &request.scope(async { deadline().run(async { RequestContext::current().unwrap() }).await }).await;

    // Columns: context in the extensions, current context, values read below a layer with `Inherit`, and with `Reuse`.
    let rows: [(Context<'_>, Context<'_>, &str, &str); 15] = [
        (None, None, "nobody, own", "nobody, own"),
        (None, Some(request), "user 1, own", "user 1"),
        (Some(request), None, "user 1, own", "user 1"),
        (Some(request), Some(request), "user 1, own", "user 1"),
        (Some(request), Some(child), "user 1, 9s, own", "user 1, 9s"),
        (Some(request), Some(grandchild), "user 1, 9s, own", "user 1, 9s"),
        (Some(child), Some(request), "user 1, 9s, own", "user 1, 9s"),
        (Some(request), Some(other), "user 1, own", "user 1"),
        (Some(other), Some(child), "user 2, own", "user 2"),
        (Some(ended), None, "nobody, own", "nobody, own"),
        (Some(ended_child), None, "nobody, own", "nobody, own"),
        (Some(ended), Some(other), "user 2, own", "user 2"),
        (Some(ended), Some(ended_child), "user 3, 9s, own", "nobody, own"),
        (None, Some(ended), "user 3, own", "nobody, own"),
        (Some(request), Some(ended_job), "user 1, 9s, own", "user 1"),
    ];
    for (row, (extension, current, inherit, reuse)) in rows.into_iter().enumerate() {
        let extension = extension.map(RequestContext::downgrade);
        let in_setup = InSetup(inherit.replace(", own", ""));
        let inherited = below(Nesting::Inherit, extension.clone(), current).await;
        assert_eq!(inherited, (inherit.into(), Some(in_setup)), "row {row}");
        let (reused, in_setup) = below(Nesting::Reuse, extension, current).await;
        assert_eq!((&*reused, in_setup.is_some()), (reuse, reuse.ends_with("own")), "row {row}");
    }
}

#[tokio::test]
async fn handle_of_a_dropped_context_is_ignored() {
    let dropped = RequestContext::new(Store::new().with_value(User(1))).downgrade();
    let other = RequestContext::new(Store::new().with_value(User(2)));
    for (current, expected) in [(None, "nobody, own"), (Some(&other), "user 2, own")] {
        assert_eq!(below(Nesting::Inherit, Some(dropped.clone()), current).await.0, expected);
    }
}

#[test]
fn panic_in_the_setup_ends_a_child_of_the_outer_context() {
    let (recorder, mut reports) = recorder();
    let setup = |store: &mut Store, _: &mut Parts| {
        store.on_end(recorder.end_of("setup"));
        let Tenant(_) = RequestContext::expect();
    };
    let inner = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new())));
    let mut service = RequestContextLayer::new(setup).nesting(Nesting::Inherit).layer(inner);
    let outer = RequestContext::new(Store::new().with_value(User(1)));
    let mut request = Request::new(());
    request.extensions_mut().insert(outer.downgrade());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(service.call(request)))).is_err());
    assert_eq!(reports.so_far(), ["setup Panicked: user 1"]);
    assert!(!RequestContext::is_active());
}

/// Returns what a service reads below a layer that inserts its own tenant, and what the layer's setup read, if it ran.
async fn below(
    nesting: Nesting,
    extension: Option<WeakRequestContext>,
    current: Option<&RequestContext>,
) -> (String, Option<InSetup>) {
    let layer = RequestContextLayer::new(|store, request| {
        request.extensions.insert(InSetup(seen()));
        store.insert(Tenant("own"));
    });
    let inner = service_fn(async |request: Request<()>| {
        let mut response = Response::new(seen());
        response.extensions_mut().insert(request.extensions().get::<InSetup>().cloned());
        Ok::<_, Infallible>(response)
    });
    let mut request = Request::new(());
    if let Some(handle) = extension {
        request.extensions_mut().insert(handle);
    }
    let call = layer.nesting(nesting).layer(inner).oneshot(request);
    let response = match current {
        Some(context) => context.scope(call).await,
        None => call.await,
    };
    let response = response.unwrap();
    let in_setup = response.extensions().get::<Option<InSetup>>().cloned().flatten();
    (text(response).await, in_setup)
}

/// Lists the values that can be read here.
fn seen() -> String {
    let user = User::name();
    let deadline = RequestContext::get().map(|Deadline(left)| left);
    let tenant = RequestContext::get().map(|Tenant(name)| name);
    [Some(&*user), deadline, tenant].into_iter().flatten().collect::<Vec<_>>().join(", ")
}
