//! The examples, driven over sockets as their readers would.

mod identity;
