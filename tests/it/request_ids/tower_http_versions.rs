//! tower-http 0.6 and 0.7 in one application: both find the context's id.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use axum::{Router, extract::Request as AxumRequest, response::IntoResponse};
use http::{HeaderValue, Request, Version, request::Parts};
use tower::ServiceBuilder;
use tower_http::request_id as v07;
use tower_http_06::request_id as v06;
use tower_request_context::{RequestId, RequestIdPolicy, Store};

use super::{id, ids, is_new, send};
use crate::support::{VERSIONS, text};

const HEADER: &str = "x-request-id";

/// Returns the id in the extension of each version.
fn in_extensions(extensions: &http::Extensions) -> [Option<&HeaderValue>; 2] {
    [extensions.get().map(v06::RequestId::header_value), extensions.get().map(v07::RequestId::header_value)]
}

/// Asserts that both extensions hold the context's id, and returns it.
async fn report(request: AxumRequest) -> impl IntoResponse {
    let id = id();
    let value = HeaderValue::try_from(&id).unwrap();
    assert_eq!(in_extensions(request.extensions()), [Some(&value); 2]);
    id
}

/// Generates an id that must not be used.
#[derive(Clone)]
struct Wrong;

impl v06::MakeRequestId for Wrong {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<v06::RequestId> {
        Some(HeaderValue::from_static("wrong").into())
    }
}

impl v07::MakeRequestId for Wrong {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<v07::RequestId> {
        Some(HeaderValue::from_static("wrong").into())
    }
}

#[tokio::test]
async fn both_versions_find_the_id_of_the_context() {
    let setting = ServiceBuilder::new()
        .layer(v06::SetRequestIdLayer::x_request_id(Wrong))
        .layer(v07::SetRequestIdLayer::x_request_id(Wrong));
    let app = Router::new().fallback(report).layer(setting).layer(ids(RequestIdPolicy::new().accept_inbound()));
    for version in VERSIONS {
        assert_eq!(text(send(app.clone(), version, HEADER, &[b"theirs"]).await).await, "theirs");
        assert!(is_new(&text(send(app.clone(), version, HEADER, &[b"two words"]).await).await));
    }
}

#[tokio::test]
async fn both_versions_echo_the_id_of_the_context() {
    // The policy does not echo the id, so tower-http's layers have to.
    let policy = || ids(RequestIdPolicy::new().echo(false));
    let app = || Router::new().fallback(report);
    let (v06, v07) = (v06::PropagateRequestIdLayer::x_request_id(), v07::PropagateRequestIdLayer::x_request_id());
    let apps = [
        app().layer(v06.clone()).layer(policy()),
        app().layer(v07.clone()).layer(policy()),
        app().layer(v07.clone()).layer(v06.clone()).layer(policy()),
        app().layer(v06.clone()).layer(v07.clone()).layer(policy()),
        app().layer(v06).layer(v07).layer(ids(RequestIdPolicy::new())),
    ];
    for (app, version) in apps.into_iter().flat_map(|app| VERSIONS.map(|version| (app.clone(), version))) {
        let response = send(app, version, HEADER, &[b"forged"]).await;
        let echoed: Vec<_> = response.headers().get_all(HEADER).iter().cloned().collect();
        assert_eq!(echoed, [text(response).await]);
    }
}

#[tokio::test]
async fn responses_hold_the_id_in_both_extensions() {
    let layers = ServiceBuilder::new()
        .layer(ids(RequestIdPolicy::new()))
        .layer(v06::PropagateRequestIdLayer::x_request_id())
        .layer(v07::PropagateRequestIdLayer::x_request_id());
    let service = layers.service(Router::new().fallback(report));
    let response = tower::ServiceExt::oneshot(service, Request::new(axum::body::Body::empty())).await.unwrap();
    let echoed = response.headers()[HEADER].clone();
    assert_eq!(in_extensions(response.extensions()), [Some(&echoed); 2]);
}

#[test]
fn id_of_an_earlier_layer_is_replaced_in_both_extensions() {
    let mut request = parts();
    request.extensions.insert(v06::RequestId::new(HeaderValue::from_static("earlier")));
    request.extensions.insert(v07::RequestId::new(HeaderValue::from_static("earlier")));
    let id = HeaderValue::from(RequestIdPolicy::new().apply(&mut Store::new(), &mut request));
    assert_eq!(in_extensions(&request.extensions), [Some(&id); 2]);
}

fn parts() -> Parts {
    Request::put("/cats")
        .version(Version::HTTP_2)
        .extension(7_u8)
        .header(HEADER, "forged")
        .body(())
        .unwrap()
        .into_parts()
        .0
}

/// Returns its ids one after the other, and records the requests that it sees. Clones share both.
#[derive(Clone)]
struct Generator {
    ids: Arc<Mutex<Vec<Option<HeaderValue>>>>,
    seen: Arc<Mutex<String>>,
    calls: Arc<AtomicU64>,
}

impl Generator {
    fn of(ids: &[Option<&[u8]>]) -> Self {
        let ids = ids.iter().rev().map(|id| id.map(|id| HeaderValue::from_bytes(id).unwrap()));
        Self { ids: Arc::new(Mutex::new(ids.collect())), seen: Arc::default(), calls: Arc::default() }
    }

    fn next<B>(&self, request: &Request<B>) -> Option<HeaderValue> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let (headers, extension) = (request.headers(), request.extensions().get::<u8>());
        *self.seen.lock().unwrap() =
            format!("{} {} {:?} {headers:?} {extension:?}", request.method(), request.uri(), request.version());
        self.ids.lock().unwrap().pop().expect("there is an id for each call")
    }
}

impl v06::MakeRequestId for Generator {
    fn make_request_id<B>(&mut self, request: &Request<B>) -> Option<v06::RequestId> {
        self.next(request).map(v06::RequestId::new)
    }
}

impl v07::MakeRequestId for Generator {
    fn make_request_id<B>(&mut self, request: &Request<B>) -> Option<v07::RequestId> {
        self.next(request).map(v07::RequestId::new)
    }
}

const ADAPTERS: [fn(Generator) -> RequestIdPolicy; 2] = [
    |generator| RequestIdPolicy::new().generate_with_tower_http_06(generator),
    |generator| RequestIdPolicy::new().generate_with_tower_http_07(generator),
];

#[test]
fn generators_of_both_versions_create_the_id() {
    for adapter in ADAPTERS {
        let generator = Generator::of(&[Some(b"one"), Some(b"two")]);
        let policy = adapter(generator.clone());
        let mut request = parts();
        assert_eq!(policy.apply(&mut Store::new(), &mut request).as_str(), "one");
        assert_eq!(policy.clone().apply(&mut Store::new(), &mut parts()).as_str(), "two");
        assert_eq!(*generator.seen.lock().unwrap(), "PUT /cats HTTP/2.0 {} Some(7)");
        assert_eq!(in_extensions(&request.extensions), [Some(&HeaderValue::from_static("one")); 2]);
        assert_eq!((request.headers.len(), request.extensions.get()), (1, Some(&7_u8)));
    }
}

#[test]
fn invalid_ids_of_both_generators_are_replaced() {
    let invalid: [Option<&[u8]>; 5] = [None, Some(b""), Some(b"two words"), Some(b"caf\xe9"), Some(&[b'a'; 129])];
    for adapter in ADAPTERS {
        let policy = adapter(Generator::of(&invalid));
        for _ in invalid {
            assert!(is_new(policy.apply(&mut Store::new(), &mut parts()).as_str()));
        }
    }
}

#[test]
fn generators_of_both_versions_run_for_new_ids_only() {
    for adapter in ADAPTERS {
        let generator = Generator::of(&[Some(b"one")]);
        let policy = adapter(generator.clone()).accept_inbound();
        assert_eq!(policy.apply(&mut Store::new(), &mut parts()).as_str(), "forged");
        let known = Store::new().with_value("forged".parse::<RequestId>().unwrap());
        assert_eq!(adapter(generator.clone()).apply(&mut { known }, &mut parts()).as_str(), "forged");
        assert_eq!(generator.calls.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn uuids_of_both_versions_are_valid_ids() {
    let policies = [
        RequestIdPolicy::new().generate_with_tower_http_06(v06::MakeRequestUuid),
        RequestIdPolicy::new().generate_with_tower_http_07(v07::MakeRequestUuid),
    ];
    for policy in policies {
        let [one, two] = [parts(), parts()].map(|mut request| policy.apply(&mut Store::new(), &mut request));
        assert!(is_new(one.as_str()) && is_new(two.as_str()) && one != two);
    }
}
