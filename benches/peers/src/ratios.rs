//! The median of figures from many rounds, and its confidence interval.

use std::fmt;

/// The median of figures, one from each round, with a confidence interval of 95 %.
///
/// The interval is that of the sign test: it goes from one order statistic to another, and assumes no distribution.
#[derive(Clone, Copy, Debug)]
pub struct Median {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Median {
    /// # Panics
    ///
    /// If there are fewer than six figures, because they have no such interval.
    #[must_use]
    pub fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        let rounds = figures.len();
        assert!(rounds >= 6, "an interval of 95 % needs at least six rounds, got {rounds}");
        let outside = outside(rounds);
        let median = f64::midpoint(figures[(rounds - 1) / 2], figures[rounds / 2]);
        Self { median, low: figures[outside], high: figures[rounds - 1 - outside] }
    }
}

/// Returns how many figures lie outside the interval on each side: the largest `k` for which a fair coin shows at most `k`
/// heads in `rounds` throws with a probability of at most 2.5 %.
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

#[allow(clippy::cast_precision_loss, reason = "the number of rounds is small")]
fn count(rounds: usize) -> f64 {
    rounds as f64
}

impl fmt::Display for Median {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, low, high } = self;
        write!(f, "{median:.3} × [{low:.3}, {high:.3}]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_of_twenty_rounds_spans_sixth_to_fifteenth() {
        let Median { median, low, high, .. } = Median::of((1..=20).rev().map(f64::from).collect());
        assert_eq!((median, low, high).partial_cmp(&(10.5, 6.0, 15.0)), Some(std::cmp::Ordering::Equal));
        assert_eq!((outside(6), outside(8), outside(9), outside(100)), (0, 0, 1, 39));
    }
}
