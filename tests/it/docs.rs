//! The examples in the docs, as a documentation page shows them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The number of columns of a code block that a page of rustdoc shows without scrolling.
const COLUMNS: usize = 95;

#[test]
fn visible_lines_of_examples_fit_on_a_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let wide: Vec<_> = sources(&root.join("src")).iter().flat_map(|path| wide_lines(path)).collect();
    assert!(wide.is_empty(), "lines of examples above {COLUMNS} columns:\n{}", wide.join("\n"));
}

/// Returns the Rust files below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// Returns the visible lines of a file's examples that are too wide, with the place of each.
fn wide_lines(path: &Path) -> Vec<String> {
    let source = fs::read_to_string(path).unwrap();
    let mut fence: Option<&str> = None;
    let mut wide = Vec::new();
    for (number, line) in source.lines().enumerate() {
        let Some(line) = line.trim_start().strip_prefix("///").or_else(|| line.strip_prefix("//!")) else { continue };
        let line = line.strip_prefix(' ').unwrap_or(line);
        if let Some(language) = line.trim_start().strip_prefix("```") {
            fence = if fence.is_none() { Some(language) } else { None };
        } else if fence.is_some_and(|language| !is_hidden(line.trim_start(), language))
            && line.chars().count() > COLUMNS
        {
            wide.push(format!("{}:{}: {line}", path.display(), number + 1));
        }
    }
    wide
}

/// Returns whether rustdoc hides a line of an example.
fn is_hidden(line: &str, language: &str) -> bool {
    !["sql", "text", "toml"].contains(&language) && (line == "#" || line.starts_with("# "))
}
