//! What people do with a request context, and how. Each recipe is a test of this crate; there is no code here.
//!
//! * [`end`]: when a request is over; commit or roll back, access log, count queries, header from deep code
//! * [`middleware`]: authentication that waits, coming from extensions, layers of libraries
//! * [`trust`]: who may say who asks; at the edge, behind a proxy, inside a mesh
//! * [`values`]: look-ups once a request

pub mod end;
pub mod middleware;
pub mod trust;
pub mod values;
