//! Every example, run as a program.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use futures_util::future::join_all;

use crate::example::{Example, examples, refusal, stderr, stdout};

#[tokio::test]
async fn every_example_shows_something_and_ends_by_itself_without_an_error() {
    let outputs = join_all(examples().into_keys().map(async |name| {
        let output = Example(&name).once("0").await;
        (name, output)
    }));
    for (name, output) in outputs.await {
        assert_eq!((output.status.code(), complaints(&output)), (Some(0), vec![]), "{name}");
        let shown = stdout(&output);
        assert!(!shown.trim().is_empty(), "{name}");
        for trouble in ["500 Internal Server Error", "Error("] {
            assert!(!shown.contains(trouble), "{name}: {shown}");
        }
    }
}

#[tokio::test]
async fn an_unknown_argument_is_one_sentence_and_exit_code_1() {
    for name in examples().into_keys() {
        let sentence = refusal(&Example(&name).run("0", &["--once", "--twice"]).await);
        assert_eq!(sentence, r#"the only argument accepted is --once, not "--twice""#, "{name}");
    }
}

#[tokio::test]
async fn what_is_no_port_is_one_sentence_and_exit_code_1() {
    let servers: Vec<_> = examples().into_iter().filter(|(_, main)| serves(main)).collect();
    assert!(!servers.is_empty());
    for (name, _) in servers {
        for port in ["", "-1", "65536", "http", "30\n00"] {
            let sentence = refusal(&Example(&name).once(port).await);
            assert!(sentence.starts_with("PORT must be a number"), "{name}: {sentence}");
        }
    }
}

/// What stands on stderr and is no line of a log.
fn complaints(output: &Output) -> Vec<String> {
    stderr(output).lines().filter(|line| !line.starts_with('{')).map(str::to_owned).collect()
}

/// Tells whether an example calls what listens on `PORT`, in any of its files.
fn serves(main: &Path) -> bool {
    let files = if main.ends_with("main.rs") { siblings(main) } else { vec![main.to_owned()] };
    files.iter().any(|file| {
        let source = fs::read_to_string(file).unwrap();
        let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
        code.flat_map(|line| line.split(|c: char| c != '_' && !c.is_alphanumeric()))
            .any(|word| word == "serve" || word == "listen")
    })
}

fn siblings(main: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(main.parent().unwrap()).unwrap();
    files
        .map(|file| file.unwrap().path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}
