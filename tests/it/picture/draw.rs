//! The pictures: a row for each mechanism, a column for each place.

use std::{collections::BTreeMap, fmt::Write};

use super::{Place, Reading};

const LABELS: f32 = 190.0;
const COLUMN: f32 = 86.0;
const ROW: f32 = 40.0;
const TOP: f32 = 62.0;

const PLACES: [(Place, [&str; 2]); 8] = [
    (Place::Call, ["call", ""]),
    (Place::Poll, ["polls", ""]),
    (Place::Headers, ["headers", ""]),
    (Place::Frame, ["body", "frames"]),
    (Place::DropOfBody, ["drop of", "the body"]),
    (Place::OnEnd, ["on_end", ""]),
    (Place::DropWhenCancelled, ["drop when", "cancelled"]),
    (Place::SpawnedTask, ["spawned", "task"]),
];

/// Colors that can be read on white and on black pages.
const STYLE: &str = "text{fill:#1f2328}.faint{fill:#59636e}.line{stroke:#d1d9e0}.ambient{fill:#1a7f37;shape-rendering:crispEdges}\
    .passed{fill:none;stroke:#9a6700;stroke-width:2;stroke-dasharray:5 4}\
    @media (prefers-color-scheme:dark){text{fill:#f0f6fc}.faint{fill:#9198a1}.line{stroke:#3d444d}\
    .ambient{fill:#3fb950}.passed{stroke:#d29922}}";

pub(super) fn svg(rows: &[(&str, BTreeMap<Place, Reading>)]) -> String {
    let mut drawing = String::new();
    for (column, (_, [first, second])) in (0_u8..).zip(PLACES) {
        let x = LABELS + COLUMN * (f32::from(column) + 0.5);
        let y = if second.is_empty() { TOP - 18.0 } else { TOP - 34.0 };
        writeln!(drawing, r#"<text x="{x}" y="{y}" text-anchor="middle">{first}</text>"#).unwrap();
        if !second.is_empty() {
            let y = TOP - 18.0;
            writeln!(drawing, r#"<text x="{x}" y="{y}" text-anchor="middle">{second}</text>"#).unwrap();
        }
    }
    for (row, (name, readings)) in (0_u8..).zip(rows) {
        let y = TOP + ROW * f32::from(row);
        let (middle, right) = (y + ROW / 2.0 + 5.0, LABELS + COLUMN * 8.0);
        writeln!(drawing, r#"<path class="line" d="M0 {y}H{right}"/><text x="8" y="{middle}">{name}</text>"#).unwrap();
        for (column, (place, _)) in (0_u8..).zip(PLACES) {
            draw_reading(&mut drawing, LABELS + COLUMN * f32::from(column), y, readings[&place]);
        }
    }
    let (width, legend) = (LABELS + COLUMN * 8.0 + 8.0, TOP + ROW * 4.0 + 12.0);
    let height = legend + 26.0;
    draw_reading(&mut drawing, LABELS, legend - 12.0, Reading::Ambient);
    draw_reading(&mut drawing, LABELS + COLUMN * 4.0, legend - 12.0, Reading::PassedOn);
    let (y, ambient, passed) = (legend + 13.0, LABELS + COLUMN + 10.0, LABELS + COLUMN * 5.0 + 10.0);
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="14">
<title>Where the value of a request can be read</title>
<style>{STYLE}</style>
{drawing}<text class="faint" x="{ambient}" y="{y}">read without an argument</text>
<text class="faint" x="{passed}" y="{y}">if your code passes it on</text>
</svg>
"#
    )
}

/// The same for the README, which is also shown where no image can be loaded.
pub(super) fn text(rows: &[(&str, BTreeMap<Place, Reading>)]) -> String {
    let places = ["call", "polls", "headers", "frames", "drop", "on_end", "cancel", "spawn"];
    let mut drawing = format!("{:23}{}", "", places.map(|place| format!("{place:^9}")).concat());
    for (name, readings) in rows {
        let cells = readings.values().map(|reading| match reading {
            Reading::Ambient => "█████████",
            Reading::PassedOn => "  ░░░░░  ",
            Reading::Impossible => "         ",
        });
        drawing = format!("{}\n{name:23}{}", drawing.trim_end(), cells.collect::<String>());
    }
    drawing.trim_end().to_owned()
}

/// Bars of neighboring places touch. Dashed frames do not.
fn draw_reading(drawing: &mut String, x: f32, y: f32, reading: Reading) {
    let (y, height) = (y + 11.0, ROW - 22.0);
    match reading {
        Reading::Ambient => {
            writeln!(drawing, r#"<rect class="ambient" x="{x}" y="{y}" width="{COLUMN}" height="{height}"/>"#).unwrap();
        }
        Reading::PassedOn => {
            let (x, width) = (x + 6.0, COLUMN - 12.0);
            writeln!(drawing, r#"<rect class="passed" x="{x}" y="{y}" width="{width}" height="{height}"/>"#).unwrap();
        }
        Reading::Impossible => {}
    }
}
