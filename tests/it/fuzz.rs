//! What the fuzzers hold of any bytes, held of those that they start from.

#[expect(unreachable_pub, reason = "they are public in the package that fuzzes")]
#[path = "../../fuzz/src/lib.rs"]
mod properties;

use std::{collections::BTreeSet, fs, path::Path};

use self::properties::{ids, inbound, propagation, trace};

/// Checks the seeds of a target. They lie in two folders: for which the check is true, and for which it is not.
fn hold(target: &str, check: fn(&[u8]) -> bool, verdicts: [&str; 2]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    assert_eq!(names(&folder), BTreeSet::from(verdicts.map(String::from)));
    for (verdict, expected) in verdicts.into_iter().zip([true, false]) {
        let folder = folder.join(verdict);
        let seeds = names(&folder);
        assert!(seeds.len() > 5, "{verdict}: {seeds:?}");
        for seed in seeds {
            let input = fs::read(folder.join(&seed)).unwrap();
            assert_eq!(check(&input), expected, "{target}/{verdict}/{seed}");
        }
    }
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn an_id_is_what_was_sent_or_an_error_that_shows_nothing_of_it() {
    hold("ids", ids::check, ["accepted", "refused"]);
}

#[test]
fn an_inbound_id_is_adopted_or_everything_is_as_if_none_had_been_sent() {
    hold("inbound", inbound::check, ["adopted", "replaced"]);
}

#[test]
fn what_goes_on_is_listed_whole_and_within_the_limits() {
    hold("propagation", propagation::check, ["whole", "partly"]);
}

#[test]
fn through_nested_requests_a_state_goes_on_with_its_own_trace_or_not_at_all() {
    hold("trace", trace::check, ["with_state", "without_state"]);
}
