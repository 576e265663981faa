//! The quickstart, run as a user would run it.

use http::Version;
use tokio::net::TcpListener;

use crate::{
    example::{Example, guarded, refusal, stdout},
    support::{User, client, request, text},
};

const QUICKSTART: Example<'_> = Example("quickstart");

#[tokio::test]
async fn a_thousand_users_at_once_are_not_mixed_up() {
    let output = QUICKSTART.once("0").await;
    assert_eq!(stdout(&output).lines().last(), Some("1000 requests, 4000 reads, 0 mixed up"));
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn the_table_shows_whom_each_reader_saw_and_that_a_task_local_is_lost_in_the_body() {
    let output = QUICKSTART.once("0").await;
    let table = stdout(&output);
    let row: Vec<_> = table.lines().find(|line| line.contains(" 42 ")).unwrap().split_whitespace().collect();
    let seen = "42@shop42";
    assert_eq!(row, ["│", "42", seen, seen, seen, seen, "42,", "nobody", "│"]);
}

#[tokio::test]
async fn a_port_in_use_is_one_sentence_and_exit_code_1() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = taken.local_addr().unwrap();
    let sentence = refusal(&QUICKSTART.once(&address.port().to_string()).await);
    assert!(sentence.starts_with(&format!("cannot listen on {address}: ")), "{sentence}");
}

#[cfg(unix)]
#[tokio::test]
async fn it_serves_until_it_is_interrupted_though_a_client_keeps_its_connection() {
    let mut serving = QUICKSTART.serve();
    let address = serving.line_after("curl http://").await.trim_end_matches('/').parse().unwrap();

    let client = client(Version::HTTP_11);
    for (user, seen) in [(Some(User(7)), "7@shop7"), (None, "nobody")] {
        let answer = guarded(client.request(request(address, "/", user))).await.unwrap();
        let lines = ["handler", "service", "task", "body"].map(|reader| format!("{reader}: {seen}\n"));
        assert_eq!(guarded(text(answer)).await, lines.concat());
    }

    assert_eq!(serving.interrupt().await.code(), Some(0));
}
