//! `recipes::databases`: a client that disconnects in the middle of its transaction.

use std::{future::pending, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::get,
};
use sqlx::{Sqlite, SqlitePool, Transaction, query, query_scalar, sqlite::SqlitePoolOptions};
use tokio::sync::{Mutex, mpsc::unbounded_channel};
use tower_request_context::{RequestContext, RequestContextLayer};

use crate::support::{Connection, VERSIONS, in_time, request, serve};

#[derive(Clone, Default)]
struct Current(Arc<Mutex<Option<Transaction<'static, Sqlite>>>>);

async fn transaction(State(pool): State<SqlitePool>, request: Request, next: Next) -> Response {
    let Current(current) = Current::default();
    let open = Arc::clone(&current);
    RequestContext::on_end(move |_| {
        RequestContext::spawn(async move { drop(open.lock().await.take()) });
    })
    .unwrap();
    RequestContext::set(Current(Arc::clone(&current))).unwrap();
    *current.lock().await = Some(pool.begin().await.unwrap());
    let response = next.run(request).await;
    if let Some(transaction) = current.lock().await.take() {
        transaction.commit().await.unwrap();
    }
    response
}

async fn add_cat(name: &str) {
    let Current(current) = RequestContext::expect();
    let mut current = current.lock().await;
    query("INSERT INTO cats VALUES ($1)").bind(name).execute(&mut **current.as_mut().unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_client_that_disconnects_rolls_its_transaction_back() {
    // One connection: a transaction that stays open makes the next query wait for ever.
    let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
    query("CREATE TABLE cats (name TEXT)").execute(&pool).await.unwrap();
    let (sender, mut entered) = unbounded_channel();
    let slow = async move || {
        add_cat("Mia").await;
        // The task keeps the context, and so its values, alive.
        sender.send(RequestContext::spawn(pending::<()>())).unwrap();
        pending::<()>().await;
    };
    let app = Router::new()
        .route("/slow", get(slow))
        .route("/", get(async || add_cat("Tom").await))
        .layer(from_fn_with_state(pool.clone(), transaction))
        .layer(RequestContextLayer::default());
    let address = serve(app).await;
    for (committed, version) in (1..).zip(VERSIONS) {
        let (mut connection, socket) = Connection::open_to_abort(address, version).await;
        tokio::select! {
            response = connection.send(request(address, "/slow", None)) => panic!("unexpected response: {response:?}"),
            task = in_time(entered.recv()) => assert!(task.is_some()),
        }
        socket.abort();
        let mut connection = Connection::open(address, version).await;
        assert!(connection.send(request(address, "/", None)).await.unwrap().status().is_success());
        let names = query_scalar::<_, String>("SELECT name FROM cats").fetch_all(&pool);
        assert_eq!(in_time(names).await.unwrap(), vec!["Tom"; committed], "{version:?}");
    }
}
