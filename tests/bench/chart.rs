//! The figures as a picture: bars for every size, and curves over all sizes.

use crate::report::{Report, Size, walls};

const WIDTH: f64 = 640.0;
const LABEL: f64 = 190.0;
/// Where the longest bar ends; its figure comes after it.
const LONGEST: f64 = WIDTH - LABEL - 90.0;
const ROW: f64 = 24.0;
/// The height of the field of a set of curves.
const FIELD: f64 = 220.0;

const FLOOR: &str = "#9aa5b1";
const OURS: &str = "#2f6fb5";
const OTHER: &str = "#c2570c";

/// Draws a bar for every median, those of one size on one scale, and what becomes of them as there
/// are more objects.
pub(crate) fn draw(report: &Report) -> String {
    let mut top = 0.0;
    let mut rows = Vec::new();
    for size in &report.sizes {
        let bars = bars(size);
        let longest = bars.iter().map(|(_, seconds, _)| *seconds).fold(f64::MIN_POSITIVE, f64::max);
        rows.push(title(top, &format!("{} objects", size.objects)));
        for (name, seconds, colour) in bars {
            top += ROW;
            rows.push(bar(top, (name, seconds, colour), LONGEST * seconds / longest));
        }
        top += 2.0 * ROW;
    }
    if report.sizes.len() > 1 {
        for (name, lines) in curves(report) {
            rows.push(title(top, name));
            rows.push(curve(top + ROW, &lines));
            top += FIELD + 3.0 * ROW;
        }
    }
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
{}</svg>
"#,
        rows.concat()
    )
}

fn title(top: f64, text: &str) -> String {
    let base = top + 16.0;
    format!("<text x=\"8\" y=\"{base}\" font-weight=\"bold\">{text}</text>\n")
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

/// What is measured over the number of objects.
struct Line {
    name: &'static str,
    colour: &'static str,
    points: Vec<(f64, f64)>,
}

fn curves(report: &Report) -> [(&'static str, Vec<Line>); 2] {
    #[expect(clippy::cast_precision_loss, reason = "drawn")]
    let line = |name, colour, figure: &dyn Fn(&Size) -> Option<f64>| Line {
        name,
        colour,
        points: (report.sizes.iter())
            .filter_map(|size| Some((size.objects as f64, figure(size)?)))
            .collect(),
    };
    let seconds = vec![
        line("list floor", FLOOR, &|size| Some(size.floors.list)),
        line("backup", OURS, &|size| walls(&size.runs.backup)),
        line("create floor", FLOOR, &|size| size.floors.create),
        line("restore", OTHER, &|size| walls(&size.runs.restore)),
    ];
    let memory = vec![
        line("backup", OURS, &|size| size.runs.backup_peak()),
        line("restore", OTHER, &|size| size.runs.restore_peak()),
    ];
    [("Seconds over objects", seconds), ("Peak memory in MiB over objects", memory)]
}

/// Both axes are logarithmic: what grows as the objects do is a straight line.
fn curve(top: f64, lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|line| &line.points);
    let (left, right) = bounds(points().map(|point| point.0));
    let (low, high) = bounds(points().map(|point| point.1));
    let (low, high) = (decade(low).floor(), decade(high).ceil().max(decade(low).floor() + 1.0));
    let width = WIDTH - LABEL - 60.0;
    let x = |objects: f64| 60.0 + width * (decade(objects) - decade(left)) / decade(right / left);
    let y = |figure: f64| top + FIELD - FIELD * (decade(figure) - low) / (high - low);

    let mut parts = Vec::new();
    let mut power = low;
    while power <= high {
        let figure = 10f64.powf(power);
        let (end, at) = (60.0 + width, y(figure));
        let text = at + 4.0;
        parts.push(format!(
            r##"<line x1="60" y1="{at:.1}" x2="{end}" y2="{at:.1}" stroke="#e0e4e8"/>
<text x="52" y="{text:.1}" text-anchor="end">{figure}</text>
"##
        ));
        power += 1.0;
    }
    let base = top + FIELD + 18.0;
    let mut objects: Vec<f64> = points().map(|point| point.0).collect();
    objects.sort_by(f64::total_cmp);
    objects.dedup();
    for count in objects {
        let at = x(count);
        parts.push(format!(
            "<text x=\"{at:.1}\" y=\"{base}\" text-anchor=\"middle\">{count}</text>\n"
        ));
    }
    let mut ends: Vec<(f64, &Line)> =
        lines.iter().filter_map(|line| Some((y(line.points.last()?.1), line))).collect();
    ends.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut lowest = f64::MIN;
    for (end, Line { name, colour, points }) in ends {
        let Some((objects, figure)) = points.last() else { continue };
        let path: Vec<_> =
            points.iter().map(|(a, b)| format!("{:.1},{:.1}", x(*a), y(*b))).collect();
        // Names of lines that end close to each other are told apart.
        lowest = (end + 4.0).max(lowest + 14.0);
        let (path, beside) = (path.join(" "), x(*objects) + 8.0);
        parts.push(format!(
            r#"<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>
<text x="{beside:.1}" y="{lowest:.1}" fill="{colour}">{name}: {figure:.1}</text>
"#
        ));
    }
    parts.concat()
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::MAX, f64::MIN_POSITIVE), |(least, most), value| {
        (least.min(value), most.max(value))
    })
}

fn decade(value: f64) -> f64 {
    value.max(f64::MIN_POSITIVE).log10()
}
