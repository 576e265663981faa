//! `SvelteKit`'s hook: a user who was looked up for the one request and for no other, or known to be nobody.

#[allow(dead_code, reason = "`main` is for those who run it")]
#[path = "../../../examples/auth.rs"]
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

/// Who is nobody, in all the ways that there are.
const NOBODY: [&[&str]; 5] =
    [&[], &["theme=dark"], &["auth_token="], &["auth_token=token-of-nobody"], &["auth_token=token-of-bob", ANN]];

// S1, S2, S4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_at_once_and_a_guest_among_them_are_not_mixed_up() {
    let readers = [(ANN, "ann"), ("auth_token=expired", "a guest"), (BOB, "bob")];
    let address = serve(interleave(example::app(), readers.len())).await;
    let answers = join_all(readers.map(async |(cookie, _)| visit(address, "/posts", &[cookie]).await));
    for ((_, reader), answer) in readers.into_iter().zip(in_time(answers).await) {
        assert_eq!(answer, (StatusCode::OK, format!("posts for {reader}")));
    }

    let address = serve(interleave(example::app(), 2)).await;
    let answers = join_all([ANN, BOB].map(async |cookie| visit(address, "/drafts", &[cookie]).await));
    assert_eq!(
        in_time(answers).await,
        ["drafts of ann", "drafts of bob"].map(|drafts| (StatusCode::OK, drafts.into()))
    );
}

// S3
#[tokio::test]
async fn without_a_session_the_user_is_none_and_goes_on_where_guests_may() {
    let address = serve(example::app()).await;
    for cookies in NOBODY {
        let answer = in_time(visit(address, "/posts", cookies)).await;
        assert_eq!(answer, (StatusCode::OK, "posts for a guest".into()), "{cookies:?}");
    }
}

#[tokio::test]
async fn without_a_session_the_answer_is_401_where_guests_may_not() {
    let address = serve(example::app()).await;
    for cookies in NOBODY {
        let answer = in_time(visit(address, "/drafts", cookies)).await;
        assert_eq!(answer, (StatusCode::UNAUTHORIZED, String::new()), "{cookies:?}");
    }
}

#[tokio::test]
async fn the_token_is_found_among_other_cookies_in_one_line_or_several() {
    let address = serve(example::app()).await;
    for cookies in [&["theme=dark; broken; auth_token=token-of-ann"] as &[&str], &["theme=dark", ANN]] {
        let answer = in_time(visit(address, "/drafts", cookies)).await;
        assert_eq!(answer, (StatusCode::OK, "drafts of ann".into()), "{cookies:?}");
    }
}

#[tokio::test]
async fn a_token_is_not_printed() {
    let shown = stdout(&Example("auth").once("0").await);
    assert!(shown.contains("drafts of ann"), "{shown}");
    assert!(!shown.contains("token-of-"), "{shown}");
}

async fn visit(address: SocketAddr, path: &str, cookies: &[&str]) -> (StatusCode, String) {
    let mut request = request(address, path, None);
    for cookie in cookies {
        request.headers_mut().append(COOKIE, HeaderValue::from_str(cookie).unwrap());
    }
    let answer = client(Version::HTTP_11).request(request).await.unwrap();
    (answer.status(), text(answer).await)
}
