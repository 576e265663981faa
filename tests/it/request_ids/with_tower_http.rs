//! tower-http's `RequestId`, its generators and its layers, around ours and inside of it.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::Router;
use futures_util::future::join_all;
use http::{HeaderValue, Method, Request, Response, Version};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_http::{
    request_id::{self, MakeRequestId, MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    trace::TraceLayer,
};
use tower_request_context::{RequestContext, RequestIdPolicy, Store};
use tracing::Span;

use super::{app, ids, is_new, send, tell, the_id};
use crate::support::{client, in_time, request, serve, text};

/// Written for `SetRequestIdLayer`: clones count together.
#[derive(Clone, Default)]
struct Counter(Arc<AtomicU64>);

impl MakeRequestId for Counter {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<request_id::RequestId> {
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        Some(HeaderValue::from(number).into())
    }
}

/// Each clone counts for itself.
#[derive(Clone)]
struct Forgetful(u64);

impl MakeRequestId for Forgetful {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<request_id::RequestId> {
        self.0 += 1;
        Some(HeaderValue::from(self.0).into())
    }
}

/// Makes what it holds.
#[derive(Clone)]
struct Fixed(Option<HeaderValue>);

impl MakeRequestId for Fixed {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<request_id::RequestId> {
        self.0.clone().map(request_id::RequestId::new)
    }
}

/// Keeps what it is shown.
#[derive(Clone, Default)]
struct Seeing(Arc<Mutex<String>>);

impl MakeRequestId for Seeing {
    fn make_request_id<B>(&mut self, request: &Request<B>) -> Option<request_id::RequestId> {
        let (head, extension) = (request.headers(), request.extensions().get::<u8>());
        *self.0.lock().unwrap() =
            format!("{} {} {:?} {head:?} {extension:?}", request.method(), request.uri(), request.version());
        Some(HeaderValue::from_static("seen").into())
    }
}

/// What makes an id out of nothing, without a server.
fn made(policy: &RequestIdPolicy) -> String {
    policy.apply(&mut Store::new(), &mut Request::new(()).into_parts().0).to_string()
}

#[tokio::test]
async fn a_span_made_below_the_layer_finds_the_id_in_the_extensions() {
    let spans = Arc::new(Mutex::new(Vec::new()));
    let made = Arc::clone(&spans);
    let trace = TraceLayer::new_for_http().make_span_with(move |request: &axum::extract::Request| {
        let id = request.extensions().get::<request_id::RequestId>().unwrap();
        made.lock().unwrap().push(id.header_value().clone());
        Span::none()
    });
    let stack = ServiceBuilder::new().layer(ids(RequestIdPolicy::new())).layer(trace);
    let app = Router::new().fallback(tell).layer(stack);
    let response = send(app, Version::HTTP_11, "x-request-id", &[b"forged"]).await;
    assert_eq!(*spans.lock().unwrap(), [the_id(&response).as_str()]);
}

#[tokio::test]
async fn their_layers_below_keep_our_id() {
    let theirs = ServiceBuilder::new()
        .layer(SetRequestIdLayer::x_request_id(Counter::default()))
        .layer(PropagateRequestIdLayer::x_request_id());
    for policy in [RequestIdPolicy::new(), RequestIdPolicy::new().accept_inbound()] {
        let app = Router::new().fallback(tell).layer(theirs.clone()).layer(ids(policy));
        let response = send(app, Version::HTTP_11, "x-request-id", &[b"two words"]).await;
        assert!(is_new(the_id(&response).as_str()));
    }
}

#[tokio::test]
async fn an_id_of_their_layers_around_ours_is_adopted_if_it_is_accepted_and_else_replaced_everywhere() {
    let around = |policy| {
        let theirs = ServiceBuilder::new()
            .layer(SetRequestIdLayer::x_request_id(Counter::default()))
            .layer(PropagateRequestIdLayer::x_request_id());
        Router::new().fallback(tell).layer(ids(policy)).layer(theirs)
    };
    let response = send(around(RequestIdPolicy::new().accept_inbound()), Version::HTTP_11, "x-request-id", &[]).await;
    assert_eq!(the_id(&response).as_str(), "1");
    let response = send(around(RequestIdPolicy::new()), Version::HTTP_11, "x-request-id", &[]).await;
    assert!(is_new(the_id(&response).as_str()));
}

#[tokio::test]
async fn an_echo_if_absent_keeps_a_response_id_as_their_layer_does() {
    let upstream = || Router::new().fallback(async || [("x-request-id", "of-the-upstream")]);
    let theirs = ServiceBuilder::new()
        .layer(SetRequestIdLayer::x_request_id(Counter::default()))
        .layer(PropagateRequestIdLayer::x_request_id());
    let keeping = RequestIdPolicy::new().echo_if_absent();
    for app in [upstream().layer(theirs), upstream().layer(ids(keeping))] {
        let response = send(app, Version::HTTP_11, "x-request-id", &[]).await;
        assert_eq!(response.headers()["x-request-id"], "of-the-upstream");
    }
}

#[tokio::test]
async fn an_existing_generator_counts_on_in_the_clones_of_a_service() {
    let address = serve(app(RequestIdPolicy::new().generate_with_tower_http_07(Counter::default()))).await;
    let clients = [client(Version::HTTP_11), client(Version::HTTP_2)];
    let ask = async |number: usize| {
        let response = clients[number % 2].request(request(address, "/", None)).await.unwrap();
        the_id(&response).as_str().parse::<usize>().unwrap()
    };
    let mut given = in_time(join_all((0..20).map(ask))).await;
    given.sort_unstable();
    assert_eq!(given, (1..=20).collect::<Vec<_>>());
}

#[test]
fn an_existing_generator_counts_on_in_clones_of_the_policy_if_they_share_what_it_counts() {
    let shared = RequestIdPolicy::new().generate_with_tower_http_07(Counter::default());
    assert_eq!([made(&shared), made(&shared.clone()), made(&shared)], ["1", "2", "3"]);
    let forgetful = RequestIdPolicy::new().generate_with_tower_http_07(Forgetful(0));
    assert_eq!([made(&forgetful), made(&forgetful.clone()), made(&forgetful)], ["1", "1", "1"]);
}

#[test]
fn their_uuid_generator_makes_our_ids() {
    let uuid = RequestIdPolicy::new().generate_with_tower_http_07(MakeRequestUuid);
    assert!(is_new(&made(&uuid)));
    assert_ne!(made(&uuid), made(&uuid));
}

#[test]
fn what_a_generator_declines_to_make_or_makes_wrong_is_replaced() {
    let wrong = ["two words", "", "${jndi:ldap://evil}", &"a".repeat(129)].map(HeaderValue::from_str);
    let wrong = wrong.into_iter().map(|line| Some(line.unwrap()));
    for line in wrong.chain([None, Some(HeaderValue::from_bytes(b"caf\xe9").unwrap())]) {
        let id = made(&RequestIdPolicy::new().generate_with_tower_http_07(Fixed(line.clone())));
        assert!(is_new(&id), "{id} for {line:?}");
    }
    let right = Fixed(Some(HeaderValue::from_static("right")));
    assert_eq!(made(&RequestIdPolicy::new().generate_with_tower_http_07(right)), "right");
}

#[tokio::test]
async fn a_generator_sees_all_but_the_refused_header_and_the_inner_service_loses_nothing() {
    let seeing = Seeing::default();
    let inner = service_fn(async |request: Request<String>| {
        assert_eq!((request.method(), request.version()), (&Method::PUT, Version::HTTP_2));
        assert_eq!(request.uri(), "/cats?page=2");
        assert_eq!(request.extensions().get(), Some(&7_u8));
        let cookies: Vec<_> = request.headers().get_all("cookie").iter().collect();
        assert_eq!(cookies, ["one", "two"]);
        assert_eq!(
            (request.headers().len(), &request.headers()["x-request-id"]),
            (3, &HeaderValue::from_static("seen"))
        );
        assert_eq!(RequestContext::id().unwrap().as_str(), "seen");
        Ok::<_, Infallible>(Response::new(request.into_body()))
    });
    let policy = RequestIdPolicy::new().generate_with_tower_http_07(seeing.clone());
    let service = ServiceBuilder::new().layer(ids(policy)).service(inner);
    let request = Request::put("/cats?page=2").version(Version::HTTP_2).extension(7_u8);
    let request = request.header("cookie", "one").header("x-request-id", "forged").header("cookie", "two");
    let response = service.oneshot(request.body(String::from("a cat")).unwrap()).await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "seen");
    assert_eq!(text(response).await, "a cat");
    assert_eq!(*seeing.0.lock().unwrap(), r#"PUT /cats?page=2 HTTP/2.0 {"cookie": "one", "cookie": "two"} Some(7)"#);
}
