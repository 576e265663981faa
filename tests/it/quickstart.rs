//! The quickstart, as a program.

use http::Version;
use tokio::net::TcpListener;

use crate::{
    example::{Example, error_message, guarded, stdout},
    support::{User, client, request, text},
};

const QUICKSTART: Example<'_> = Example("quickstart");

#[tokio::test]
async fn a_thousand_overlapping_requests_are_not_mixed_up() {
    let output = QUICKSTART.once("0").await;
    assert_eq!(stdout(&output).lines().last(), Some("1000 requests, 4000 reads, 0 mixed up"));
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn the_table_shows_each_reader_and_the_lost_task_local() {
    let output = QUICKSTART.once("0").await;
    let table = stdout(&output);
    let row: Vec<_> =
        table.lines().find(|line| line.trim_start().starts_with("42 ")).unwrap().split_whitespace().collect();
    let seen = "42@shop42";
    assert_eq!(row, ["42", seen, seen, seen, seen, "42,", "none"]);
}

#[tokio::test]
async fn a_port_in_use_is_a_one_line_error() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = taken.local_addr().unwrap();
    let message = error_message(&QUICKSTART.once(&address.port().to_string()).await);
    assert!(message.starts_with(&format!("cannot listen on {address}: ")), "{message}");
}

#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_stops_it_while_a_client_is_connected() {
    let mut serving = QUICKSTART.serve();
    let address = serving.line_after("curl http://").await.trim_end_matches('/').parse().unwrap();

    let client = client(Version::HTTP_11);
    for (user, seen) in [(Some(User(7)), "7@shop7"), (None, "none")] {
        let response = guarded(client.request(request(address, "/", user))).await.unwrap();
        let lines = ["handler", "service", "task", "body"].map(|reader| format!("{reader}: {seen}\n"));
        assert_eq!(guarded(text(response)).await, lines.concat());
    }

    assert_eq!(serving.interrupt().await.code(), Some(0));
}
