//! The counts and the memory, taken every so often.

use std::{fs, io, time::Duration};

use crate::counters::{LEDGER, Tally};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) seconds: u64,
    pub(crate) resident: u64,
    pub(crate) tally: Tally,
}

#[derive(Default)]
pub(crate) struct Samples(pub(crate) Vec<Sample>);

impl Samples {
    pub(crate) const COLUMNS: &str =
        "seconds,resident_kib,requests,open,completed,failed,cancelled,panicked,reads,mixed_up";

    /// Takes one, and returns its line.
    pub(crate) fn take(&mut self, elapsed: Duration) -> io::Result<String> {
        let sample = Sample { seconds: elapsed.as_secs(), resident: resident_kib()?, tally: LEDGER.tally() };
        self.0.push(sample);
        Ok(sample.line())
    }

    pub(crate) fn csv(&self) -> String {
        self.0.iter().fold(format!("{}\n", Self::COLUMNS), |csv, sample| csv + &sample.line() + "\n")
    }

    /// Says so if memory in the last third is more than a tenth above that in the middle third.
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
        let Self { seconds, resident, tally } = self;
        let Tally { requests, open, completed, failed, cancelled, panicked, reads, mixed_up } = tally;
        format!("{seconds},{resident},{requests},{open},{completed},{failed},{cancelled},{panicked},{reads},{mixed_up}")
    }
}

/// What this process, server and clients alike, holds of the machine's memory; Linux says so.
fn resident_kib() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    kib.ok_or_else(|| io::Error::other("/proc/self/status does not say how much memory is resident"))
}
