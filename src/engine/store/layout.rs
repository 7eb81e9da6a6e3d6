//! The names of all keys in a bucket. The only place that knows them.
//!
//! Velero allows no other directories at the root than `backups`, `restores`, `restic`, `metadata`,
//! `plugins` and `kopia`.

use crate::engine::model::names;

/// The directory of all backups.
pub(super) const BACKUPS: &str = "backups/";
/// The directory of all restores.
pub(super) const RESTORES: &str = "restores/";
/// The directory of what is written before the last snapshot of a deleted backup goes.
const LEAVING: &str = "metadata/bowline/leaving/";
/// The directory of what is being deleted.
pub(super) const DELETING: &str = "metadata/bowline/deleting/";
/// The directory of what is written only to see whether it can be.
const PROBES: &str = "metadata/bowline/probes/";
/// The directory of the logs of what is still running.
const LOGS: &str = "metadata/bowline/logs/";
/// The directory of all schedules.
pub(super) const SCHEDULES: &str = "metadata/bowline/schedules/";
/// The directory of the records of what schedules ran.
pub(super) const ATTEMPTS: &str = "metadata/bowline/attempts/";
/// The directory of who runs which schedule.
const LEASES: &str = "metadata/bowline/leases/";
/// The directory of what is held.
pub(super) const HOLDS: &str = "metadata/bowline/holds/";
/// The directory of the records of drills.
pub(super) const DRILLS: &str = "metadata/bowline/drills/";
/// What the names of the records of providers start with.
const PROVIDER: &str = "bowline-provider-";
/// The directories that Velero allows at the root.
const ROOT: [&str; 6] = ["backups", "restores", "restic", "metadata", "plugins", "kopia"];

/// Whether Velero takes a location with this directory at its root out of service.
pub fn is_foreign(directory: &str) -> bool {
    !ROOT.contains(&directory)
}

/// Checks that a name can be a directory of the bucket: a DNS subdomain, as Kubernetes has it.
pub fn check_name(name: &str) -> Result<(), names::Invalid> {
    names::check_backup(name)
}

/// The keys of one backup.
#[derive(Clone, Copy, Debug)]
pub struct BackupKeys<'a>(pub &'a str);

impl BackupKeys<'_> {
    /// What all its keys start with.
    pub fn prefix(self) -> String {
        format!("{BACKUPS}{}/", self.0)
    }

    /// The document that makes it a backup; written last.
    pub fn metadata(self) -> String {
        self.file("velero-backup.json")
    }

    /// The record of the attempt; written first.
    pub fn attempt(self) -> String {
        self.file("bowline-attempt.json")
    }

    /// The record of a provider; written before the first snapshot is asked of it.
    pub fn provider(self, provider: &str) -> String {
        self.file(&self.provider_file(provider))
    }

    /// The name of that file within the directory.
    pub fn provider_file(self, provider: &str) -> String {
        format!("{PROVIDER}{provider}.json")
    }

    /// The provider whose record has this key, if it is one.
    pub(super) fn provider_of(self, key: &str) -> Option<String> {
        let file = key.strip_prefix(&self.prefix())?;
        Some(file.strip_prefix(PROVIDER)?.strip_suffix(".json")?.to_owned())
    }

    /// The archive of objects.
    pub fn archive(self) -> String {
        self.named(".tar.gz")
    }

    /// Where each object lies in the archive.
    pub fn index(self) -> String {
        self.file("bowline-index.json.gz")
    }

    /// What a commit needs once the archive is whole and all snapshots are started.
    pub fn pending(self) -> String {
        self.file("bowline-pending.json")
    }

    /// The report, once all snapshots have ended; the first one counts.
    pub fn report(self) -> String {
        self.file("bowline-report.json")
    }

    /// The digests of all files.
    pub fn digests(self) -> String {
        self.file("bowline-digests.json")
    }

    /// The log.
    pub fn logs(self) -> String {
        self.named("-logs.gz")
    }

    /// Warnings and errors.
    pub fn results(self) -> String {
        self.named("-results.gz")
    }

    /// The names of all objects by kind.
    pub fn resource_list(self) -> String {
        self.named("-resource-list.json.gz")
    }

    /// The snapshots that providers were asked for.
    pub fn volume_snapshots(self) -> String {
        self.named("-volumesnapshots.json.gz")
    }

    /// What became of each volume.
    pub fn volume_info(self) -> String {
        self.named("-volumeinfo.json.gz")
    }

    /// Velero's file-system backups; we make none.
    pub fn pod_volume_backups(self) -> String {
        self.named("-podvolumebackups.json.gz")
    }

    /// Velero's asynchronous operations; we make none.
    pub fn item_operations(self) -> String {
        self.named("-itemoperations.json.gz")
    }

    /// The snapshots that Velero had a CSI driver take; we have none taken.
    pub fn csi_snapshots(self) -> String {
        self.named("-csi-volumesnapshots.json.gz")
    }

    /// What those snapshots are bound to.
    pub fn csi_contents(self) -> String {
        self.named("-csi-volumesnapshotcontents.json.gz")
    }

    /// The mark of a backup that is being deleted.
    pub fn tombstone(self) -> String {
        format!("{DELETING}{}.json", self.0)
    }

    /// The mark that it stays, whatever the rules of its schedule say.
    pub fn hold(self) -> String {
        format!("{HOLDS}{}.json", self.0)
    }

    /// What the keys of all its [`leaving`](Self::leaving) marks start with.
    pub fn all_leaving(self) -> String {
        format!("{LEAVING}{}/", self.0)
    }

    /// The mark that all snapshots of a provider but the last one have gone.
    pub fn leaving(self, provider: &str) -> String {
        format!("{LEAVING}{}/{provider}.json", self.0)
    }

    /// What the keys of the pieces of its log start with, whichever attempt wrote them.
    pub fn running_logs(self) -> String {
        format!("{LOGS}{BACKUPS}{}/", self.0)
    }

    /// What the keys of the pieces of an attempt's log start with.
    pub fn running_log(self, uid: &str) -> String {
        format!("{LOGS}{BACKUPS}{}/{uid}/", self.0)
    }

    fn file(self, file: &str) -> String {
        format!("{BACKUPS}{}/{file}", self.0)
    }

    fn named(self, suffix: &str) -> String {
        format!("{BACKUPS}{0}/{0}{suffix}", self.0)
    }
}

/// The keys of one drill: the backup's name, and the drill's identity.
#[derive(Clone, Copy, Debug)]
pub struct DrillKeys<'a>(pub &'a str, pub &'a str);

impl DrillKeys<'_> {
    /// What the keys of all drills of the backup start with.
    pub(super) fn all(self) -> String {
        format!("{DRILLS}{}/", self.0)
    }

    /// What it is about to make; written before anything is made.
    pub fn begun(self) -> String {
        self.file("begun")
    }

    /// What it showed.
    pub fn evidence(self) -> String {
        self.file("evidence")
    }

    /// That nothing is left of it.
    pub fn down(self) -> String {
        self.file("down")
    }

    /// The backup's name and the drill's identity, if this is the key of the beginning of one.
    pub(super) fn begun_by(key: &str) -> Option<(&str, &str)> {
        key.strip_prefix(DRILLS)?.strip_suffix("/begun.json")?.split_once('/')
    }

    fn file(self, name: &str) -> String {
        format!("{DRILLS}{}/{}/{name}.json", self.0, self.1)
    }
}

/// The keys of one restore.
#[derive(Clone, Copy, Debug)]
pub struct RestoreKeys<'a>(pub &'a str);

impl RestoreKeys<'_> {
    /// What all its keys start with.
    pub fn prefix(self) -> String {
        format!("{RESTORES}{}/", self.0)
    }

    /// What was asked; written before the first change to the cluster.
    pub fn record(self) -> String {
        self.file("bowline-restore.json")
    }

    /// What came of it; written last. Without it the restore was interrupted.
    pub fn result(self) -> String {
        self.file("bowline-result.json")
    }

    /// That it was taken up once more, for the so many-th run; written before that run changes
    /// anything.
    pub fn run(self, run: u32) -> String {
        of_run(&self.file("bowline-run.json"), run)
    }

    /// The number of the run whose beginning has this key; none if it is no such key.
    pub(super) fn begun_run(self, key: &str) -> Option<u32> {
        run_of(&self.file("bowline-run.json"), key)
    }

    /// The log.
    pub fn logs(self) -> String {
        self.named("restore-", "-logs.gz")
    }

    /// Warnings and errors.
    pub fn results(self) -> String {
        self.named("restore-", "-results.gz")
    }

    /// The outcome of each object by kind.
    pub fn resource_list(self) -> String {
        self.named("restore-", "-resource-list.json.gz")
    }

    /// Velero's asynchronous operations; we make none.
    pub fn item_operations(self) -> String {
        self.named("restore-", "-itemoperations.json.gz")
    }

    /// What became of each volume.
    pub fn volume_info(self) -> String {
        self.named("", "-volumeinfo.json.gz")
    }

    /// What the keys of the pieces of its log start with, whichever restore of the name wrote them.
    pub fn running_logs(self) -> String {
        format!("{LOGS}{RESTORES}{}/", self.0)
    }

    /// What the keys of the pieces of a restore's log start with.
    pub fn running_log(self, uid: &str) -> String {
        format!("{LOGS}{RESTORES}{}/{uid}/", self.0)
    }

    fn file(self, file: &str) -> String {
        format!("{RESTORES}{}/{file}", self.0)
    }

    fn named(self, prefix: &str, suffix: &str) -> String {
        format!("{RESTORES}{0}/{prefix}{0}{suffix}", self.0)
    }
}

/// The keys of one schedule.
#[derive(Clone, Copy, Debug)]
pub struct ScheduleKeys<'a>(pub &'a str);

impl ScheduleKeys<'_> {
    /// What is run when.
    pub fn document(self) -> String {
        format!("{SCHEDULES}{}.json", self.0)
    }

    /// Who runs it now.
    pub fn lease(self) -> String {
        format!("{LEASES}{}.json", self.0)
    }

    /// Who makes one of its runs now, where there may be others beside it.
    pub fn run_lease(self, run: &str) -> String {
        format!("{LEASES}{}/{run}.json", self.0)
    }

    /// What the keys of all of those start with.
    pub(super) fn run_leases(self) -> String {
        format!("{LEASES}{}/", self.0)
    }

    /// What the keys of all its runs start with.
    pub fn attempts(self) -> String {
        format!("{ATTEMPTS}{}/", self.0)
    }

    /// What the keys of the run that makes this backup start with.
    pub fn attempt(self, backup: &str) -> String {
        format!("{ATTEMPTS}{}/{backup}/", self.0)
    }

    /// The beginning of the run that makes this backup.
    pub fn run(self, backup: &str) -> String {
        format!("{ATTEMPTS}{}/{backup}/run.json", self.0)
    }

    /// The end of that run.
    pub fn result(self, backup: &str) -> String {
        format!("{ATTEMPTS}{}/{backup}/result.json", self.0)
    }

    /// The log of that run, if there is no backup that has it.
    pub fn log(self, backup: &str) -> String {
        format!("{ATTEMPTS}{}/{backup}/log.gz", self.0)
    }
}

/// The key of a file of a later run, where an earlier one has written it.
pub fn of_run(key: &str, run: u32) -> String {
    let (stem, extension) = parted(key);
    format!("{stem}-{run}{extension}")
}

/// The run that wrote a file: 1 under the key itself; none if it is another file.
pub(super) fn run_of(key: &str, found: &str) -> Option<u32> {
    if found == key {
        return Some(1);
    }
    let (stem, extension) = parted(key);
    let run = found.strip_prefix(stem)?.strip_suffix(extension)?.strip_prefix('-')?;
    run.parse().ok().filter(|&number| number > 1 && of_run(key, number) == found)
}

/// A key before its extension, and the extension.
fn parted(key: &str) -> (&str, &str) {
    let extension = [".json.gz", ".json", ".gz"].into_iter().find(|it| key.ends_with(it));
    key.split_at(key.len() - extension.map_or(0, str::len))
}

/// The key of a piece of a log by the prefix of all its pieces, and by its number.
///
/// In the order of the keys they are in the order of the numbers.
pub(super) fn piece(prefix: &str, number: u32) -> String {
    format!("{prefix}{number:08}.gz")
}

/// The number of a piece; none if the key is none of a piece.
pub(super) fn piece_number(prefix: &str, key: &str) -> Option<u32> {
    key.strip_prefix(prefix)?.strip_suffix(".gz")?.parse().ok()
}

/// The keys of a probe: what is written only to see whether it can be.
#[derive(Clone, Copy, Debug)]
pub struct ProbeKeys<'a>(pub &'a str);

impl ProbeKeys<'_> {
    /// What the keys of all probes start with.
    pub fn all() -> &'static str {
        PROBES
    }

    /// What all its keys start with.
    pub fn prefix(self) -> String {
        format!("{PROBES}{}/", self.0)
    }

    /// What is written at once.
    pub fn object(self) -> String {
        format!("{PROBES}{}/object", self.0)
    }

    /// What is written in parts.
    pub fn upload(self) -> String {
        format!("{PROBES}{}/upload", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_where_velero_looks_for_them() {
        let backup = BackupKeys("nightly");
        assert_eq!(backup.metadata(), "backups/nightly/velero-backup.json");
        assert_eq!(backup.archive(), "backups/nightly/nightly.tar.gz");
        assert_eq!(backup.results(), "backups/nightly/nightly-results.gz");
        assert_eq!(backup.provider("aws"), "backups/nightly/bowline-provider-aws.json");
        assert_eq!(backup.provider_of(&backup.provider("aws")).as_deref(), Some("aws"));
        assert_eq!(backup.provider_of(&backup.attempt()), None);
        let prefix = backup.running_log("u1");
        assert_eq!(piece(&prefix, 7), "metadata/bowline/logs/backups/nightly/u1/00000007.gz");
        assert!(prefix.starts_with(&backup.running_logs()));
        assert_eq!(piece_number(&prefix, &piece(&prefix, 7)), Some(7));
        assert_eq!(piece_number(&prefix, "metadata/bowline/logs/backups/nightly/u2/7.gz"), None);
        let restore = RestoreKeys("r1");
        assert_eq!(restore.running_log("u2"), "metadata/bowline/logs/restores/r1/u2/");
        assert_eq!(restore.results(), "restores/r1/restore-r1-results.gz");
        assert_eq!(restore.volume_info(), "restores/r1/r1-volumeinfo.json.gz");
    }

    #[test]
    fn what_changes_lies_below_the_metadata() {
        let nightly = ScheduleKeys("nightly");
        assert_eq!(nightly.document(), "metadata/bowline/schedules/nightly.json");
        assert_eq!(nightly.lease(), "metadata/bowline/leases/nightly.json");
        assert_eq!(nightly.run_lease("n-1"), "metadata/bowline/leases/nightly/n-1.json");
        assert_eq!(nightly.run("n-1"), "metadata/bowline/attempts/nightly/n-1/run.json");
        for key in [nightly.run("n-1"), nightly.result("n-1"), nightly.log("n-1")] {
            assert!(key.starts_with(&nightly.attempts()), "{key}");
        }
        assert_eq!(BackupKeys("n-1").hold(), "metadata/bowline/holds/n-1.json");
        let drill = DrillKeys("n-1", "u");
        assert_eq!(drill.evidence(), "metadata/bowline/drills/n-1/u/evidence.json");
        assert_eq!(DrillKeys::begun_by(&drill.begun()), Some(("n-1", "u")));
        assert_eq!(DrillKeys::begun_by(&drill.down()), None);
    }

    #[test]
    fn a_later_run_has_keys_of_its_own() {
        let restore = RestoreKeys("r-1.gz");
        for key in [restore.logs(), restore.volume_info(), restore.result()] {
            assert_eq!(run_of(&key, &key), Some(1));
            assert_eq!(run_of(&key, &of_run(&key, 12)), Some(12), "{key}");
            assert_eq!(run_of(&key, &of_run(&key, 1)), None, "{key}");
        }
        assert_eq!(of_run(&restore.result(), 2), "restores/r-1.gz/bowline-result-2.json");
        assert_eq!(of_run(&restore.logs(), 2), "restores/r-1.gz/restore-r-1.gz-logs-2.gz");
        assert_eq!(restore.begun_run("restores/r-1.gz/bowline-run-3.json"), Some(3));
        assert_eq!(run_of(&restore.logs(), &restore.results()), None);
        assert_eq!(run_of(&restore.result(), "restores/r-1.gz/bowline-result-02.json"), None);
    }
}
