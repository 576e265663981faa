//! A layer inside a layer, and a request inside a request.

mod outer;

use std::convert::Infallible;

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_request_context::{Nesting, RequestContext, RequestContextLayer, Store};

use crate::support::{User, bare_request as request, layer, text};

#[derive(Clone, Copy, Debug, PartialEq)]
struct Tenant(&'static str);

type Reply = Response<Full<Bytes>>;

/// Writes, and answers with what it read before.
async fn inner(_: Request<()>) -> Result<Reply, Infallible> {
    let seen = (RequestContext::get::<User>(), RequestContext::get::<Tenant>());
    RequestContext::set(User(100)).unwrap();
    Ok(Response::new(Full::from(format!("{seen:?}"))))
}

/// Sends the request through an outer layer that seeds user 1, and a layer with the given nesting below it, which seeds a
/// tenant. Returns what the innermost service read, and the user the outer one had afterwards.
async fn nested(nesting: Nesting) -> (String, Option<User>) {
    let tenant = RequestContextLayer::new(|store, _| {
        store.insert(Tenant("inner"));
    });
    let nested = tenant.nesting(nesting).layer(service_fn(inner));
    let outer = layer().layer(service_fn(move |request: Request<()>| {
        let nested = nested.clone();
        async move {
            let response = nested.oneshot(request).await?;
            let seen = response.into_body().collect().await.unwrap().to_bytes();
            let mut response = Response::new(Full::new(seen));
            response.extensions_mut().insert(RequestContext::get::<User>());
            Ok::<_, Infallible>(response)
        }
    }));
    let response = outer.oneshot(request(Some(1))).await.unwrap();
    let afterwards = *response.extensions().get().unwrap();
    (text(response).await, afterwards)
}

#[tokio::test]
async fn override_starts_from_its_own_store() {
    let (seen, afterwards) = nested(Nesting::default()).await;
    assert_eq!(seen, "(None, Some(Tenant(\"inner\")))");
    assert_eq!(afterwards, Some(User(1)));
}

/// F5 (Quarkus CVE-2025-49574): what a child sees, and what it cannot change.
#[tokio::test]
async fn inherit_reads_the_outer_values_and_keeps_its_writes() {
    let (seen, afterwards) = nested(Nesting::Inherit).await;
    assert_eq!(seen, "(Some(User(1)), Some(Tenant(\"inner\")))");
    assert_eq!(afterwards, Some(User(1)));
}

#[tokio::test]
async fn reuse_is_the_outer_context_and_runs_no_setup() {
    let (seen, afterwards) = nested(Nesting::Reuse).await;
    assert_eq!(seen, "(Some(User(1)), None)");
    assert_eq!(afterwards, Some(User(100)));
}

#[tokio::test]
async fn inherit_and_reuse_without_an_outer_context_make_one_that_is_gone_afterwards() {
    for nesting in [Nesting::Inherit, Nesting::Reuse] {
        let service = layer().nesting(nesting).layer(service_fn(inner));
        for user in [Some(1), None, Some(2)] {
            let response = service.clone().oneshot(request(user)).await.unwrap();
            assert_eq!(text(response).await, format!("({:?}, None)", user.map(User)));
            assert!(!RequestContext::is_active());
        }
    }
}

#[tokio::test]
async fn a_setup_that_replaces_its_store_still_inherits() {
    let replacing = RequestContextLayer::new(|store, _| *store = Store::new().with_value(Tenant("replaced")));
    let service = replacing.nesting(Nesting::Inherit).layer(service_fn(inner));
    let outer = RequestContext::new(Store::new().with_value(User(1)));
    let response = outer.scope(service.oneshot(request(None))).await.unwrap();
    assert_eq!(text(response).await, "(Some(User(1)), Some(Tenant(\"replaced\")))");
}

/// F2: who asks within a request is not who asked first.
#[tokio::test]
async fn an_anonymous_request_made_within_a_request_is_anonymous() {
    let app = layer().layer(service_fn(inner));
    let front = layer().layer(service_fn(move |_: Request<()>| app.clone().oneshot(request(None))));
    let response = front.oneshot(request(Some(1))).await.unwrap();
    assert_eq!(text(response).await, "(None, None)");
}

#[tokio::test]
async fn a_reusing_layer_reuses_the_innermost_context_also_when_an_outer_one_left_an_extension() {
    let second = ServiceBuilder::new().layer(layer()).layer(layer().nesting(Nesting::Reuse)).service_fn(inner);
    let first = layer().insert_extension().layer(service_fn(move |mut request: Request<()>| {
        request.headers_mut().insert(User::HEADER, 2.into());
        second.clone().oneshot(request)
    }));
    let response = first.oneshot(request(Some(1))).await.unwrap();
    assert_eq!(text(response).await, "(Some(User(2)), None)");
}
