//! What was measured: medians, ratios to the floors, and every run.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::measure::Run;

/// Everything that was measured.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Report {
    pub sizes: Vec<Size>,
}

/// Everything about one size.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Size {
    pub objects: usize,
    /// The median of the backups, by that of the lists.
    pub backup_ratio: f64,
    /// The median of the restores, by that of the creates; none where nothing was restored.
    pub restore_ratio: Option<f64>,
    /// The most memory that any backup or restore needed.
    pub peak_rss_mib: f64,
    pub floors: Floors,
    pub runs: Runs,
}

/// Medians of the floors in seconds.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Floors {
    pub list: f64,
    pub create: Option<f64>,
}

/// Every run of one size.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Runs {
    /// In seconds.
    pub list_floor: Vec<f64>,
    pub backup: Vec<Run>,
    pub describe: Vec<Run>,
    /// In seconds.
    pub create_floor: Vec<f64>,
    pub plan: Vec<Run>,
    pub restore: Vec<Run>,
    pub namespace: Vec<Run>,
}

impl Size {
    pub(crate) fn of(objects: usize, runs: Runs) -> Self {
        let floor = |times: &[f64]| median(times.iter().copied());
        let list = floor(&runs.list_floor).unwrap_or_default();
        let create = floor(&runs.create_floor);
        let backup = walls(&runs.backup).unwrap_or_default();
        let restore_ratio = walls(&runs.restore).zip(create).map(|(ours, floor)| ours / floor);
        let peaks = [runs.backup_peak(), runs.restore_peak()];
        let peak_rss_mib = peaks.into_iter().flatten().fold(0.0, f64::max);
        let floors = Floors { list, create };
        Self { objects, backup_ratio: backup / list, restore_ratio, peak_rss_mib, floors, runs }
    }
}

impl Runs {
    /// The newest run of everything that was measured, in short.
    pub(crate) fn newest(&self) -> String {
        let floors = [("list floor", &self.list_floor), ("create floor", &self.create_floor)];
        let floors = floors.iter().filter_map(|(name, times)| Some((*name, times.last()?)));
        let runs = self.series().into_iter().filter_map(|(name, runs)| Some((name, runs.last()?)));
        let floors = floors.map(|(name, time)| format!("{name} {time:.2} s"));
        let runs = runs.map(|(name, run)| {
            let Run { wall_seconds, cpu_seconds, peak_rss_mib, .. } = run;
            format!("{name} {wall_seconds:.2} s ({cpu_seconds:.2} s CPU, {peak_rss_mib:.0} MiB)")
        });
        floors.chain(runs).collect::<Vec<_>>().join(", ")
    }

    /// The most memory that any backup needed.
    pub(crate) fn backup_peak(&self) -> Option<f64> {
        peak(&self.backup)
    }

    /// The most memory that any restore of all needed.
    pub(crate) fn restore_peak(&self) -> Option<f64> {
        peak(&self.restore)
    }

    fn series(&self) -> [(&'static str, &[Run]); 5] {
        [
            ("backup create", &self.backup),
            ("backup describe", &self.describe),
            ("restore --dry-run", &self.plan),
            ("restore create", &self.restore),
            ("restore of one namespace", &self.namespace),
        ]
    }
}

fn peak(runs: &[Run]) -> Option<f64> {
    runs.iter().map(|run| run.peak_rss_mib).reduce(f64::max)
}

/// The median of the wall times.
pub(crate) fn walls(runs: &[Run]) -> Option<f64> {
    median(runs.iter().map(|run| run.wall_seconds))
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 { Some(upper) } else { Some(f64::midpoint(values[middle - 1], upper)) }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for size in &self.sizes {
            writeln!(f, "{size}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {} objects\n", self.objects)?;
        writeln!(
            f,
            "| What | Median | Least to most | To the floor | CPU | Peak memory | Requests | Per second |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|")?;
        let floors = [
            ("list floor", &self.runs.list_floor, Some(self.floors.list)),
            ("create floor", &self.runs.create_floor, self.floors.create),
        ];
        for (name, times, middle) in floors {
            let Some(middle) = middle else { continue };
            let spread = spread(times.iter().copied());
            writeln!(f, "| {name} | {middle:.2} s | {spread} | 1.00 | | | | |")?;
        }
        for (name, runs) in self.runs.series() {
            let Some(middle) = walls(runs) else { continue };
            let floor = match name {
                "backup create" => Some(self.floors.list),
                "restore create" => self.floors.create,
                _ => None,
            };
            let ratio = floor.map(|floor| format!("{:.2}", middle / floor)).unwrap_or_default();
            let spread = spread(runs.iter().map(|run| run.wall_seconds));
            let cpu = median(runs.iter().map(|run| run.cpu_seconds)).unwrap_or_default();
            let peak = peak(runs).unwrap_or_default();
            #[expect(clippy::cast_precision_loss, reason = "shown rounded")]
            let requests = median(runs.iter().map(|run| run.requests as f64)).unwrap_or_default();
            let rate = requests / middle;
            writeln!(
                f,
                "| {name} | {middle:.2} s | {spread} | {ratio} | {cpu:.2} s | {peak:.0} MiB | \
                 {requests:.0} | {rate:.0} |"
            )?;
        }
        Ok(())
    }
}

fn spread(values: impl Iterator<Item = f64>) -> String {
    let (least, most) = values.fold((f64::MAX, 0.0), |(least, most): (f64, f64), value| {
        (least.min(value), most.max(value))
    });
    format!("{least:.2} to {most:.2} s")
}
