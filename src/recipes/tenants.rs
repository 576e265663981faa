//! Multi-tenancy: a database per tenant, and row-level security.
//!
//! # A database per tenant
//!
//! Store the tenant's pool, limits and settings as values. Code below the layer cannot use the pool of
//! another tenant by mistake.
//!
//! * A missing tenant is an error, never a default: a task that has lost its context must not write to the wrong
//!   database.
//! * Reject unknown tenants in the setup closure.
//! * The host only says what the client asked for. Check separately that the user belongs to the tenant: see
//!   [`security`](super::security).
//! * A handler that returns `ContextError` needs the feature `axum`.
//!
//! ```
//! # use axum::{Router, body::Body, routing::get};
//! # use http::Request;
//! # use std::collections::HashMap;
//! # use tower::ServiceExt;
//! # use tower_request_context::{ContextError, RequestContext, RequestContextLayer};
//! use axum::response::IntoResponse;
//! use http::{StatusCode, header::HOST, request::Parts, uri::Authority};
//!
//! #[derive(Clone)]
//! struct Pool(&'static str); // a handle, so that a clone is cheap
//!
//! async fn cats() -> Result<String, ContextError> {
//!     // Return the error: there is no default tenant.
//!     let Pool(database) = RequestContext::try_get()?;
//!     Ok(format!("the cats in {database}"))
//! }
//!
//! fn host(request: &Parts) -> Option<Authority> {
//!     if let Some(authority) = request.uri.authority() {
//!         return Some(authority.clone()); // HTTP/2, and HTTP/1.1 in absolute form
//!     }
//!     let mut lines = request.headers.get_all(HOST).iter();
//!     let line = lines.next().filter(|_| lines.next().is_none())?;
//!     Authority::try_from(line.as_bytes()).ok()
//! }
//!
//! let pools = HashMap::from([("paris.example", Pool("paris")), ("rome.example", Pool("rome"))]);
//! let tenants = RequestContextLayer::new(move |store, request| {
//!     let pool = host(request).and_then(|host| pools.get(host.host()).cloned());
//!     let pool = pool.ok_or_else(|| StatusCode::NOT_FOUND.into_response())?;
//!     store.insert(pool);
//!     Ok(())
//! });
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn visit(app: Router, host: &str) -> (StatusCode, String) {
//! #     let request = match host.strip_prefix("http2 ") {
//! #         Some(host) => Request::get(format!("http://{host}/")),
//! #         None => host.split(", ").fold(Request::get("/"), |request, host| request.header(HOST, host)),
//! #     };
//! #     let request = request.body(Body::empty()).unwrap();
//! #     let response = app.oneshot(request).await.unwrap();
//! #     let status = response.status();
//! #     let text = http_body_util::BodyExt::collect(response).await.unwrap().to_bytes();
//! #     (status, String::from_utf8(text.into()).unwrap())
//! # }
//! # let bare: Router = Router::new().route("/", get(cats));
//! # let app = bare.clone().layer(tenants);
//! # assert_eq!(visit(app.clone(), "rome.example"), (StatusCode::OK, "the cats in rome".into()));
//! # assert_eq!(visit(app.clone(), "paris.example:3000"), (StatusCode::OK, "the cats in paris".into()));
//! # assert_eq!(visit(app.clone(), "http2 paris.example:3000"), (StatusCode::OK, "the cats in paris".into()));
//! # assert_eq!(visit(app.clone(), "rome.example, paris.example").0, StatusCode::NOT_FOUND);
//! # assert_eq!(visit(app, "oslo.example").0, StatusCode::NOT_FOUND);
//! # assert_eq!(visit(bare, "rome.example").0, StatusCode::INTERNAL_SERVER_ERROR);
//! ```
//!
//! # Row-level security
//!
//! With row-level security, Postgres filters the rows of a shared table by a setting of the session. Set the tenant
//! inside the transaction, with `true` as the last argument of `set_config`. The setting then ends with the
//! transaction, and the next user of the pooled connection does not inherit it. Read the tenant before `BEGIN`: without
//! one, no statement is sent.
//!
//! ```
//! # use sqlx::{Sqlite as Postgres, SqlitePool as PgPool, Transaction, sqlite::SqlitePoolOptions};
//! # use tower_request_context::{ContextError, RequestContext, Store};
//! // use sqlx::{PgPool, Postgres, Transaction};
//! type Error = Box<dyn std::error::Error>;
//!
//! # mod shown {
//! const SET_TENANT: &str = "SELECT set_config('app.tenant', $1, true)";
//! # }
//! # const SET_TENANT: &str = "INSERT INTO settings VALUES ('app.tenant', $1)"; // SQLite has no `set_config`
//!
//! #[derive(Clone)]
//! struct Tenant(String);
//!
//! async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, Error> {
//!     // Without a tenant, this returns before `BEGIN`.
//!     let Tenant(tenant) = RequestContext::try_get()?;
//!     let mut transaction = pool.begin().await?;
//!     sqlx::query(SET_TENANT).bind(tenant).execute(&mut *transaction).await?;
//!     Ok(transaction)
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Error> {
//! # let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
//! # sqlx::query("CREATE TABLE settings (name TEXT, value TEXT)").execute(&pool).await?;
//! # let settings = || sqlx::query_scalar::<_, String>("SELECT value FROM settings");
//! # for tenant in ["paris", "rome"] {
//! #     let context = RequestContext::new(Store::new().with_value(Tenant(tenant.into())));
//! #     let mut transaction = context.scope(begin(&pool)).await?;
//! #     assert_eq!(settings().fetch_all(&mut *transaction).await?, [tenant]);
//! #     drop(transaction);
//! #     assert!(settings().fetch_all(&pool).await?.is_empty());
//! # }
//! # let occupied = pool.acquire().await?; // so `begin` would wait
//! # let error = begin(&pool).await.unwrap_err();
//! # assert_eq!(error.downcast_ref(), Some(&ContextError::NoContext));
//! # drop(occupied);
//! # Ok(())
//! # }
//! ```
//!
//! The policy compares the setting with a column:
//!
//! ```sql
//! ALTER TABLE cats ENABLE ROW LEVEL SECURITY;
//! ALTER TABLE cats FORCE ROW LEVEL SECURITY; -- for the owner of the table too
//! CREATE POLICY tenant ON cats USING (tenant = current_setting('app.tenant'));
//! ```
//!
//! * Without the setting, `current_setting('app.tenant')` is an error. On a connection that had the setting before, it
//!   is an empty string. Make sure that no tenant has an empty name.
//! * Superusers and roles with `BYPASSRLS` ignore policies. Connect with another role.
//!
//! To share the transaction with all repositories of the request, see [`databases`](super::databases).
