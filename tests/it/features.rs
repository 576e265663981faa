//! The crate without its default features, as a library may depend on it. Cargo checks that library in a build of its
//! own, because in the build of these tests nearly all features are enabled.

use crate::support::cargo;

const FEATURELESS: &str = "tower-request-context-featureless";

#[test]
fn library_without_features_reads_the_id() {
    cargo(&["check", "--quiet", "--package", FEATURELESS]);
}

#[test]
fn only_tokio_sync_is_needed_without_features() {
    let format = ["--edges", "normal", "--prefix", "none", "--format", "{p} [{f}]"];
    let tree = cargo(&[&["tree", "--quiet", "--package", FEATURELESS][..], &format].concat());
    let tokio: Vec<_> = tree.lines().filter(|line| line.starts_with("tokio")).collect();
    assert!(matches!(tokio[..], [tokio] if tokio.ends_with(" [sync]")), "{tree}");
    for optional in ["axum-core", "futures-core", "rand", "tower-http", "tracing", "uuid"] {
        assert!(!tree.lines().any(|line| line.starts_with(optional)), "{tree}");
    }
}

/// Cargo builds these tests in a separate run, so that the others use the default.
#[test]
fn fast_rng_creates_distinct_ids() {
    let output = cargo(&["test", "--quiet", "--package", "tower-request-context-fast-rng"]);
    assert!(output.contains("2 passed"), "{output}");
}

#[test]
fn only_fast_rng_needs_rand() {
    for (feature, needs_rand) in [("request-id", false), ("fast-rng", true)] {
        let package = ["--package", "tower-request-context", "--no-default-features", "--features", feature];
        let format = ["--edges", "normal", "--prefix", "none", "--format", "{p}"];
        let tree = cargo(&[&["tree", "--quiet"][..], &package, &format].concat());
        assert!(tree.lines().any(|line| line.starts_with("uuid ")), "{tree}");
        assert_eq!(tree.lines().any(|line| line.starts_with("rand ")), needs_rand, "{feature}: {tree}");
    }
}
