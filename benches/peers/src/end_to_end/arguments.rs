//! The command line.

use std::error::Error;

use tower_request_context_peers::ways::{WAYS, Way};

pub(crate) struct Arguments {
    pub(crate) rounds: usize,
    pub(crate) seconds: u32,
    pub(crate) markdown: bool,
    /// The first is the baseline.
    pub(crate) ways: Vec<Way>,
}

impl Arguments {
    pub(crate) fn new(arguments: &[String]) -> Result<Self, Box<dyn Error>> {
        let mut parsed = Self { rounds: 20, seconds: 1, markdown: false, ways: Vec::new() };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let number = |text: Option<&String>| {
                let number = text.and_then(|text| text.parse::<u32>().ok()).filter(|&number| number > 0);
                number.ok_or_else(|| format!("{argument} needs a positive number"))
            };
            match &**argument {
                "--rounds" => parsed.rounds = number(arguments.next())?.try_into()?,
                "--seconds" => parsed.seconds = number(arguments.next())?,
                "--markdown" => parsed.markdown = true,
                key => parsed.ways.push(way(key)?),
            }
        }
        if parsed.rounds < 6 {
            return Err("an interval of 95 % needs at least six rounds".into());
        }
        if parsed.ways.is_empty() {
            parsed.ways = WAYS.into();
        }
        Ok(parsed)
    }
}

/// Returns the way with this key.
pub(crate) fn way(key: &str) -> Result<Way, Box<dyn Error>> {
    let way = WAYS.into_iter().find(|way| way.key == key);
    Ok(way.ok_or_else(|| {
        let ways = WAYS.map(|way| format!("  {:<12}{}\n", way.key, way.name)).concat();
        format!("no way or option `{key}`\nusage: end_to_end [--rounds N] [--seconds N] [--markdown] [WAY…]\n{ways}")
    })?)
}
