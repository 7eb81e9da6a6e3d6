//! What a backup records of volumes, in words: Velero's records, ours, and those of any method.

use serde_json::Value;

use crate::cli::commands::records::text_of;
use crate::cli::description::aligned;
use crate::cli::style::printable;
use crate::cli::table::Table;

/// What the ways of keeping a volume's data record, the same under several names.
const METHODS: [&str; 4] =
    ["/nativeSnapshotInfo", "/csiSnapshotInfo", "/snapshotDataMovementInfo", "/pvbInfo"];

/// One line a volume.
pub(super) fn table(volumes: &[Value]) -> Table<5> {
    let mut table = Table::new(["NAMESPACE", "CLAIM", "VOLUME", "SNAPSHOT", "RESULT"]);
    for volume in volumes {
        table.push([
            text_of(volume, "/pvcNamespace"),
            text_of(volume, "/pvcName"),
            text_of(volume, "/pvName"),
            of_method(volume, "snapshotHandle"),
            result(volume),
        ]);
    }
    table
}

/// All that is known of each volume: its record, the record of its snapshot, and its state in the
/// report, which has the claims without a volume, too.
pub(super) fn blocks(volumes: &[Value], snapshots: &[Value], report: &Value) -> String {
    let mut blocks = Vec::new();
    let reported = report["volumes"].as_array().map(Vec::as_slice).unwrap_or_default();
    for volume in volumes {
        let name = text_of(volume, "/pvName");
        let is_of = |record: &&Value, path: &str| text_of(record, path) == name;
        let snapshot = snapshots.iter().find(|it| is_of(it, "/spec/persistentVolumeName"));
        let state = reported.iter().find(|it| is_of(it, "/persistentVolume"));
        let claim = [text_of(volume, "/pvcNamespace"), text_of(volume, "/pvcName")];
        let title = if claim[1].is_empty() { name } else { claim.join("/") };
        blocks.push(block(&title, &lines(volume, snapshot, state)));
    }
    for claim in reported.iter().filter(|it| it["persistentVolume"].is_null()) {
        let title = [text_of(claim, "/namespace"), text_of(claim, "/claim")].join("/");
        blocks.push(block(&title, &[("State", text_of(claim, "/state"))]));
    }
    blocks.concat()
}

fn block(title: &str, lines: &[(&str, String)]) -> String {
    format!("  {}:\n{}", printable(title), aligned(lines, "    "))
}

fn lines(
    volume: &Value,
    snapshot: Option<&Value>,
    state: Option<&Value>,
) -> [(&'static str, String); 16] {
    let of_snapshot = |path: &str| snapshot.map(|it| text_of(it, path)).unwrap_or_default();
    let of_state = |path: &str| state.map(|it| text_of(it, path)).unwrap_or_default();
    let size = of_snapshot("/spec/volumeSizeGiB");
    let size = if size.is_empty() { size } else { format!("{size} GiB") };
    [
        ("Volume", text_of(volume, "/pvName")),
        ("State", of_state("/state")),
        ("Result", result(volume)),
        ("Method", text_of(volume, "/backupMethod")),
        ("Provider", of_snapshot("/spec/bowlineProvider")),
        ("Volume ID", of_snapshot("/spec/providerVolumeID")),
        ("Snapshot ID", of_method(volume, "snapshotHandle")),
        ("Snapshot phase", of_method(volume, "Phase")),
        ("Type", of_method(volume, "volumeType")),
        ("Driver", of_method(volume, "driver")),
        ("Uploader", of_method(volume, "uploaderType")),
        ("Availability zone", of_method(volume, "volumeAZ")),
        ("IOPS", some(of_method(volume, "iops"))),
        ("Size", size),
        ("Encrypted", of_snapshot("/spec/volumeEncrypted")),
        ("Reclaim policy", text_of(volume, "/pvInfo/reclaimPolicy")),
    ]
}

/// Velero writes 0 where there is nothing to provision.
fn some(number: String) -> String {
    if number == "0" { String::new() } else { number }
}

fn result(volume: &Value) -> String {
    let result = text_of(volume, "/result");
    if result.is_empty() { text_of(volume, "/skippedReason") } else { result }
}

fn of_method(volume: &Value, field: &str) -> String {
    let texts = METHODS.iter().map(|method| text_of(volume, &format!("{method}/{field}")));
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}
