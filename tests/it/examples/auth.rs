//! Authentication: each request has its own user, or is anonymous.

#[allow(dead_code, reason = "`main` is not called")]
#[path = "../../../examples/auth/main.rs"]
mod example;

use std::net::SocketAddr;

use futures_util::future::join_all;
use http::{HeaderValue, StatusCode, Version, header::COOKIE};

use crate::{
    example::{Example, stdout},
    interleaving::interleave,
    support::{client, in_time, request, serve, text},
};

const ANN: &str = "auth_token=token-of-ann";
const BOB: &str = "auth_token=token-of-bob";

/// Cookies without exactly one valid token.
const ANONYMOUS: [&[&str]; 5] =
    [&[], &["theme=dark"], &["auth_token="], &["auth_token=token-of-eve"], &["auth_token=token-of-bob", ANN]];

// S1, S2, S4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_users_and_guests_are_not_mixed_up() {
    let readers = [(ANN, "ann"), ("auth_token=expired", "a guest"), (BOB, "bob")];
    let address = serve(interleave(example::app(), readers.len())).await;
    let responses = join_all(readers.map(async |(cookie, _)| get(address, "/posts", &[cookie]).await));
    for ((_, reader), response) in readers.into_iter().zip(in_time(responses).await) {
        assert_eq!(response, (StatusCode::OK, format!("posts for {reader}")));
    }

    let address = serve(interleave(example::app(), 2)).await;
    let responses = join_all([ANN, BOB].map(async |cookie| get(address, "/drafts", &[cookie]).await));
    assert_eq!(
        in_time(responses).await,
        ["drafts of ann", "drafts of bob"].map(|drafts| (StatusCode::OK, drafts.into()))
    );
}

// S3
#[tokio::test]
async fn a_route_for_guests_accepts_requests_without_a_session() {
    let address = serve(example::app()).await;
    for cookies in ANONYMOUS {
        let response = in_time(get(address, "/posts", cookies)).await;
        assert_eq!(response, (StatusCode::OK, "posts for a guest".into()), "{cookies:?}");
    }
}

#[tokio::test]
async fn a_route_for_users_rejects_requests_without_a_session() {
    let address = serve(example::app()).await;
    for cookies in ANONYMOUS {
        let response = in_time(get(address, "/drafts", cookies)).await;
        assert_eq!(response, (StatusCode::UNAUTHORIZED, String::new()), "{cookies:?}");
    }
}

#[tokio::test]
async fn the_token_is_found_among_other_cookies() {
    let address = serve(example::app()).await;
    for cookies in [&["theme=dark; broken; auth_token=token-of-ann"] as &[&str], &["theme=dark", ANN]] {
        let response = in_time(get(address, "/drafts", cookies)).await;
        assert_eq!(response, (StatusCode::OK, "drafts of ann".into()), "{cookies:?}");
    }
}

#[tokio::test]
async fn a_token_is_not_printed() {
    let shown = stdout(&Example("auth").once("0").await);
    assert!(shown.contains("drafts of ann"), "{shown}");
    assert!(!shown.contains("token-of-"), "{shown}");
}

async fn get(address: SocketAddr, path: &str, cookies: &[&str]) -> (StatusCode, String) {
    let mut request = request(address, path, None);
    for cookie in cookies {
        request.headers_mut().append(COOKIE, HeaderValue::from_str(cookie).unwrap());
    }
    let response = client(Version::HTTP_11).request(request).await.unwrap();
    (response.status(), text(response).await)
}
