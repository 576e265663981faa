//! Request ids: where they come from, where they are set, and which ones are rejected.

mod accepted;
mod fallback;
mod generators;
mod inbound;
mod nested;
mod places;
pub(crate) mod refused;
mod tower_http_versions;
mod values;
mod with_tower_http;

use axum::{Router, body::Body, extract::Request, response::AppendHeaders};
use http::{HeaderMap, HeaderName, HeaderValue, Response, Version, request::Parts};
use hyper::body::Incoming;
use tower_request_context::{RequestContext, RequestContextLayer, RequestId, RequestIdPolicy, Store};

use crate::support::{client, in_time, request, serve};

/// Creates a layer whose setup only applies this policy.
pub(crate) fn ids(policy: RequestIdPolicy) -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) + Clone> {
    RequestContextLayer::new(move |store, request| {
        policy.apply(store, request);
    })
}

/// Returns the id of the current context as a string, or `none`.
pub(crate) fn id() -> String {
    RequestContext::id().map_or_else(|| String::from("none"), |id| id.to_string())
}

/// Returns true if the id is a UUID of version 4, as a newly generated id is.
pub(crate) fn is_new(id: &str) -> bool {
    is_uuid(id, b'4')
}

fn is_uuid(id: &str, version: u8) -> bool {
    let is_valid = |(place, byte)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        14 => byte == version,
        19 => b"89ab".contains(&byte),
        _ => b"0123456789abcdef".contains(&byte),
    };
    id.len() == 36 && id.bytes().enumerate().all(is_valid)
}

/// Creates an application that reports which id it found in which place.
fn app(policy: RequestIdPolicy) -> Router {
    Router::new().fallback(report_ids).layer(ids(policy))
}

async fn report_ids(request: Request) -> AppendHeaders<[(&'static str, HeaderValue); 3]> {
    let on_request: Vec<_> = lines(request.headers()).map(|(name, line)| [name.as_ref(), line].concat()).collect();
    let in_extensions = request.extensions().get().map(tower_http::request_id::RequestId::header_value);
    AppendHeaders([
        ("found-in-context", HeaderValue::try_from(id()).unwrap()),
        ("found-on-request", HeaderValue::from_bytes(&on_request.join(&b" and "[..])).unwrap()),
        ("found-in-extensions", in_extensions.cloned().unwrap_or(HeaderValue::from_static("none"))),
    ])
}

/// Returns all headers that may hold an id, under the right name or a wrong one.
fn lines(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &[u8])> {
    headers.iter().filter(|(name, _)| name.as_str().starts_with("x-")).map(|(name, line)| (name, line.as_bytes()))
}

/// Returns the id after checking that the context, the request's only id header, its extensions and the response agree.
#[track_caller]
fn consistent_id<B>(response: &Response<B>) -> RequestId {
    let (name, line) = echoed_line(response);
    let found = |place| response.headers()[place].as_bytes();
    assert_eq!([found("found-in-context"), found("found-in-extensions")], [line; 2]);
    assert_eq!(found("found-on-request"), [name.as_ref(), line].concat());
    str::from_utf8(line).unwrap().parse().unwrap()
}

#[track_caller]
fn echoed_line<B>(response: &Response<B>) -> (&HeaderName, &[u8]) {
    let echoed: Vec<_> = lines(response.headers()).collect();
    let [line] = echoed[..] else { panic!("expected one id on the response, got {echoed:?}") };
    line
}

/// Serves the application and sends it a request with these values of a header.
async fn send(app: Router, version: Version, header: &'static str, lines: &[&[u8]]) -> Response<Incoming> {
    let mut request = request(serve(app).await, "/", None);
    request.headers_mut().extend(lines_of(header, lines));
    send_any(version, request).await
}

async fn send_any(version: Version, request: http::Request<Body>) -> Response<Incoming> {
    in_time(client(version).request(request)).await.expect("the server responds")
}

fn lines_of(header: &'static str, lines: &[&[u8]]) -> HeaderMap {
    let name = HeaderName::from_static(header);
    lines.iter().map(|line| (name.clone(), HeaderValue::from_bytes(line).unwrap())).collect()
}
