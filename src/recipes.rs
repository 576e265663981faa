//! Solutions to common tasks, by search words. Each Rust block is compiled and run as a test. The modules contain
//! documentation only.
//!
//! # Responses and completion
//!
//! | You want … | Recipe |
//! |---|---|
//! | to know when a request has ended, and how; what `Completed` and `Cancelled` mean | [`lifecycle`](lifecycle#completion) |
//! | commit or rollback | [`lifecycle`](lifecycle#commit-or-rollback), with sqlx: [`databases`](databases#a-transaction-per-request-sqlx) |
//! | an access log with status and duration | [`metrics`](metrics#access-log) |
//! | 499 (client closed request) | [`metrics`](metrics#499-client-closed-request) |
//! | the gRPC status in an access log, trailers, `on_eos` | [`metrics`](metrics#grpc-status) |
//! | metrics: a gauge of requests in flight, a counter of queries | [`metrics`](metrics#gauge-of-requests-in-flight) |
//! | a response header from deep code | [`response_headers`](response_headers#set-a-response-header-from-deep-code) |
//! | a CSP nonce | [`response_headers`](response_headers#csp-nonce) |
//! | `Server-Timing` | [`response_headers`](response_headers#server-timing) |
//! | the request id in a browser: CORS, `expose_headers` | [`response_headers`](response_headers#cors-expose-the-request-id) |
//!
//! # Logging and tracing
//!
//! | You want … | Recipe |
//! |---|---|
//! | the request id (correlation id), route and user on each log line | [`logging`] |
//! | JSON logs, `env_logger`, the crate `log` | [`logging`](logging#json) |
//! | one wide event per request (canonical log line) | [`logging`](logging#one-event-per-request) |
//! | a `tracing` span that spawned tasks, bodies and drops have too | [`spans`](spans#spans-tracing) |
//! | OpenTelemetry, Sentry | [`spans`](spans#opentelemetry) |
//!
//! # Middleware
//!
//! | You want … | Recipe |
//! |---|---|
//! | authentication: JWT, session, 401, async look-ups | [`middleware`](middleware#authentication-jwt-session-401) |
//! | to move from `http::Extensions` | [`middleware`](middleware#move-from-extensions) |
//! | to read, in an outer layer, a value that inner code has set | [`middleware`](middleware#read-inner-values-in-an-outer-layer) |
//! | a retry below the layer | [`middleware`](middleware#retry) |
//! | your own middleware crate that uses the context | [`libraries`] |
//!
//! # Tasks and clients
//!
//! | You want … | Recipe |
//! |---|---|
//! | the context in spawned tasks, `JoinSet`, threads, rayon | [`tasks`](tasks#spawned-tasks) |
//! | to stop spawned work when the request is cancelled (`CancellationToken`) | [`tasks`](tasks#request-cancelled-stop-spawned-work) |
//! | to finish the work although the client has disconnected | [`tasks`](tasks#finish-although-the-client-has-disconnected) |
//! | work after the response, graceful shutdown (`TaskTracker`) | [`shutdown`] |
//! | a lint against bare `tokio::spawn` (`clippy.toml`), or a detector | [`spawn_lint`] |
//! | headers on outgoing requests: hyper, tonic, reqwest | [`propagation`] |
//! | the context in the body of an outgoing request | [`propagation`](propagation#the-body-of-an-outgoing-request) |
//! | a context per outgoing request: the layer around a client | [`propagation`](propagation#the-layer-around-a-client) |
//! | redirects that do not leak injected headers | [`propagation`](propagation#redirects-and-injected-credentials) |
//! | deadlines, timeouts, `grpc-timeout` | [`deadlines`] |
//!
//! # Data
//!
//! | You want … | Recipe |
//! |---|---|
//! | no N+1 queries: memoize look-ups per request | [`caching`](caching#n1-queries-memoize-per-request) |
//! | a data loader (dataloader) that batches look-ups | [`caching`](caching#data-loaders) |
//! | a cache or a `Shared` future that several requests use | [`caching`](caching#caches-and-shared-futures) |
//! | a database per tenant (multi-tenancy) | [`tenants`](tenants#a-database-per-tenant) |
//! | row-level security, `set_config` | [`tenants`](tenants#row-level-security) |
//! | a transaction that all repositories of a request use | [`databases`] |
//! | values: why `get` returns `None`, maps, the whole request, leaks | [`values`] |
//!
//! # Security and tests
//!
//! | You want … | Recipe |
//! |---|---|
//! | which headers to trust: at the edge, behind a reverse proxy, in a service mesh | [`security`] |
//! | errors that do not show internals to clients, gRPC `Status` | [`security`](security#grpc-status-without-internal-messages) |
//! | unit tests of code that reads the context, tests of handlers | [`testing`] |

pub mod caching;
pub mod databases;
pub mod deadlines;
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
