//! What people do with a request context, and how. Each recipe is a test of this crate; there is no code here.
//!
//! * [`end`]: when a request is over; commit or roll back, access log, count queries, header from deep code
//! * [`trust`]: who may say who asks; at the edge, behind a proxy, inside a mesh

pub mod end;
pub mod trust;
