//! The figures as a picture.

use crate::report::{Report, Size, walls};

const WIDTH: f64 = 640.0;
const LABEL: f64 = 190.0;
/// Where the longest bar ends; its figure comes after it.
const LONGEST: f64 = WIDTH - LABEL - 90.0;
const ROW: f64 = 24.0;

/// Draws a bar for every median, those of one size on one scale.
pub(crate) fn draw(report: &Report) -> String {
    let mut top = 0.0;
    let mut rows = Vec::new();
    for size in &report.sizes {
        let bars = bars(size);
        let longest = bars.iter().map(|(_, seconds, _)| *seconds).fold(f64::MIN_POSITIVE, f64::max);
        rows.push(title(top, size.objects));
        for (name, seconds, colour) in bars {
            top += ROW;
            rows.push(bar(top, (name, seconds, colour), LONGEST * seconds / longest));
        }
        top += 2.0 * ROW;
    }
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" font-family="sans-serif" font-size="12">
{}</svg>
"#,
        rows.concat()
    )
}

fn title(top: f64, objects: usize) -> String {
    let base = top + 16.0;
    format!("<text x=\"8\" y=\"{base}\" font-weight=\"bold\">{objects} objects</text>\n")
}

fn bar(top: f64, (name, seconds, colour): (&str, f64, &str), length: f64) -> String {
    let (base, end) = (top + 16.0, LABEL + length + 6.0);
    let top = top + 3.0;
    format!(
        r#"<text x="8" y="{base}">{name}</text>
<rect x="{LABEL}" y="{top}" width="{length:.1}" height="18" fill="{colour}"/>
<text x="{end:.1}" y="{base}">{seconds:.2} s</text>
"#
    )
}

fn bars(size: &Size) -> Vec<(&'static str, f64, &'static str)> {
    const FLOOR: &str = "#9aa5b1";
    const OURS: &str = "#2f6fb5";
    let bars = [
        ("list floor", Some(size.floors.list), FLOOR),
        ("backup create", walls(&size.runs.backup), OURS),
        ("create floor", size.floors.create, FLOOR),
        ("restore create", walls(&size.runs.restore), OURS),
        ("restore --dry-run", walls(&size.runs.plan), OURS),
        ("one namespace", walls(&size.runs.namespace), OURS),
        ("backup describe", walls(&size.runs.describe), OURS),
    ];
    let bars = bars.into_iter();
    bars.filter_map(|(name, seconds, colour)| Some((name, seconds?, colour))).collect()
}
