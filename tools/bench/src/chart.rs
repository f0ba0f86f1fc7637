//! The figures as a picture: a bar a way, as a part of the bare client's rate.

use std::fmt::Write as _;

use crate::report::Report;

const WIDTH: f64 = 640.0;
const LABEL: f64 = 190.0;
const ROW: f64 = 22.0;
const TOP: f64 = 34.0;

/// An SVG with a row for each figure.
pub fn svg(report: &Report) -> String {
    let widest = report.cells.iter().map(|cell| cell.of_raw).fold(1.0, f64::max);
    let mut rows = String::new();
    let mut y = TOP;
    for cell in &report.cells {
        let length = (WIDTH - LABEL - 60.0) * cell.of_raw / widest;
        let fill = match cell.way.as_str() {
            "raw" => "#9aa5b1",
            "command" => "#2f80c2",
            "claim" => "#7b61a8",
            _ => "#d9822b",
        };
        let label = format!("{} × {} {}", cell.sync, cell.concurrency, cell.way);
        // Writing to a string cannot fail.
        let _ = write!(
            rows,
            r#"<text x="8" y="{text}">{label}</text><rect x="{LABEL}" y="{bar}" width="{length:.1}" height="14" fill="{fill}"/><text x="{end:.1}" y="{text}">{ratio:.2}</text>"#,
            text = y + 12.0,
            bar = y + 1.0,
            end = LABEL + length + 6.0,
            ratio = cell.of_raw,
        );
        y += ROW;
    }
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/><text x="8" y="20" font-weight="bold">Events a second, as a part of the bare client's in the same run</text>{rows}</svg>"##,
        height = y + 10.0
    )
}
