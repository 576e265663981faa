//! Requests that overlap, and requests that follow each other on one connection.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use futures_util::future::join_all;
use tokio::sync::Barrier;
use tower_request_context::RequestContext;

use super::Site;
use crate::support::{Connection, User, VERSIONS, http2_connection, in_time, layer, request, serve, text};

/// A value that a handler sets for the code below it.
#[derive(Clone)]
struct Page(u32);

#[tokio::test]
async fn overlapping_requests_read_their_own_values() {
    for version in VERSIONS {
        let site = &Site::open(pages(10), version).await;
        let texts = join_all((0..10).map(|id| async move { site.text(&format!("/{id}"), user_of(id)).await })).await;
        assert_eq!(texts, (0..10).map(expected).collect::<Vec<_>>(), "{version:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_http2_streams_read_their_own_values() {
    let address = serve(pages(100)).await;
    let sender = &http2_connection(address).await;
    let streams = (0..100).map(|id| {
        let mut sender = sender.clone();
        async move { text(sender.send_request(request(address, &format!("/{id}"), user_of(id))).await.unwrap()).await }
    });
    assert_eq!(in_time(join_all(streams)).await, (0..100).map(expected).collect::<Vec<_>>());
}

#[tokio::test]
async fn anonymous_request_on_a_used_connection_sees_no_user() {
    for version in VERSIONS {
        let address = serve(pages(1)).await;
        let mut connection = Connection::open(address, version).await;
        for id in [1, 0, 2, 3, 4] {
            let response = connection.send(request(address, &format!("/{id}"), user_of(id))).await.unwrap();
            assert_eq!(in_time(text(response)).await, expected(id), "{version:?}");
        }
    }
}

/// Returns the user of a request. Every third request is anonymous.
fn user_of(id: u32) -> Option<User> {
    (id % 3 != 0).then_some(User(id))
}

fn expected(id: u32) -> String {
    let name = user_of(id).map_or_else(|| String::from("nobody"), |User(id)| format!("user {id}"));
    format!("{name}: page {id} of {name}")
}

fn pages(overlapping: usize) -> Router {
    Router::new().route("/{id}", get(page)).layer(layer()).with_state(Arc::new(Barrier::new(overlapping)))
}

/// Sets a value, waits until all overlapping requests have set theirs, and then reads.
async fn page(State(all): State<Arc<Barrier>>, Path(id): Path<u32>) -> String {
    RequestContext::set(Page(id)).unwrap();
    all.wait().await;
    format!("{}: {}", User::name(), library::read().await)
}

/// A service without arguments.
mod library {
    use tower_request_context::RequestContext;

    use super::{Page, User};

    pub(super) async fn read() -> String {
        find().await
    }

    async fn find() -> String {
        fetch().await
    }

    async fn fetch() -> String {
        tokio::task::yield_now().await;
        format!("page {} of {}", RequestContext::expect::<Page>().0, User::name())
    }
}
