//! Whether the archive holds what the records promise, and the records tell of what it holds.

use std::collections::BTreeMap;

use bowline_api::GroupResource;
use serde_json::Value;

use super::contents::objects;
use super::error::Error;
use super::files::message;
use super::inspect::Work;
use super::names::{Names, ResourceList};
use super::report::{About, CheckResult, Finding, RECORDS};
use super::volumes::Volumes;
use crate::engine::archive::{self, Contents, Entry};
use crate::engine::model::backup::Backup;
use crate::engine::model::records;

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
    let (count, has_list) = (contents.len(), list.is_some());
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
        let (mut problems, mut warnings) = Findings::default();
        for entry in contents.entries().filter(Entry::preferred) {
            let json = contents.read(entry)?;
            if let Some(names) = &mut names {
                names.see(&entry, &json);
            }
            // Velero leaves volumes out without a word where cluster-scoped objects are left out.
            let odd = if self.backup.is_ours() { &mut problems } else { &mut warnings };
            odd.extend(self.without_record(&entry, &json));
        }
        // Velero lists what it failed to back up, too.
        let is_expected = !self.backup.is_ours() && self.backup.status.errors > 0;
        let differences = if is_expected { &mut warnings } else { &mut problems };
        differences.extend(names.into_iter().flat_map(Names::findings));
        problems.extend(self.lacking(contents));
        Ok((problems, warnings))
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
    fn without_record(&self, entry: &Entry<'_>, json: &[u8]) -> Option<Finding> {
        let volumes = self.volumes.volumes.as_ref()?;
        let id = entry.id();
        let missing = if id.resource == GroupResource::core("persistentvolumeclaims") {
            let claim: Value = serde_json::from_slice(json).unwrap_or_default();
            let is_bound = claim["status"]["phase"] == "Bound";
            is_bound && !volumes.iter().any(|volume| volume.claim().as_ref() == Some(&id))
        } else if id.resource == GroupResource::core("persistentvolumes") {
            self.backup.is_ours() && !volumes.iter().any(|volume| volume.pv_name == id.name)
        } else {
            false
        };
        let message = "no record tells what became of its volume";
        missing.then(|| Finding::of(RECORDS.0, About::Object, id.to_string(), message))
    }
}
