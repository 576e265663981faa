//! Checks the properties of the fuzz targets for their seed inputs.

#[expect(unreachable_pub, reason = "the items are public in the fuzz package")]
#[path = "../../fuzz/src/lib.rs"]
mod properties;

use std::{collections::BTreeSet, fs, path::Path};

use self::properties::{ids, inbound, propagation, trace, trusted};

/// Checks the seed inputs of a target. One folder holds the inputs for which the check returns true, the other the
/// rest.
fn check_inputs(target: &str, check: fn(&[u8]) -> bool, outcomes: [&str; 2]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    assert_eq!(names(&folder), BTreeSet::from(outcomes.map(String::from)));
    for (outcome, expected) in outcomes.into_iter().zip([true, false]) {
        let folder = folder.join(outcome);
        let seeds = names(&folder);
        assert!(seeds.len() > 5, "{outcome}: {seeds:?}");
        for seed in seeds {
            let input = fs::read(folder.join(&seed)).unwrap();
            assert_eq!(check(&input), expected, "{target}/{outcome}/{seed}");
        }
    }
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn parsed_id_equals_the_input_or_the_error_hides_it() {
    check_inputs("ids", ids::check, ["accepted", "refused"]);
}

#[test]
fn inbound_id_is_accepted_or_has_no_effect() {
    check_inputs("inbound", inbound::check, ["adopted", "replaced"]);
}

#[test]
fn propagated_headers_are_listed_whole_and_within_limits() {
    check_inputs("propagation", propagation::check, ["whole", "partly"]);
}

#[test]
fn nested_requests_propagate_tracestate_only_with_its_trace() {
    check_inputs("trace", trace::check, ["with_state", "without_state"]);
}

#[test]
fn message_restores_a_valid_id_and_headers_within_limits() {
    check_inputs("trusted", trusted::check, ["restored", "ignored"]);
}
