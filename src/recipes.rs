//! What people do with a request context, and how. Each recipe is a test of this crate; there is no code here.
//!
//! * [`end`]: when a request is over; commit or roll back, access log, count queries, header from deep code
//! * [`logging`]: log lines with the request's id, route and user; spans, OpenTelemetry, Sentry; one event per request
//! * [`middleware`]: authentication that waits, coming from extensions, layers of libraries
//! * [`propagation`]: the request's headers on the calls that it makes
//! * [`tasks`]: tasks and threads, caches and shared futures, unit tests
//! * [`trust`]: who may say who asks; at the edge, behind a proxy, inside a mesh
//! * [`values`]: look-ups once a request, tenants, deadlines, the whole head of the request

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
