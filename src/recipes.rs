//! Solutions to common tasks, listed by search terms. The modules contain documentation only.
//!
//! Each Rust block is compiled and run as a test, in edition 2024. Imports that do not matter for the meaning are
//! hidden, and so are stubs of your own code. Add them when you copy a block.
//!
//! Some recipes name an example, such as `logging`. The examples are in the folder `examples` of the repository.
//!
//! # Responses and completion
//!
//! | How to … | Recipe |
//! |---|---|
//! | know when a request has ended, and how; what `Completed` and `Cancelled` mean | [`lifecycle`](lifecycle#completion) |
//! | commit or roll back | [`lifecycle`](lifecycle#commit-or-rollback), with sqlx: [`databases`](databases#a-transaction-per-request-sqlx) |
//! | write an access log with status and duration | [`metrics`](metrics#access-log) |
//! | log 499 (client closed request) | [`metrics`](metrics#499-client-closed-request) |
//! | log the gRPC status: trailers, `on_eos` | [`metrics`](metrics#grpc-status) |
//! | measure: a gauge of requests in flight, a counter of queries | [`metrics`](metrics#gauge-of-requests-in-flight) |
//! | set a response header from deep code | [`response_headers`](response_headers#set-a-response-header-from-deep-code) |
//! | send a CSP nonce | [`response_headers`](response_headers#csp-nonce) |
//! | send `Server-Timing` | [`response_headers`](response_headers#server-timing) |
//! | show the request id to browsers: CORS, `expose_headers` | [`response_headers`](response_headers#cors-expose-the-request-id) |
//!
//! # Logging and tracing
//!
//! | How to … | Recipe |
//! |---|---|
//! | log the request id (correlation id), route and user on each line | [`logging`] |
//! | log JSON, or with `env_logger` and the crate `log` | [`logging`](logging#json) |
//! | log one wide event per request (canonical log line) | [`logging`](logging#one-event-per-request) |
//! | enter a `tracing` span that spawned tasks, bodies and drops have too | [`spans`](spans#spans-tracing) |
//! | use OpenTelemetry or Sentry | [`spans`](spans#opentelemetry) |
//!
//! # Middleware
//!
//! | How to … | Recipe |
//! |---|---|
//! | use the layer in axum, tonic, hyper, warp, `lambda_http` or salvo; what to do in poem and actix-web | [`frameworks`] |
//! | order the layers: timeout, catch-panic, routes without a context | [`middleware`](middleware#where-in-the-stack) |
//! | authenticate: JWT, session, 401, async look-ups | [`middleware`](middleware#authentication-jwt-session-401) |
//! | move from `http::Extensions` | [`middleware`](middleware#move-from-extensions) |
//! | read, in an outer layer, a value that inner code has set | [`middleware`](middleware#read-inner-values-in-an-outer-layer) |
//! | retry below the layer | [`middleware`](middleware#retry) |
//! | write a middleware crate that uses the context | [`libraries`] |
//!
//! # Tasks and clients
//!
//! | How to … | Recipe |
//! |---|---|
//! | propagate the context to spawned tasks, `JoinSet`, threads, rayon | [`tasks`](tasks#spawned-tasks) |
//! | stop spawned work when the request is cancelled (`CancellationToken`) | [`tasks`](tasks#request-cancelled-stop-spawned-work) |
//! | finish the work although the client has disconnected | [`tasks`](tasks#finish-although-the-client-has-disconnected) |
//! | run work after the response, shut down gracefully (`TaskTracker`) | [`shutdown`] |
//! | find bare `tokio::spawn`: a lint (`clippy.toml`), a detector | [`spawn_lint`] |
//! | send headers on outgoing requests: hyper, tonic, reqwest | [`propagation`] |
//! | read the context in the body of an outgoing request | [`propagation`](propagation#the-body-of-an-outgoing-request) |
//! | create a context per outgoing request: the layer around a client | [`propagation`](propagation#the-layer-around-a-client) |
//! | follow redirects without leaking injected headers | [`propagation`](propagation#redirects-and-injected-credentials) |
//! | set deadlines and timeouts, also from and to `grpc-timeout` | [`deadlines`] |
//!
//! # Data
//!
//! | How to … | Recipe |
//! |---|---|
//! | avoid N+1 queries: memoize look-ups per request | [`caching`](caching#n1-queries-memoize-per-request) |
//! | batch look-ups with a data loader (dataloader) | [`caching`](caching#data-loaders) |
//! | share a cache or a `Shared` future between requests | [`caching`](caching#caches-and-shared-futures) |
//! | use a database per tenant (multi-tenancy) | [`tenants`](tenants#a-database-per-tenant) |
//! | use row-level security, `set_config` | [`tenants`](tenants#row-level-security) |
//! | share a transaction between all repositories of a request | [`databases`] |
//! | choose values: maps, the whole request, leaks; why `get` returns `None` | [`values`] |
//!
//! # Security and tests
//!
//! | How to … | Recipe |
//! |---|---|
//! | choose the headers to trust: at the edge, behind a reverse proxy, in a service mesh | [`security`] |
//! | hide internals in errors, gRPC `Status` | [`security`](security#grpc-status-without-internal-messages) |
//! | test code that reads the context, and handlers | [`testing`] |

pub mod caching;
pub mod databases;
pub mod deadlines;
pub mod frameworks;
pub mod libraries;
pub mod lifecycle;
pub mod logging;
pub mod metrics;
pub mod middleware;
pub mod propagation;
pub mod response_headers;
pub mod security;
pub mod shutdown;
pub mod spans;
pub mod spawn_lint;
pub mod tasks;
pub mod tenants;
pub mod testing;
pub mod values;
