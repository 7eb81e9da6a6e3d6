//! Whether the archive holds what the records promise, and the records tell of what it holds.

use std::collections::{BTreeMap, HashSet};

use bowline_api::{GroupResource, ItemId};
use serde_json::Value;

use super::contents::objects;
use super::error::Error;
use super::files::message;
use super::inspect::Work;
use super::names::{Differences, Names, ResourceList};
use super::report::{About, CheckResult, Finding, RECORDS};
use super::volumes::Volumes;
use crate::engine::archive::{self, Contents, Entry};
use crate::engine::model::backup::Backup;
use crate::engine::model::records;
use crate::engine::model::volume::VolumeInfo;

/// What to do about a promise that was not kept.
const LOST: &str = "what is named is not in this backup: choose another one to restore it";

/// Compares the archive with all that is told of it.
pub(super) async fn check(
    work: &mut Work<'_>,
    contents: Option<Contents>,
    volumes: &Volumes,
) -> Result<(), Error> {
    let list = resource_list(work).await?;
    let Some(contents) = contents else {
        let detail = "the archive cannot be read";
        work.report.conclude_as(RECORDS, CheckResult::NotChecked, detail);
        return Ok(());
    };
    let (count, has_list) = (contents.items(), list.is_some());
    let told = Told { backup: work.backup.clone(), volumes: volumes.clone() };
    let compared = tokio::task::spawn_blocking(move || told.compare(&contents, list)).await;
    let found = compared.map_err(archive::Error::from).flatten();
    let failed = |source| Error::Archive { name: work.name().to_owned(), source };
    let (problems, warnings) = found.map_err(failed)?;
    let but = if warnings.is_empty() { "" } else { ", but for what the warnings name" };
    work.report.problems.extend(problems);
    work.report.warnings.extend(warnings);
    let list = if has_list { "resource list" } else { "(there is no resource list)" };
    let detail = format!("archive, {list} and volume records agree on {}{but}", objects(count));
    work.report.conclude(RECORDS, detail);
    Ok(())
}

/// Reads the list of all objects; none where there is none that can be read.
async fn resource_list(work: &mut Work<'_>) -> Result<Option<ResourceList>, Error> {
    let key = work.keys().resource_list();
    if !work.listed.contains_key(&key) || work.report.is_known(&key) {
        return Ok(None);
    }
    match work.store.json_gz(&key).await {
        Ok(list) => Ok(Some(list)),
        Err(error) if error.is_damage() => {
            work.report.problem(Finding::of_file(RECORDS.0, &key, message(&error)));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Problems, and what is merely odd.
type Findings = (Vec<Finding>, Vec<Finding>);

/// Of what some record tells.
struct Recorded<'a> {
    claims: HashSet<ItemId>,
    volumes: HashSet<&'a str>,
    /// Volumes of which only the list of snapshots tells.
    snapshots: HashSet<&'a str>,
}

/// What is told of an archive.
struct Told {
    backup: Backup,
    volumes: Volumes,
}

impl Told {
    fn compare(
        &self,
        contents: &Contents,
        list: Option<ResourceList>,
    ) -> Result<Findings, archive::Error> {
        let mut names = list.map(Names::of);
        let recorded = self.volumes.volumes.as_deref().map(|volumes| self.recorded(volumes));
        let (mut problems, mut warnings) = Findings::default();
        for entry in contents.entries() {
            let json = contents.read(entry)?;
            if let Some(names) = &mut names {
                names.see(&entry, &json);
            }
            if !entry.preferred() {
                continue;
            }
            // Velero leaves volumes out without a word where cluster-scoped objects are left out.
            let odd = if self.backup.is_ours() { &mut problems } else { &mut warnings };
            odd.extend(recorded.as_ref().and_then(|it| self.without_record(it, &entry, &json)));
        }
        // Velero lists what it failed to back up, too.
        let is_expected = !self.backup.is_ours() && self.backup.status.errors > 0;
        let Differences { data, lacking, unlisted } =
            names.map(Names::findings).unwrap_or_default();
        let differences = if is_expected { &mut warnings } else { &mut problems };
        differences.extend(data.into_iter().chain(unlisted));
        // A plugin of Velero's may leave things out of the archive that are in the list.
        let odd = if self.backup.is_ours() { &mut problems } else { &mut warnings };
        odd.extend(lacking);
        problems.extend(self.lacking(contents));
        Ok((problems, warnings))
    }

    /// Before there were records of volumes, those of snapshots told what became of them.
    fn recorded<'v>(&'v self, volumes: &'v [VolumeInfo]) -> Recorded<'v> {
        let snapshots = self.volumes.snapshots.iter().flatten().filter(|_| volumes.is_empty());
        Recorded {
            claims: volumes.iter().filter_map(VolumeInfo::claim).collect(),
            volumes: volumes.iter().map(|volume| volume.pv_name.as_str()).collect(),
            snapshots: snapshots.map(|it| it.spec.persistent_volume_name.as_str()).collect(),
        }
    }

    /// What the records of volumes promise, and the archive lacks.
    fn lacking(&self, contents: &Contents) -> impl Iterator<Item = Finding> {
        let Volumes { snapshots, volumes } = &self.volumes;
        let snapshots = snapshots.as_deref().unwrap_or_default();
        let volumes = volumes.as_deref().unwrap_or_default();
        let holds = |id: &_| contents.find(id).is_some();
        let lacking: BTreeMap<_, _> = records::lacking(&self.backup, snapshots, volumes, holds);
        lacking.into_iter().map(|(id, promise)| {
            let message = format!("the archive lacks it, although {promise}");
            Finding::of(RECORDS.0, About::Object, id.to_string(), message).with_hint(LOST)
        })
    }

    /// Whether a bound claim or a volume is in the archive of which no record tells.
    fn without_record(
        &self,
        recorded: &Recorded<'_>,
        entry: &Entry<'_>,
        json: &[u8],
    ) -> Option<Finding> {
        let id = entry.id();
        let missing = if id.resource == GroupResource::core("persistentvolumeclaims") {
            let claim: Value = serde_json::from_slice(json).unwrap_or_default();
            let is_bound = claim["status"]["phase"] == "Bound";
            let volume = claim["spec"]["volumeName"].as_str().unwrap_or_default();
            is_bound && !recorded.claims.contains(&id) && !recorded.snapshots.contains(volume)
        } else if id.resource == GroupResource::core("persistentvolumes") {
            self.backup.is_ours() && !recorded.volumes.contains(id.name.as_str())
        } else {
            false
        };
        let message = "no record tells what became of its volume";
        missing.then(|| Finding::of(RECORDS.0, About::Object, id.to_string(), message))
    }
}
