//! The requests to each example.

use http::Version;

use crate::support::VERSIONS;

#[derive(Debug)]
pub(super) struct TestRequest {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) headers: &'static [(&'static str, &'static str)],
    pub(super) body: &'static [u8],
    pub(super) versions: &'static [Version],
    /// The statuses that a complete response may have.
    pub(super) statuses: &'static [u16],
    /// Whether the response is a stream that may never end, so that the test always cancels it.
    pub(super) is_endless: bool,
}

impl TestRequest {
    const fn get(
        path: &'static str,
        headers: &'static [(&'static str, &'static str)],
        statuses: &'static [u16],
    ) -> Self {
        Self { method: "GET", path, headers, body: b"", versions: &VERSIONS, statuses, is_endless: false }
    }

    const fn post(
        path: &'static str,
        headers: &'static [(&'static str, &'static str)],
        statuses: &'static [u16],
    ) -> Self {
        Self { method: "POST", ..Self::get(path, headers, statuses) }
    }

    const fn grpc(
        path: &'static str,
        headers: &'static [(&'static str, &'static str)],
        message: &'static [u8],
    ) -> Self {
        Self { body: message, versions: &[Version::HTTP_2], ..Self::post(path, headers, &[200]) }
    }
}

const USER: &[(&str, &str)] = &[("x-user-id", "7")];

/// A gRPC frame with a message without fields, and one with a message whose first field is the string `Tom`.
const EMPTY: &[u8] = b"\0\0\0\0\0";
const TOM: &[u8] = b"\0\0\0\0\x05\x0a\x03Tom";

const AUTH: &[TestRequest] = &[
    TestRequest::get("/posts", &[("cookie", "auth_token=token-of-ann")], &[200]),
    TestRequest::get("/drafts", &[("cookie", "auth_token=token-of-bob")], &[200]),
    TestRequest::get("/drafts", &[], &[401]),
];
const CATS: &[TestRequest] = &[TestRequest::get("/cat", USER, &[200]), TestRequest::get("/cat", &[], &[404])];
const DEFAULTS: &[TestRequest] = &[TestRequest::get("/", &[], &[200]), TestRequest::get("/hello/Ann", &[], &[200])];
const GRPC: &[TestRequest] = &[
    TestRequest::grpc("/cats.Cats/Feed", &[GRPC_TYPE, ("authorization", "Bearer meow")], TOM),
    TestRequest::grpc("/cats.Cats/Feed", &[GRPC_TYPE], TOM),
    // The stream ends with an error, so with 200, if the client falls too many messages behind.
    TestRequest {
        is_endless: true,
        ..TestRequest::grpc("/cats.Cats/Watch", &[GRPC_TYPE, ("authorization", "Bearer purr")], EMPTY)
    },
];
const GRPC_TYPE: (&str, &str) = ("content-type", "application/grpc");
const HYPER: &[TestRequest] = &[
    TestRequest { body: &[b'm'; 100_000], ..TestRequest::post("/", USER, &[200]) },
    TestRequest::post("/", &[], &[200]),
];
const IDENTITY: &[TestRequest] =
    &[TestRequest::get("/", USER, &[200]), TestRequest::get("/", &[("x-user-id", "7"), ("x-user-id", "8")], &[400])];
const JOBS: &[TestRequest] = &[
    // 503 when the queue is full.
    TestRequest::post("/tasks/feed", USER, &[202, 503]),
    TestRequest::post("/tasks/search", USER, &[202, 503]),
    TestRequest::get("/", USER, &[200]),
    TestRequest::get("/jobs/unknown", &[], &[404]),
];
const LOGGING: &[TestRequest] = &[
    TestRequest::get("/cats/tom", &[("authorization", "Bearer ada-s-token")], &[200]),
    TestRequest::get("/cats/tom", &[], &[200]),
];
const NESTED_ROUTERS: &[TestRequest] =
    &[TestRequest::get("/api/cats", &[], &[200]), TestRequest::get("/alone/cats", &[], &[200])];
const QUICKSTART: &[TestRequest] = &[TestRequest::get("/", USER, &[200]), TestRequest::get("/", &[], &[200])];
const SSE_AND_WEBSOCKET: &[TestRequest] = &[
    TestRequest { is_endless: true, ..TestRequest::get("/events", USER, &[]) },
    TestRequest {
        body: HELLO,
        versions: &[Version::HTTP_11],
        is_endless: true,
        ..TestRequest::get("/talk", UPGRADE, &[])
    },
    TestRequest::get("/unknown", &[], &[404]),
];
const UPGRADE: &[(&str, &str)] = &[
    ("connection", "upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("x-user-id", "7"),
];
/// A WebSocket text frame, masked with zeros.
const HELLO: &[u8] = b"\x81\x85\0\0\0\0hello";
const TRANSACTION: &[TestRequest] = &[
    // 409 when the account is empty.
    TestRequest::post("/transfers/bob/1", &[("x-user-id", "ada")], &[200, 409]),
    TestRequest::post("/transfers/ada/1", &[("x-user-id", "bob")], &[200, 409]),
    TestRequest::get("/accounts", &[], &[200]),
    TestRequest::get("/journal", &[], &[200]),
];
const TWO_SERVICES: &[TestRequest] = &[TestRequest::get("/cats/tom", &[("x-tenant", "cats-and-co")], &[200])];

pub(super) fn requests_to(example: &str) -> &'static [TestRequest] {
    match example {
        "auth" => AUTH,
        "cats" => CATS,
        "defaults" => DEFAULTS,
        "grpc" => GRPC,
        "hyper" => HYPER,
        "identity" => IDENTITY,
        "jobs" => JOBS,
        "logging" => LOGGING,
        "nested_routers" => NESTED_ROUTERS,
        "quickstart" => QUICKSTART,
        "sse_and_websocket" => SSE_AND_WEBSOCKET,
        "transaction" => TRANSACTION,
        "two_services" => TWO_SERVICES,
        _ => panic!("add the requests to {example} here"),
    }
}
