//! Recipes whose promise needs a server, a client that disconnects, a database or a runtime that shuts down. The code is that
//! of the recipes. All others are doc tests.

mod disconnected;
mod grpc;
mod outgoing;
mod shutdown;
mod transaction;

use toml::Table;

const SPAWN_LINT: &str = include_str!("../../src/recipes/spawn_lint.rs");

#[test]
fn the_clippy_configuration_has_the_keys_that_clippy_knows() {
    let lines = SPAWN_LINT.lines().map(|line| line.trim_start_matches("//!").trim());
    let block = lines.skip_while(|line| *line != "```toml").skip(1).take_while(|line| *line != "```");
    let configuration: Table = block.collect::<Vec<_>>().join("\n").parse().unwrap();
    let entries = configuration["disallowed-methods"].as_array().unwrap();
    let known = ["allow-invalid", "path", "reason", "replacement"];
    for entry in entries {
        let keys = entry.as_table().unwrap();
        assert!(keys.contains_key("path") && keys.keys().all(|key| known.contains(&key.as_str())), "{entry}");
    }
}
