//! Published advisories against request contexts and similar code in other systems. Each test shows that this crate
//! does not have the vulnerability, and is named after its advisory.

mod copies;
mod exits;
mod header_limits;
mod identity;
mod ids;
mod pools;
