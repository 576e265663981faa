//! The lists in the README and the docs are complete.

use std::{fs, path::Path};

use toml::Table;

use crate::example::examples;

const README: &str = include_str!("../../README.md");
const DOCS: &str = include_str!("../../src/lib.rs");
const MANIFEST: &str = include_str!("../../Cargo.toml");

#[test]
fn the_readme_lists_every_example() {
    let listed = table(README, "Examples");
    let names = examples().into_keys().map(|name| format!("`{name}`"));
    assert_eq!(listed.iter().map(|row| row[0]).collect::<Vec<_>>(), names.collect::<Vec<_>>());
    assert!(listed.iter().all(|row| row.len() == 2 && !row[1].is_empty()), "{listed:#?}");
}

#[test]
fn the_readme_and_the_docs_show_the_example_hello() {
    let source = include_str!("../../examples/hello.rs");
    let shown = source.split_once("\n\n").expect("a comment comes first").1;
    assert!(README.contains(shown));
    let docs: Vec<_> = DOCS.lines().filter_map(|line| line.strip_prefix("//!")).collect();
    let docs = docs.iter().map(|line| line.strip_prefix(' ').unwrap_or(line));
    assert!(docs.collect::<Vec<_>>().join("\n").contains(shown.trim_end()));
}

/// The registry resolves relative links against the repository, if the manifest names one. Until then they would be dead.
#[test]
fn links_of_the_readme_work_on_the_page_of_the_registry() {
    let manifest: Table = MANIFEST.parse().unwrap();
    let definitions = README.lines().filter(|line| line.starts_with('[')).filter_map(|line| line.split("]: ").nth(1));
    let targets = README.split("](").skip(1).chain(definitions);
    let is_relative = |target: &&str| !target.starts_with("https://") && !target.starts_with('#');
    let relative: Vec<_> = targets.filter(is_relative).map(|target| target.lines().next()).collect();
    assert!(manifest["package"].get("repository").is_some() || relative.is_empty(), "{relative:?}");
}

#[test]
fn the_readme_and_the_docs_list_every_feature() {
    let manifest: Table = MANIFEST.parse().unwrap();
    let features = manifest["features"].as_table().unwrap();
    let defaults = features["default"].as_array().unwrap();
    let features = features.keys().filter(|name| *name != "default").map(|name| {
        let is_default = defaults.iter().any(|default| default.as_str() == Some(name));
        (format!("`{name}`"), if is_default { "yes" } else { "no" })
    });
    let features: Vec<_> = features.collect();
    for listed in [table(README, "Features"), table(DOCS, "Feature flags")] {
        let names = listed.iter().map(|row| (row[0].to_owned(), row[1]));
        assert_eq!(names.collect::<Vec<_>>(), features);
        assert!(listed.iter().all(|row| row.len() == 3 && !row[2].is_empty()), "{listed:#?}");
    }
}

#[test]
fn every_example_starts_with_its_command() {
    for (name, main) in examples() {
        let source = fs::read_to_string(&main).unwrap();
        let first = format!("Run with `cargo run --example {name}`.");
        let comment = source.lines().next().and_then(|line| line.trim_start_matches("//").strip_prefix(['!', ' ']));
        assert_eq!(comment.map(str::trim_start), Some(first.as_str()), "{}", main.display());
    }
}

/// Every example is a target of a workspace package that `cargo run --example NAME` and `cargo test` act on.
#[test]
fn every_example_belongs_to_a_default_member() {
    let workspace: Table = MANIFEST.parse().unwrap();
    let members = workspace["workspace"]["default-members"].as_array().unwrap();
    let mut targets = Vec::new();
    for member in members.iter().filter_map(|member| member.as_str()).filter(|member| member.starts_with("examples")) {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join(member).join("Cargo.toml");
        let manifest: Table = fs::read_to_string(manifest).unwrap().parse().unwrap();
        let examples = manifest["example"].as_array().unwrap();
        targets.extend(examples.iter().map(|example| example["name"].as_str().unwrap().to_owned()));
    }
    targets.sort();
    assert_eq!(targets, examples().into_keys().collect::<Vec<_>>());
}

/// Returns the cells of the table under a heading, row by row, without the names of the columns.
fn table<'a>(text: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let lines = text.lines().map(|line| line.trim_start_matches("//!").trim());
    let section =
        lines.skip_while(|line| line.strip_prefix('#').is_none_or(|title| title.trim_matches(['#', ' ']) != heading));
    let rows = section.skip(1).take_while(|line| !line.starts_with('#')).filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}
