//! The quickstart, run as a user would run it.

use std::{
    env::{self, consts::EXE_SUFFIX},
    process::{Output, Stdio},
    time::Duration,
};

use http::Version;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::Command,
    time::timeout,
};

use crate::support::{User, client, request, text};

#[tokio::test]
async fn a_thousand_users_at_once_are_not_mixed_up() {
    let output = once("0").await;
    assert_eq!(stdout(&output).lines().last(), Some("1000 requests, 4000 reads, 0 mixed up"));
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn the_table_shows_whom_each_reader_saw_and_that_a_task_local_is_lost_in_the_body() {
    let output = once("0").await;
    let table = stdout(&output);
    let row: Vec<_> = table.lines().find(|line| line.contains(" 42 ")).unwrap().split_whitespace().collect();
    let seen = "42@shop42";
    assert_eq!(row, ["│", "42", seen, seen, seen, seen, "42,", "nobody", "│"]);
}

#[tokio::test]
async fn a_port_in_use_is_one_sentence_and_exit_code_1() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = taken.local_addr().unwrap();
    let sentence = refusal(&once(&address.port().to_string()).await);
    assert!(sentence.starts_with(&format!("cannot listen on {address}: ")), "{sentence}");
}

#[tokio::test]
async fn what_is_no_port_and_an_unknown_argument_are_one_sentence_and_exit_code_1() {
    for port in ["", "-1", "65536", "http", "30\n00"] {
        let sentence = refusal(&once(port).await);
        assert!(sentence.starts_with("PORT must be a number"), "{sentence}");
    }
    let sentence = refusal(&run(quickstart("0").args(["--once", "--twice"])).await);
    assert_eq!(sentence, r#"the only argument accepted is --once, not "--twice""#);
}

#[cfg(unix)]
#[tokio::test]
async fn it_serves_until_it_is_interrupted_though_a_client_keeps_its_connection() {
    let mut serving = quickstart("0").spawn().unwrap();
    let mut lines = BufReader::new(serving.stdout.take().unwrap()).lines();
    let address = guarded(async {
        loop {
            let line = lines.next_line().await.unwrap().expect("a line that says where it serves");
            if let Some(address) = line.trim().strip_prefix("curl http://") {
                break address.trim_end_matches('/').parse().unwrap();
            }
        }
    })
    .await;

    let client = client(Version::HTTP_11);
    for (user, seen) in [(Some(User(7)), "7@shop7"), (None, "nobody")] {
        let answer = guarded(client.request(request(address, "/", user))).await.unwrap();
        let lines = ["handler", "service", "task", "body"].map(|reader| format!("{reader}: {seen}\n"));
        assert_eq!(guarded(text(answer)).await, lines.concat());
    }

    let id = serving.id().unwrap().to_string();
    assert!(guarded(Command::new("kill").args(["-INT", &id]).status()).await.unwrap().success());
    assert_eq!(guarded(serving.wait()).await.unwrap().code(), Some(0));
}

async fn once(port: &str) -> Output {
    run(quickstart(port).arg("--once")).await
}

async fn run(command: &mut Command) -> Output {
    guarded(command.output()).await.unwrap()
}

/// The example that Cargo has built beside this test.
fn quickstart(port: &str) -> Command {
    let profile = env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
    let program = profile.join("examples").join(format!("quickstart{EXE_SUFFIX}"));
    assert!(
        program.exists(),
        "{} is not there: build it with `cargo build --example quickstart`, or run all tests with `cargo test`",
        program.display(),
    );
    let mut command = Command::new(program);
    command.env("PORT", port).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command
}

/// What it said on its way out, which has to be one line.
fn refusal(output: &Output) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!((stdout(output), output.status.code()), (String::new(), Some(1)), "{stderr}");
    let sentence = stderr.strip_suffix('\n').unwrap();
    assert!(!sentence.contains('\n'), "{stderr}");
    sentence.to_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

async fn guarded<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(90), future).await.expect("the quickstart hangs")
}
