//! Find code that spawns without the context: a lint for `clippy.toml`, and a detector at run time.
//!
//! # Forbid bare spawns (`clippy.toml`)
//!
//! Clippy's lint [`disallowed_methods`] warns about each call of a function that you list. The lint is on by default.
//! It also finds calls through a `use` or another name. Put this at the end of the `clippy.toml` of your project:
//!
//! ```toml
//! [[disallowed-methods]]
//! path = "tokio::spawn"
//! replacement = "tower_request_context::RequestContext::spawn"
//! reason = "loses the request context"
//!
//! [[disallowed-methods]]
//! path = "tokio::task::spawn_blocking"
//! replacement = "tower_request_context::RequestContext::spawn_blocking"
//! reason = "loses the request context"
//!
//! [[disallowed-methods]]
//! path = "tokio::task::JoinSet::spawn"
//! reason = "wrap the future in `RequestContext::carry`"
//!
//! [[disallowed-methods]]
//! path = "tokio::runtime::Handle::spawn"
//! reason = "wrap the future in `RequestContext::carry`"
//!
//! [[disallowed-methods]]
//! path = "tokio_util::task::TaskTracker::spawn"
//! reason = "wrap the future in `RequestContext::carry`"
//! allow-invalid = true
//!
//! [[disallowed-methods]]
//! path = "std::thread::spawn"
//! reason = "wrap the closure in `RequestContext::bind`"
//! ```
//!
//! * `cargo clippy --fix` applies the entries with a `replacement`. [`RequestContext::spawn`] takes the same arguments
//!   as `tokio::spawn`, and also works where no context is current.
//! * `allow-invalid` keeps Clippy from warning about a path that does not exist, here in a package that uses
//!   tokio-util without its feature `rt`. Add it to the entries of tokio if a package uses tokio without `rt`.
//! * The lint cannot see whether a future was wrapped. Allow the wrapped ones, or put them in a function of your own:
//!
//! ```
//! # use tower_request_context::{RequestContext, Store};
//! use tokio::task::JoinSet;
//!
//! #[expect(clippy::disallowed_methods, reason = "the future is wrapped")]
//! fn spawn_on<T, F>(tasks: &mut JoinSet<T>, future: F)
//! where
//!     T: Send + 'static,
//!     F: Future<Output = T> + Send + 'static,
//! {
//!     tasks.spawn(RequestContext::carry(future));
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # let mut tasks = JoinSet::new();
//! # let context = RequestContext::new(Store::new().with_value(7_u8));
//! # context.sync_scope(|| spawn_on(&mut tasks, async { RequestContext::get::<u8>() }));
//! # assert_eq!(tasks.join_all().await, [Some(7)]);
//! # }
//! ```
//!
//! # Detect bare spawns at run time (tokio's spawn hook)
//!
//! tokio can call a hook for each task that is spawned, also by libraries. The hook runs where the task is spawned. If
//! a context is current in the hook, a request spawns the task. The function `spawn` below leaves the context first, so
//! its tasks are not reported. Use it for all your spawns. Each report is then a spawn that you missed, or one by a
//! library. [`RequestContext::spawn`] is reported too, since it spawns in the current context. Replace it with the
//! function `spawn` below, also as the `replacement` in `clippy.toml`:
//!
//! ```
//! # use tower_request_context::{RequestContext, Store};
//! use tokio::{runtime::Builder, task::JoinHandle};
//!
//! #[expect(clippy::disallowed_methods, reason = "the future is wrapped")]
//! pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
//! where
//!     F: Future<Output: Send + 'static> + Send + 'static,
//! {
//!     let future = RequestContext::carry(future);
//!     RequestContext::sync_exit(|| tokio::spawn(future)) // no context is current in the hook
//! }
//!
//! # let mut builder = Builder::new_current_thread();
//! # #[cfg(tokio_unstable)]
//! let builder = Builder::new_multi_thread().on_task_spawn(|task| {
//!     if RequestContext::is_active() {
//!         tracing::warn!("a request spawns a task without context, at {}", task.spawned_at());
//!     }
//! });
//! # builder.build().unwrap().block_on(RequestContext::new(Store::new().with_value(7_u8)).scope(async {
//! #     assert_eq!(spawn(async { RequestContext::get::<u8>() }).await.unwrap(), Some(7));
//! # }));
//! ```
//!
//! The hook is an unstable API of tokio: compile with `RUSTFLAGS="--cfg tokio_unstable"`, for example in a test job. It
//! also reports the connection tasks of an HTTP client that the request uses. It does not report threads,
//! `spawn_blocking`, and the tasks of a `LocalSet`.
//!
//! [`RequestContext::spawn`]: crate::RequestContext::spawn
//! [`disallowed_methods`]: https://rust-lang.github.io/rust-clippy/stable/index.html#disallowed_methods
