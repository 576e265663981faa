//! Samples of the counts and the memory, taken at regular intervals.

use std::{fs, io, time::Duration};

use crate::counters::{COUNTERS, Counts};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) seconds: u64,
    pub(crate) resident: u64,
    pub(crate) counts: Counts,
}

#[derive(Default)]
pub(crate) struct Samples(pub(crate) Vec<Sample>);

impl Samples {
    pub(crate) const COLUMNS: &str =
        "seconds,resident_kib,requests,open,completed,failed,cancelled,panicked,reads,mixed_up";

    /// Takes a sample, and returns its line.
    pub(crate) fn take(&mut self, elapsed: Duration) -> io::Result<String> {
        let sample = Sample { seconds: elapsed.as_secs(), resident: resident_kib()?, counts: COUNTERS.counts() };
        self.0.push(sample);
        Ok(sample.line())
    }

    pub(crate) fn csv(&self) -> String {
        self.0.iter().fold(format!("{}\n", Self::COLUMNS), |csv, sample| csv + &sample.line() + "\n")
    }

    /// Returns a message if the mean memory in the last third is more than a tenth above that in the middle third.
    pub(crate) fn growth(&self) -> Option<String> {
        let third = self.0.len() / 3;
        let mean = |part: &[Sample]| part.iter().map(|sample| sample.resident).sum::<u64>() / part.len().max(1) as u64;
        let (middle, last) = (mean(&self.0[third..2 * third]), mean(&self.0[2 * third..]));
        println!("resident: {middle} KiB in the middle third, {last} KiB in the last");
        (last * 10 > middle * 11).then(|| format!("memory grew from {middle} to {last} KiB"))
    }
}

impl Sample {
    fn line(&self) -> String {
        let Self { seconds, resident, counts } = self;
        let Counts { requests, open, completed, failed, cancelled, panicked, reads, mixed_up } = counts;
        format!("{seconds},{resident},{requests},{open},{completed},{failed},{cancelled},{panicked},{reads},{mixed_up}")
    }
}

/// Returns the resident memory of this process, which runs server and clients. Works on Linux only.
fn resident_kib() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    kib.ok_or_else(|| io::Error::other("/proc/self/status has no VmRSS line"))
}
