//! What clients ask each example for.

use http::Version;

use crate::support::VERSIONS;

#[derive(Debug)]
pub(super) struct Ask {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) headers: &'static [(&'static str, &'static str)],
    pub(super) body: &'static [u8],
    pub(super) versions: &'static [Version],
    /// What a response may have. None where it has no end.
    statuses: &'static [u16],
}

impl Ask {
    const fn get(
        path: &'static str,
        headers: &'static [(&'static str, &'static str)],
        statuses: &'static [u16],
    ) -> Self {
        Self { method: "GET", path, headers, body: b"", versions: &VERSIONS, statuses }
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

    pub(super) fn is_endless(&self) -> bool {
        self.statuses.is_empty()
    }

    #[track_caller]
    pub(super) fn check(&self, status: u16) {
        assert!(self.statuses.contains(&status), "{status} in reply to {self:?}");
    }
}

const USER: &[(&str, &str)] = &[("x-user-id", "7")];

/// A message without fields, and one whose first field is the string `Tom`, as gRPC frames them.
const EMPTY: &[u8] = b"\0\0\0\0\0";
const TOM: &[u8] = b"\0\0\0\0\x05\x0a\x03Tom";

const AUTH: &[Ask] = &[
    Ask::get("/posts", &[("cookie", "auth_token=token-of-ann")], &[200]),
    Ask::get("/drafts", &[("cookie", "auth_token=token-of-bob")], &[200]),
    Ask::get("/drafts", &[], &[401]),
];
const CATS: &[Ask] = &[Ask::get("/cat", USER, &[200]), Ask::get("/cat", &[], &[404])];
const FASTIFY: &[Ask] = &[Ask::get("/", &[], &[200]), Ask::get("/hello/Ann", &[], &[200])];
const GRPC: &[Ask] = &[
    Ask::grpc("/cats.Cats/Feed", &[GRPC_TYPE, ("authorization", "Bearer meow")], TOM),
    Ask::grpc("/cats.Cats/Feed", &[GRPC_TYPE], TOM),
    Ask { statuses: &[], ..Ask::grpc("/cats.Cats/Watch", &[GRPC_TYPE, ("authorization", "Bearer purr")], EMPTY) },
];
const GRPC_TYPE: (&str, &str) = ("content-type", "application/grpc");
const HYPER: &[Ask] = &[Ask { body: &[b'm'; 100_000], ..Ask::post("/", USER, &[200]) }, Ask::post("/", &[], &[200])];
const IDENTITY: &[Ask] =
    &[Ask::get("/", USER, &[200]), Ask::get("/", &[("x-user-id", "7"), ("x-user-id", "8")], &[400])];
const JOBS: &[Ask] = &[
    // 503 where the queue is full.
    Ask::post("/tasks/feed", USER, &[202, 503]),
    Ask::post("/tasks/search", USER, &[202, 503]),
    Ask::get("/", USER, &[200]),
    Ask::get("/jobs/unknown", &[], &[404]),
];
const LOGGING: &[Ask] =
    &[Ask::get("/cats/tom", &[("authorization", "Bearer ada-s-token")], &[200]), Ask::get("/cats/tom", &[], &[200])];
const MIXED_ROUTES: &[Ask] = &[Ask::get("/api/cats", &[], &[200]), Ask::get("/alone/cats", &[], &[200])];
const QUICKSTART: &[Ask] = &[Ask::get("/", USER, &[200]), Ask::get("/", &[], &[200])];
const SSE_AND_WEBSOCKET: &[Ask] = &[
    Ask::get("/events", USER, &[]),
    Ask { body: HELLO, versions: &[Version::HTTP_11], ..Ask::get("/talk", UPGRADE, &[]) },
    Ask::get("/unknown", &[], &[404]),
];
const UPGRADE: &[(&str, &str)] = &[
    ("connection", "upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("x-user-id", "7"),
];
/// A text frame, masked with zeroes.
const HELLO: &[u8] = b"\x81\x85\0\0\0\0hello";
const TRANSACTION: &[Ask] = &[
    // 409 where nothing is left.
    Ask::post("/transfers/bob/1", &[("x-user-id", "ada")], &[200, 409]),
    Ask::post("/transfers/ada/1", &[("x-user-id", "bob")], &[200, 409]),
    Ask::get("/accounts", &[], &[200]),
    Ask::get("/journal", &[], &[200]),
];
const TWO_SERVICES: &[Ask] = &[Ask::get("/cats/tom", &[("x-tenant", "cats-and-co")], &[200])];

pub(super) fn asks_of(example: &str) -> &'static [Ask] {
    match example {
        "auth" => AUTH,
        "cats" => CATS,
        "fastify" => FASTIFY,
        "grpc" => GRPC,
        "hyper" => HYPER,
        "identity" => IDENTITY,
        "jobs" => JOBS,
        "logging" => LOGGING,
        "mixed_routes" => MIXED_ROUTES,
        "quickstart" => QUICKSTART,
        "sse_and_websocket" => SSE_AND_WEBSOCKET,
        "transaction" => TRANSACTION,
        "two_services" => TWO_SERVICES,
        _ => panic!("say here what {example} can be asked for"),
    }
}
