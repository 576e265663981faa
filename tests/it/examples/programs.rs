//! Every example, as a program.

use std::process::Output;

use futures_util::future::join_all;

use crate::example::{Example, demos, error_message, stderr, stdout};

#[tokio::test]
async fn every_example_prints_something_and_stops_with_once() {
    let outputs = join_all(demos().map(async |name| {
        let output = Example(&name).once("0").await;
        (name, output)
    }));
    for (name, output) in outputs.await {
        assert_eq!((output.status.code(), error_lines(&output)), (Some(0), vec![]), "{name}");
        let printed = stdout(&output);
        assert!(!printed.trim().is_empty(), "{name}");
        for error in ["500 Internal Server Error", "Error("] {
            assert!(!printed.contains(error), "{name}: {printed}");
        }
    }
}

#[tokio::test]
async fn an_unknown_argument_is_a_one_line_error() {
    for name in demos() {
        let message = error_message(&Example(&name).run("0", &["--once", "--twice"]).await);
        assert_eq!(message, r#"the only argument accepted is --once, not "--twice""#, "{name}");
    }
}

#[tokio::test]
async fn an_invalid_port_is_a_one_line_error() {
    for name in demos() {
        for port in ["", "-1", "65536", "http", "30\n00"] {
            let message = error_message(&Example(&name).once(port).await);
            assert!(message.starts_with("PORT must be a number"), "{name}: {message}");
        }
    }
}

/// Returns the lines of stderr that are not JSON: the example `logging` writes its log there.
fn error_lines(output: &Output) -> Vec<String> {
    stderr(output).lines().filter(|line| !line.starts_with('{')).map(str::to_owned).collect()
}
