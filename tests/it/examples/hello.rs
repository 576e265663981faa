//! `hello`: the user of each request. The test includes the file, since its functions are private.

#![allow(dead_code, reason = "`main` is not called")]

include!("../../../examples/hello.rs");

use crate::support::{User, VERSIONS, client, in_time, request, serve, text};

#[tokio::test]
async fn hello_greets_the_user_of_each_request() {
    for version in VERSIONS {
        let (address, client) = (serve(app()).await, client(version));
        for (user, greeting) in [(Some(User(7)), "hello, user 7\n"), (None, "hello, stranger\n")] {
            let response = in_time(client.request(request(address, "/", user))).await.unwrap();
            assert_eq!(in_time(text(response)).await, greeting, "{version:?}");
        }
    }
}
