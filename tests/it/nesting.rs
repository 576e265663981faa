//! Nested layers and nested requests.

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

/// Overwrites the user, and responds with the values that it read before.
async fn inner(_: Request<()>) -> Result<Reply, Infallible> {
    let seen = (RequestContext::get::<User>(), RequestContext::get::<Tenant>());
    RequestContext::set(User(100)).unwrap();
    Ok(Response::new(Full::from(format!("{seen:?}"))))
}

/// Sends a request through two layers: the outer inserts user 1, the inner has this nesting and inserts a tenant.
/// Returns the values that the innermost service read, and the outer context's user afterwards.
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

/// F5 (Quarkus CVE-2025-49574): a child reads the outer values and cannot change them.
#[tokio::test]
async fn inherit_reads_outer_values_and_writes_to_the_child() {
    let (seen, afterwards) = nested(Nesting::Inherit).await;
    assert_eq!(seen, "(Some(User(1)), Some(Tenant(\"inner\")))");
    assert_eq!(afterwards, Some(User(1)));
}

#[tokio::test]
async fn reuse_shares_the_outer_context_and_skips_the_setup() {
    let (seen, afterwards) = nested(Nesting::Reuse).await;
    assert_eq!(seen, "(Some(User(1)), None)");
    assert_eq!(afterwards, Some(User(100)));
}

#[tokio::test]
async fn inherit_and_reuse_create_a_context_if_there_is_none() {
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
async fn replacing_the_store_in_the_setup_keeps_inheritance() {
    let replacing = RequestContextLayer::new(|store, _| *store = Store::new().with_value(Tenant("replaced")));
    let service = replacing.nesting(Nesting::Inherit).layer(service_fn(inner));
    let outer = RequestContext::new(Store::new().with_value(User(1)));
    let response = outer.scope(service.oneshot(request(None))).await.unwrap();
    assert_eq!(text(response).await, "(Some(User(1)), Some(Tenant(\"replaced\")))");
}

/// F2: a nested request does not inherit the user of the request that sends it.
#[tokio::test]
async fn nested_anonymous_request_stays_anonymous() {
    let app = layer().layer(service_fn(inner));
    let front = layer().layer(service_fn(move |_: Request<()>| app.clone().oneshot(request(None))));
    let response = front.oneshot(request(Some(1))).await.unwrap();
    assert_eq!(text(response).await, "(None, None)");
}

#[tokio::test]
async fn reuse_prefers_the_innermost_context_over_an_extension() {
    let second = ServiceBuilder::new().layer(layer()).layer(layer().nesting(Nesting::Reuse)).service_fn(inner);
    let first = layer().insert_extension().layer(service_fn(move |mut request: Request<()>| {
        request.headers_mut().insert(User::HEADER, 2.into());
        second.clone().oneshot(request)
    }));
    let response = first.oneshot(request(Some(1))).await.unwrap();
    assert_eq!(text(response).await, "(Some(User(2)), None)");
}
