//! What threads share, in the orders that loom tells apart: `cargo test --release` in `tests/loom`.
//!
//! Each test states all that may come of a race. Loom runs the threads in each order of their steps that it tells
//! apart, and with each value that it lets a load return there. What came of it has to be just that set: nothing else
//! came of it, and the race took place. With `-- --nocapture` each tells how many orders that were.
//!
//! Modelled are the late values and the filter in front of them, the callbacks, the stages of a request, the turns of
//! initialisers, and the current context of each thread. Not modelled is what others promise: `std`'s `Arc` and
//! `OnceLock` (of which the latter is imitated), and tokio's `Notify`, each of whose calls is one step here. Neither
//! are initialisers that await each other: all threads of a model share their list. To seed a store, to drop it and to
//! forget its callbacks takes `&mut`, with which the compiler says that nobody else is there.
//!
//! Of what C11 allows, loom leaves out load buffering, where a load returns what is stored only after a later step of
//! its own thread, and loads of what is older than the last seven stores of an atomic.

#![forbid(unsafe_code)]

mod ends;
mod once;
mod responses;
mod support;
mod updates;
mod values;
