//! Parses headers: lines of `name: value`, in blocks that end with an empty line.

use std::{iter, str::FromStr};

use http::{HeaderMap, HeaderName, HeaderValue};

/// Maximum number of lines in a block. hyper accepts as many headers in a request.
const LINES: usize = 100;

/// Returns the headers up to an empty line, and the input after that line.
pub(super) fn block(input: &[u8]) -> (HeaderMap, Option<&[u8]>) {
    match input.windows(2).position(|two| two == b"\n\n") {
        Some(end) => (headers(&input[..end]), Some(&input[end + 2..])),
        None => (headers(input), None),
    }
}

/// Returns the valid headers among these lines. `70*name: value` stands for 70 such lines.
pub(super) fn headers(lines: &[u8]) -> HeaderMap {
    lines.split(|byte| *byte == b'\n').filter_map(header).flatten().take(LINES).collect()
}

fn header(line: &[u8]) -> Option<impl Iterator<Item = (HeaderName, HeaderValue)> + use<>> {
    let (name, value) = split(line, b':')?;
    let (times, name) = match split(name, b'*') {
        Some((times, rest)) => number::<u8>(times).map_or((1, name), |times| (times.into(), rest)),
        None => (1, name),
    };
    let header = (HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value.strip_prefix(b" ")?).ok()?);
    Some(iter::repeat_n(header, times))
}

pub(super) fn split(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = bytes.iter().position(|byte| *byte == at)?;
    Some((&bytes[..place], &bytes[place + 1..]))
}

pub(super) fn number<T: FromStr>(digits: &[u8]) -> Option<T> {
    str::from_utf8(digits).ok()?.parse().ok()
}

/// Returns the length of a header: its values, and the commas that would join them.
pub(super) fn length(headers: &HeaderMap, name: &HeaderName) -> usize {
    headers.get_all(name).iter().map(|line| line.len() + 1).sum::<usize>().saturating_sub(1)
}

/// Returns the number of list members in all values of a header.
pub(super) fn members(headers: &HeaderMap, name: &HeaderName) -> usize {
    headers.get_all(name).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).count()
}

/// Returns whether both have a header, with the same values in the same order.
pub(super) fn agree(one: &HeaderMap, other: &HeaderMap, name: &HeaderName) -> bool {
    one.contains_key(name) && one.get_all(name) == other.get_all(name)
}

/// Removes the headers that the `Connection` header nominates.
pub(super) fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let nominated = headers.get_all("connection").iter().map(|line| line.as_bytes().to_ascii_lowercase());
    let nominated: Vec<_> =
        nominated.flat_map(|line| line.split(|byte| *byte == b',').map(trimmed).collect::<Vec<_>>()).collect();
    let mut left = headers.clone();
    for name in headers.keys().filter(|name| nominated.iter().any(|option| option == name.as_str().as_bytes())) {
        left.remove(name);
    }
    left
}

/// Returns the option without the spaces and tabs around it.
fn trimmed(option: &[u8]) -> Vec<u8> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = option.iter().take_while(|byte| is_blank(byte)).count();
    let end = option.iter().rev().take_while(|byte| is_blank(byte)).count();
    option.get(start..option.len() - end).unwrap_or_default().to_vec()
}
