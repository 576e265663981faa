//! Advisories against what keeps a context for requests elsewhere: what went wrong there does not here.
//!
//! Each test is named after its advisory.

mod copies;
mod exits;
mod header_limits;
mod identity;
mod ids;
mod pools;
