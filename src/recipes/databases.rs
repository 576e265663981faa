//! Databases: one transaction per request, which all repositories use.
//!
//! # A transaction per request (sqlx)
//!
//! `Pool::begin` of sqlx returns an owned `Transaction<'static, _>`, which can be stored in the context. It rolls back
//! when it is dropped.
//!
//! Register the rollback *before* `BEGIN`: if the registration fails, no transaction is open. The callback is needed
//! even though a drop rolls back. A spawned task that carries the context keeps its values alive, and would keep the
//! transaction open after the request has ended.
//!
//! `AppError` is your error type. It implements `IntoResponse`, and `From` for the errors of sqlx and of this crate.
//!
//! ```
//! # use axum::{Router, middleware::from_fn_with_state, response::IntoResponse, routing::get};
//! # use http::StatusCode;
//! use std::sync::Arc;
//! # use tower_request_context::{RequestContext, RequestContextLayer};
//! use axum::{extract::{Request, State}, middleware::Next, response::Response};
//! use sqlx::{Sqlite, SqlitePool, Transaction};
//! use tokio::sync::Mutex;
//!
//! # #[derive(Debug)]
//! # struct AppError;
//! # impl<E: std::error::Error> From<E> for AppError { fn from(_: E) -> Self { Self } }
//! # impl IntoResponse for AppError {
//! #     fn into_response(self) -> Response { StatusCode::INTERNAL_SERVER_ERROR.into_response() }
//! # }
//! #[derive(Clone, Default)]
//! struct CurrentTransaction(Arc<Mutex<Option<Transaction<'static, Sqlite>>>>);
//!
//! async fn transaction(
//!     State(pool): State<SqlitePool>,
//!     request: Request,
//!     next: Next,
//! ) -> Result<Response, AppError> {
//!     let CurrentTransaction(current) = CurrentTransaction::default();
//!     let for_rollback = Arc::clone(&current);
//!     RequestContext::on_end(move |_| {
//!         // A task may hold the lock during a query, so the callback cannot wait for it.
//!         RequestContext::spawn(async move { drop(for_rollback.lock().await.take()) });
//!     })?;
//!     RequestContext::set(CurrentTransaction(Arc::clone(&current)))?;
//!     *current.lock().await = Some(pool.begin().await?);
//!
//!     let response = next.run(request).await;
//!     let is_error = response.status().is_client_error() || response.status().is_server_error();
//!     let transaction = current.lock().await.take();
//!     if let (false, Some(transaction)) = (is_error, transaction) {
//!         transaction.commit().await?;
//!     } // else the transaction is dropped, which rolls back
//!     Ok(response)
//! }
//!
//! async fn add_cat(name: &str) -> Result<(), AppError> {
//!     // Not the pool, which is outside the transaction.
//!     let CurrentTransaction(current) = RequestContext::try_get()?;
//!     let mut current = current.lock().await;
//!     // Fails after the commit or rollback.
//!     let transaction = current.as_mut().ok_or(AppError)?;
//!     sqlx::query("INSERT INTO cats VALUES ($1)").bind(name).execute(&mut **transaction).await?;
//!     Ok(())
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # use {axum::body::Body, futures_util::FutureExt, sqlx::sqlite::SqlitePoolOptions, tower::ServiceExt};
//! # let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
//! # sqlx::query("CREATE TABLE cats (name TEXT)").execute(&pool).await.unwrap();
//! # let (sender, mut tasks) = tokio::sync::mpsc::unbounded_channel();
//! # let app: Router = Router::new()
//! #     .route("/good", get(async || add_cat("Tom").await))
//! #     .route("/bad", get(async || { add_cat("Mia").await?; Err::<(), _>(AppError) }))
//! #     .route("/slow", get(async || { add_cat("Max").await.unwrap(); std::future::pending::<()>().await }))
//! #     .route("/task", get(async move || {
//! #         let (start, started) = tokio::sync::oneshot::channel::<()>();
//! #         let task = RequestContext::spawn(async { started.await.unwrap(); add_cat("Leo").await });
//! #         sender.send((start, task)).unwrap();
//! #         StatusCode::CONFLICT
//! #     }))
//! #     .layer(from_fn_with_state(pool.clone(), transaction))
//! #     .layer(RequestContextLayer::default());
//! # let visit = async |path| {
//! #     app.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap().status()
//! # };
//! # let names = || sqlx::query_scalar::<_, String>("SELECT name FROM cats").fetch_all(&pool);
//! # assert_eq!(visit("/good").await, StatusCode::OK);
//! # assert_eq!(visit("/bad").await, StatusCode::INTERNAL_SERVER_ERROR);
//! # assert_eq!(names().await.unwrap(), ["Tom"]);
//! # assert!(tokio::time::timeout(std::time::Duration::from_millis(50), visit("/slow")).await.is_err());
//! # assert_eq!(names().await.unwrap(), ["Tom"]);
//! # assert_eq!(visit("/task").await, StatusCode::CONFLICT);
//! # let (start, task) = tasks.recv().await.unwrap();
//! # assert_eq!(names().await.unwrap(), ["Tom"]); // the pool has its connection back, although the task lives
//! # start.send(()).unwrap();
//! # assert!(task.await.unwrap().is_err());
//! # assert_eq!(names().await.unwrap(), ["Tom"]);
//! # }
//! ```
//!
//! * The statements of one transaction run one after the other. Hold the lock for one statement only.
//! * A query from a task that outlives the request gets an error, and does not fall back to the pool.
//! * The connection returns to the pool after the commit or rollback. A response body is streamed after the commit. If
//!   it runs queries, give it a connection of its own.
//!
//! The example `transaction` has nested transactions, savepoints and the propagation modes of Spring. For the same
//! shape without sqlx, see [commit or rollback](super::lifecycle#commit-or-rollback). For Postgres's row-level
//! security, see [`tenants`](super::tenants#row-level-security).
