//! Models of the state that threads share, checked with loom: `cargo test --release` in `tests/loom`.
//!
//! Each test states all possible outcomes of a race. loom runs the threads in each interleaving that it distinguishes,
//! and with each value that it allows a load to return there. The outcomes that occur have to be exactly the stated
//! ones: no other outcome is possible, and the race took place. With `-- --nocapture`, each test prints its number of
//! interleavings.
//!
//! The models cover the values set after sharing and the filter in front of them, the callbacks, the state of a
//! request, the initialization of values, and the current context of each thread. They do not cover what others
//! guarantee: `std`'s `Arc` and `OnceLock` (the latter is imitated), and tokio's `Notify`, each of whose calls is one
//! step here. They do not cover initializers that await each other either, because all threads of a model share one
//! list of them. Inserting initial values, dropping a store and dropping its callbacks take `&mut`, so the compiler
//! rules out other threads.
//!
//! Of what C11 allows, loom leaves out load buffering, where a load returns a value that is stored only after a later
//! step of its own thread, and loads of values older than the last seven stores of an atomic.

#![forbid(unsafe_code)]

mod ends;
mod once;
mod responses;
mod support;
mod updates;
mod values;
