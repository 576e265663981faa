//! What many rounds say about a ratio.

use std::fmt;

/// The median of ratios, each of two figures taken one right after the other, and where it lies with 95 % confidence.
///
/// The interval is that of the sign test: from one order statistic to another, whatever the ratios' distribution.
#[derive(Clone, Copy, Debug)]
pub struct Median {
    pub median: f64,
    pub low: f64,
    pub high: f64,
    pub rounds: usize,
}

impl Median {
    /// # Panics
    ///
    /// With fewer than six ratios, which have no such interval.
    #[must_use]
    pub fn of(mut ratios: Vec<f64>) -> Self {
        ratios.sort_by(f64::total_cmp);
        let rounds = ratios.len();
        assert!(rounds >= 6, "an interval of 95 % takes six rounds or more, and these are {rounds}");
        let outside = outside(rounds);
        let median = f64::midpoint(ratios[(rounds - 1) / 2], ratios[rounds / 2]);
        Self { median, low: ratios[outside], high: ratios[rounds - 1 - outside], rounds }
    }
}

/// How many ratios on each side lie outside of the interval: as many as a fair coin shows heads in so many throws with a
/// chance of 2.5 % at most.
fn outside(rounds: usize) -> usize {
    let (mut outside, mut chance, mut sum) = (0, 0.5_f64.powf(count(rounds)), 0.0);
    loop {
        sum += chance;
        if sum > 0.025 {
            return outside - 1;
        }
        chance *= count(rounds - outside) / count(outside + 1);
        outside += 1;
    }
}

#[allow(clippy::cast_precision_loss, reason = "nobody waits for so many rounds")]
fn count(rounds: usize) -> f64 {
    rounds as f64
}

impl fmt::Display for Median {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, low, high, rounds } = self;
        write!(f, "{median:.3} × [{low:.3}, {high:.3}], the median of {rounds} rounds and its 95 % interval")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_twenty_rounds_goes_from_the_sixth_to_the_fifteenth() {
        let Median { median, low, high, .. } = Median::of((1..=20).rev().map(f64::from).collect());
        assert_eq!((median, low, high).partial_cmp(&(10.5, 6.0, 15.0)), Some(std::cmp::Ordering::Equal));
        assert_eq!((outside(6), outside(8), outside(9), outside(100)), (0, 0, 1, 39));
    }
}
