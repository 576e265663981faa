//! The application over sockets: transfers, panics and disconnected clients.

use std::{future::pending, sync::Arc};

use axum::{Router, routing::get};
use http::{Method, StatusCode, Version};
use tokio::{select, sync::Notify};
use tower_http::catch_panic::CatchPanicLayer;

use super::{
    bank::Bank,
    example::{Journal, TransferError, app, transactional::transactional},
};
use crate::support::{VERSIONS, client, in_time, request, serve, text};

#[tokio::test]
async fn a_transfer_is_atomic_and_its_attempt_is_recorded() {
    let bank = Bank::open(2).await;
    let address = serve(app(bank.pool.clone())).await;
    let client = client(Version::HTTP_11);
    let send = async |method: Method, path, users: &[&str]| {
        let mut request = request(address, path, None);
        *request.method_mut() = method;
        for user in users {
            request.headers_mut().append("x-user-id", user.parse().unwrap());
        }
        let response = in_time(client.request(request)).await.unwrap();
        (response.status(), text(response).await)
    };

    assert_eq!(send(Method::POST, "/transfers/bob/30", &["ada"]).await.0, StatusCode::OK);
    assert_eq!(send(Method::POST, "/transfers/ada/31", &["bob"]).await.0, StatusCode::CONFLICT);
    assert_eq!(send(Method::POST, "/transfers/bob/1", &["eve"]).await.0, StatusCode::NOT_FOUND);
    assert_eq!(send(Method::POST, "/transfers/bob/1", &[]).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(send(Method::POST, "/transfers/bob/1", &["ada", "bob"]).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(send(Method::GET, "/accounts", &[]).await, (StatusCode::OK, "ada 70\nbob 30".into()));
    let journal =
        ["ada tries to give bob 30", "ada gave bob 30", "bob tries to give ada 31", "eve tries to give bob 1"];
    assert_eq!(send(Method::GET, "/journal", &[]).await, (StatusCode::OK, journal.join("\n")));
}

#[tokio::test]
async fn a_panic_in_the_handler_is_rolled_back() {
    let bank = Bank::open(1).await;
    let panics = get(async || {
        transactional(async {
            Journal.write("lost").await?;
            panic!("after a write");
            #[allow(unreachable_code, reason = "it is the type of the result")]
            Ok::<(), TransferError>(())
        })
        .await
    });
    for version in VERSIONS {
        let app = Router::new().route("/", panics.clone()).layer(bank.layer()).layer(CatchPanicLayer::new());
        let address = serve(app).await;
        let response = in_time(client(version).request(request(address, "/", None))).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "{version:?}");
        bank.lines_after_another().await;
    }
    assert_eq!(bank.lines().await, ["another", "another"]);
}

// F6
#[tokio::test]
async fn a_request_of_a_disconnected_client_is_rolled_back() {
    for version in VERSIONS {
        let bank = Bank::open(1).await;
        let written = Arc::new(Notify::new());
        let handler = {
            let written = Arc::clone(&written);
            get(async move || {
                transactional(async {
                    Journal.write("lost").await?;
                    written.notify_one();
                    pending::<Result<(), TransferError>>().await
                })
                .await
            })
        };
        let address = serve(Router::new().route("/", handler).layer(bank.layer())).await;
        let client = client(version);
        select! {
            response = client.request(request(address, "/", None)) => panic!("the handler never responds: {response:?}"),
            () = in_time(written.notified()) => {}
        }
        assert_eq!(bank.pool.num_idle(), 0, "{version:?}");
        drop(client);
        assert_eq!(bank.lines_after_another().await, ["another"], "{version:?}");
    }
}
