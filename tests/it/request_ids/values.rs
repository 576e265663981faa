//! `RequestId` as a value: validation, generation and conversions.

use std::{
    collections::HashSet,
    error::Error,
    hint::spin_loop,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use http::HeaderValue;
use hyper::body::Bytes;
use tower_request_context::{RequestId, RequestIdError};

use super::is_uuid;

fn id(text: &str) -> RequestId {
    text.parse().unwrap()
}

/// Returns the 128 bits of a UUID.
fn bits(id: &RequestId) -> u128 {
    let digit = |byte| char::from(byte).to_digit(16).expect("a UUID is made of hexadecimal digits");
    id.as_str().bytes().filter(|byte| *byte != b'-').fold(0, |bits, byte| bits << 4 | u128::from(digit(byte)))
}

/// Returns the number of different ids that four threads create.
fn distinct(per_thread: usize, create: fn() -> RequestId) -> usize {
    let start = |_| thread::spawn(move || (0..per_thread).map(|_| bits(&create())).collect::<Vec<_>>());
    let threads: Vec<_> = (0..4).map(start).collect();
    let mut ids: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.len()
}

/// Returns the bits that differ between ids.
fn varying(ids: &[RequestId]) -> u128 {
    let (all, any) = ids.iter().map(bits).fold((u128::MAX, 0), |(all, any), id| (all & id, any | id));
    any & !all
}

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()
}

#[test]
fn only_allowed_bytes_are_accepted() {
    for byte in 0..=u8::MAX {
        let is_allowed = matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'+')
            || matches!(byte, b'/' | b'=' | b':' | b';');
        let text = char::from(byte).to_string();
        assert_eq!(text.parse::<RequestId>().is_ok(), is_allowed, "{byte}");
        if let Ok(line) = HeaderValue::from_bytes(&[byte]) {
            assert_eq!(RequestId::try_from(&line).is_ok(), is_allowed, "{byte}");
        }
    }
}

#[test]
fn an_id_has_1_to_128_bytes() {
    assert_eq!("".parse::<RequestId>(), Err(RequestIdError::Empty));
    for length in [1, 127, 128] {
        assert_eq!(id(&"a".repeat(length)).as_str().len(), length);
    }
    for long in [129, 130, 100_000] {
        let error = "a".repeat(long).parse::<RequestId>().unwrap_err();
        assert!(matches!(error, RequestIdError::TooLong { length, .. } if length == long));
    }
}

#[test]
fn errors_name_the_problem_and_not_the_value() {
    let characters = "byte N of the id, counted from 0, is not allowed: a request id consists of ASCII letters, \
                      digits and `-._~+/=:;`";
    let rejected = [
        (String::new(), "a request id must not be empty", 0),
        ("$".repeat(129), "a request id has at most 128 bytes, not 129", 0),
        (String::from("$secret"), characters, 0),
        (String::from("caf\u{e9} secret"), characters, 3),
        (String::from("secret ${jndi:x}"), characters, 6),
        (String::from("secret\nERROR"), characters, 6),
        (format!("{}$", "secret-".repeat(18)), characters, 126),
    ];
    for (rejected, text, position) in rejected {
        let error: Box<dyn Error> = Box::new(RequestId::try_from(rejected).unwrap_err());
        assert_eq!(error.to_string(), text.replace('N', &position.to_string()));
        assert!(!format!("{error:?}").contains("secret") && !format!("{error:?}").contains("$$"));
        assert!(error.source().is_none());
    }
}

#[test]
fn ids_convert_from_and_to_strings_and_headers() {
    let line = HeaderValue::from_static("job-7");
    let from = [
        "job-7".parse(),
        RequestId::try_from("job-7"),
        RequestId::try_from(String::from("job-7")),
        RequestId::try_from(&line),
    ];
    for id in from {
        let id = id.unwrap();
        assert_eq!(id.as_str(), "job-7");
        assert_eq!(id.to_string(), "job-7");
        assert_eq!(format!("[{id:>7}|{id:<7}]"), "[  job-7|job-7  ]");
        assert_eq!(format!("{id:?}"), r#"RequestId("job-7")"#);
        assert_eq!(HeaderValue::from(id), line);
    }
    for (rejected, bad) in [("job 7", 3), (" job-7", 0), ("job-7 ", 5), ("\tjob-7", 0), ("job-7\t", 5)] {
        let from = [
            rejected.parse(),
            RequestId::try_from(rejected),
            RequestId::try_from(String::from(rejected)),
            RequestId::try_from(&HeaderValue::from_static(rejected)),
        ];
        for id in from {
            assert!(
                matches!(id, Err(RequestIdError::InvalidCharacter { position, .. }) if position == bad),
                "{rejected:?}"
            );
        }
    }
}

#[test]
fn ids_compare_sort_and_hash_like_strings() {
    let mut ids = ["b", "a", "B", "aa", "-"].map(id);
    ids.sort();
    assert_eq!(ids.each_ref().map(RequestId::as_str), ["-", "B", "a", "aa", "b"]);
    assert_ne!(id("a"), id("A"));
    assert_eq!(HashSet::from([id("a"), id("a"), id("A")]).len(), 2);
}

#[test]
fn id_does_not_retain_the_request_buffer() {
    let buffer = Bytes::from(b"job-7 and the rest of a request".to_vec());
    let line = HeaderValue::from_maybe_shared(buffer.slice(..5)).unwrap();
    let id = RequestId::try_from(&line).unwrap();
    drop(line);
    assert!(buffer.is_unique());
    assert_eq!(id.as_str(), "job-7");
}

#[test]
fn v4_has_version_variant_and_122_random_bits() {
    let ids: Vec<_> = (0..1000).map(|_| RequestId::new_v4()).collect();
    assert!(ids.iter().all(|id| is_uuid(id.as_str(), b'4')), "{:?}", ids[0]);
    assert_eq!(varying(&ids), !(0xf << 76 | 0b11 << 62));
}

#[test]
fn v7_has_version_variant_time_and_74_random_bits() {
    let before = now();
    let ids: Vec<_> = (0..1000).map(|_| RequestId::new_v7()).collect();
    let after = now();
    assert!(ids.iter().all(|id| is_uuid(id.as_str(), b'7')), "{:?}", ids[0]);
    assert!(ids.iter().all(|id| (before..=after).contains(&(bits(id) >> 80))), "{before} {:?} {after}", ids[0]);
    assert_eq!(varying(&ids) & u128::MAX >> 48, u128::MAX >> 48 & !(0xf << 76 | 0b11 << 62));
}

#[test]
fn v7_ids_of_different_milliseconds_sort_by_their_time() {
    let mut last = RequestId::new_v7();
    for _ in 0..20 {
        let created = now();
        while now() <= created {
            spin_loop();
        }
        let next = RequestId::new_v7();
        assert!(last < next, "{last:?} {next:?}");
        last = next;
    }
}

#[test]
fn a_million_v7_ids_of_four_threads_are_distinct() {
    assert_eq!(distinct(250_000, RequestId::new_v7), 1_000_000);
}

#[test]
fn a_hundred_thousand_v4_ids_of_four_threads_are_distinct() {
    assert_eq!(distinct(25_000, RequestId::new_v4), 100_000);
}
