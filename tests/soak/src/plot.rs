//! The plot: resident memory, requests and mix-ups over time.

use std::fmt::Write;

use crate::samples::{Sample, Samples};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 110.0;
const LEFT: f64 = 70.0;

pub(crate) fn svg(samples: &Samples, caption: &str) -> String {
    let samples = &samples.0;
    let last = samples.last().expect("a sample is taken at the end").counts;
    let summary = format!(
        "{} requests ({} completed, {} cancelled, {} panicked), {} reads, {} mixed up",
        last.requests, last.completed, last.cancelled, last.panicked, last.reads, last.mixed_up
    );
    let mebibytes = |sample: &Sample| sample.resident as f64 / 1024.0;
    let thousands = |sample: &Sample| sample.counts.requests as f64 / 1000.0;
    let mixed_up = |sample: &Sample| sample.counts.mixed_up as f64;
    let panels = panel(samples, 60.0, "resident memory, MiB", "#b3541e", mebibytes)
        + &panel(samples, 225.0, "requests, thousands", "#1e6fb3", thousands)
        + &panel(samples, 390.0, "mix-ups", "#c0182b", mixed_up);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 740 565" font-family="sans-serif" font-size="13" fill="#333">
<rect width="740" height="565" fill="#fff"/>
<text x="{LEFT}" y="24" font-size="15">Mixed load, {caption}</text>
<text x="{LEFT}" y="550" font-size="12">{summary}</text>
{panels}</svg>
"##
    )
}

/// Draws one curve with its axes, from zero to the highest value.
fn panel(samples: &[Sample], top: f64, title: &str, color: &str, value: impl Fn(&Sample) -> f64) -> String {
    let end = samples.iter().map(|sample| sample.seconds).max().unwrap_or(1).max(1) as f64;
    let highest = (samples.iter().map(&value).fold(1.0, f64::max) * 1.1 / 4.0).ceil() * 4.0; // in four whole parts
    let bottom = top + HEIGHT;
    let points = samples.iter().fold(String::new(), |mut points, sample| {
        let (x, y) = (LEFT + sample.seconds as f64 / end * WIDTH, bottom - value(sample) / highest * HEIGHT);
        let _ = write!(points, "{x:.1},{y:.1} ");
        points
    });
    let mut panel = format!("<text x=\"{LEFT}\" y=\"{}\">{title}</text>\n", top - 8.0);
    for part in 0..=4 {
        let (share, right) = (f64::from(part) / 4.0, LEFT + WIDTH);
        let (x, y) = (LEFT + share * WIDTH, bottom - share * HEIGHT);
        let _ = writeln!(
            panel,
            r##"<path d="M{LEFT} {y:.1}H{right}" stroke="#ddd"/><text x="{:.1}" y="{:.1}" text-anchor="end">{:.0}</text><text x="{x:.1}" y="{:.1}" text-anchor="middle">{:.0} s</text>"##,
            LEFT - 8.0,
            y + 4.0,
            share * highest,
            bottom + 18.0,
            share * end,
        );
    }
    let _ = writeln!(panel, r#"<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>"#);
    panel
}
