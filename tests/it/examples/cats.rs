//! A service that finds the cat of the user without a parameter.

#[allow(dead_code, reason = "`main` is not called")]
#[path = "../../../examples/cats.rs"]
mod example;

use std::net::SocketAddr;

use futures_util::future::join_all;
use http::{HeaderValue, StatusCode, Version};

use crate::{
    interleaving::interleave,
    support::{User, client, in_time, request, serve, text},
};

// A1, A2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_users_each_get_their_own_cat() {
    let cats = [(7, "Momo"), (8, "Tabby"), (42, "Deep Thought")];
    let address = serve(interleave(example::app(), cats.len())).await;
    let responses = join_all(cats.map(async |(user, _)| get_cat(address, &[&user.to_string()]).await));
    for ((user, cat), response) in cats.into_iter().zip(in_time(responses).await) {
        assert_eq!(response, (StatusCode::OK, cat.into()), "user {user}");
    }
}

#[tokio::test]
async fn a_request_without_exactly_one_user_gets_no_cat() {
    let address = serve(example::app()).await;
    for users in [&[] as &[&str], &["7", "8"], &["7", "7"], &["cat"], &[""]] {
        assert_eq!(in_time(get_cat(address, users)).await, (StatusCode::NOT_FOUND, String::new()), "{users:?}");
    }
}

async fn get_cat(address: SocketAddr, users: &[&str]) -> (StatusCode, String) {
    let mut request = request(address, "/cat", None);
    for user in users {
        request.headers_mut().append(User::HEADER, HeaderValue::from_str(user).unwrap());
    }
    let response = client(Version::HTTP_11).request(request).await.unwrap();
    (response.status(), text(response).await)
}
