//! What threads share, in the orders that they and the memory allow: `cargo test --release` in `tests/loom`.
//!
//! Each test states all that may come of a race. Loom runs the threads in every order of their steps that may matter, with
//! every value that a load may return in the memory model of C11, and what came of it has to be just that set: nothing
//! else came of it, and the race took place. With `-- --nocapture` each tells how many orders that were.
//!
//! Modelled are the late values and the filter in front of them, the callbacks, the stages of a request, the turns of
//! initialisers, and the current context of each thread. Not modelled is what others promise: `std`'s `Arc` and `OnceLock`
//! (of which the latter is imitated), and tokio's `Notify`, each of whose calls is one step here. Neither are initialisers
//! that await each other: all threads of a model share their list. To seed a store, to drop it and to forget its callbacks
//! takes `&mut`, with which the compiler says that nobody else is there.

#![forbid(unsafe_code)]

mod ends;
mod once;
mod responses;
mod support;
mod updates;
mod values;
