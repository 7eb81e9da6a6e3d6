//! Whether the archive can be read to its end, and its index tells the same.

use super::error::Error;
use super::files::CHOOSE_ANOTHER;
use super::inspect::Work;
use super::level::Level;
use super::report::{ARCHIVE, CheckResult, DIGESTS, Finding, INDEX};
use crate::engine::archive::{self, Contents, Entry, Index, Limits, check_gzip};
use crate::engine::report::chain;
use crate::engine::store::Digest;

/// What came of reading the archive once.
#[derive(Default)]
pub(super) struct Archive {
    /// Its digest, if that is known by the way.
    pub digest: Option<Digest>,
    /// Its objects, if it could be read.
    pub contents: Option<Contents>,
}

/// Reads the archive as far as the level asks for it.
pub(super) async fn read(work: &mut Work<'_>, level: Level) -> Result<Archive, Error> {
    let key = work.keys().archive();
    if !work.listed.contains_key(&key) {
        if !work.report.is_known(&key) {
            let finding = Finding::of_file(ARCHIVE.0, &key, "it does not exist");
            work.report.problem(finding.with_hint(CHOOSE_ANOTHER));
        }
        return Ok(Archive::default());
    }
    if level >= Level::Parse {
        return parse(work, &key).await;
    }
    if work.digests.is_none() {
        let stream = work.stream(&key).await?;
        let unpacked = check_gzip(stream, Limits::default()).await.map(drop);
        damage(work, DIGESTS.0, &key, unpacked)?;
    }
    Ok(Archive::default())
}

async fn parse(work: &mut Work<'_>, key: &str) -> Result<Archive, Error> {
    let stream = work.stream(key).await?;
    let contents = match archive::read(stream, Limits::default()).await {
        Ok(contents) => contents,
        Err(error) => {
            damage(work, ARCHIVE.0, key, Err(error))?;
            work.report.conclude(ARCHIVE, "it cannot be restored from");
            return Ok(Archive::default());
        }
    };
    if contents.ignored.count > 0 {
        let (count, first) = (contents.ignored.count, contents.ignored.entries.first());
        let message = format!(
            "{count} of its entries mean nothing to a restore, such as {:?}",
            first.map(|entry| entry.name.as_str()).unwrap_or_default()
        );
        work.report.warn(Finding::of_file(ARCHIVE.0, key, message));
    }
    let detail = format!("read to its end: {}", objects(contents.items()));
    work.report.conclude(ARCHIVE, detail);
    let digest = Digest { size: contents.size, sha256: contents.sha256.clone() };
    Ok(Archive { digest: Some(digest), contents: Some(contents) })
}

/// Tells what is wrong with an archive; fails where it is not the archive that is at fault.
fn damage(
    work: &mut Work<'_>,
    check: &'static str,
    key: &str,
    result: Result<(), archive::Error>,
) -> Result<(), Error> {
    match result {
        Ok(()) => Ok(()),
        Err(error) if error.is_damage() => {
            let finding = Finding::of_file(check, key, chain(&error));
            work.report.problem(finding.with_hint(CHOOSE_ANOTHER));
            Ok(())
        }
        Err(source) => Err(Error::Archive { name: work.name().to_owned(), source }),
    }
}

/// Compares the index with the archive.
pub(super) async fn check_index(
    work: &mut Work<'_>,
    contents: Option<&Contents>,
) -> Result<(), Error> {
    let key = work.keys().index();
    if !work.backup.is_ours() {
        let detail = "Velero writes none, and no restore needs it";
        work.report.conclude_as(INDEX, CheckResult::NotVerifiable, detail);
        return Ok(());
    }
    let Some(contents) = contents.filter(|_| !work.report.is_known(&key)) else {
        let detail = "it, or the archive, is damaged";
        work.report.conclude_as(INDEX, CheckResult::NotChecked, detail);
        return Ok(());
    };
    let fault = match work.store.bytes(&key).await {
        Ok(packed) => match Index::parse(&packed, &Limits::default()) {
            Ok(index) => difference(&index, contents),
            Err(error) => Some(chain(&error)),
        },
        Err(error) if error.is_not_found() || error.is_damage() => {
            Some(super::files::message(&error))
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(fault) = fault {
        let finding = Finding::of_file(INDEX.0, &key, fault);
        work.report.problem(finding.with_hint(CHOOSE_ANOTHER));
    }
    let detail = format!("lists the very {} of the archive", objects(contents.items()));
    work.report.conclude(INDEX, detail);
    Ok(())
}

/// How an index differs from the archive that it is for; none if it does not.
fn difference(index: &Index, contents: &Contents) -> Option<String> {
    if (index.archive_size(), index.archive_sha256()) != (contents.size, &contents.sha256) {
        return Some("it is the index of another archive".to_owned());
    }
    let further = (contents.len() - contents.items()) as u64;
    if let Some(told) = index.further_versions().filter(|told| *told != further) {
        return Some(format!("it counts {told} further versions, the archive holds {further}"));
    }
    let told = |entry: Entry<'_>| (entry.id(), entry.version().to_owned(), entry.size());
    let mut found = contents.entries().filter(Entry::preferred).map(told);
    let mut listed = index.entries().map(told);
    loop {
        match (listed.next(), found.next()) {
            (None, None) => return None,
            (listed, found) if listed == found => {}
            (Some((id, ..)), None) => return Some(format!("it lists {id}, the archive does not")),
            (None, Some((id, ..))) => return Some(format!("it does not list {id}")),
            (Some((id, ..)), Some((other, ..))) => {
                return Some(format!(
                    "it lists {id} where the archive holds {other}, or another version"
                ));
            }
        }
    }
}

pub(super) fn objects(count: usize) -> String {
    format!("{count} object{}", if count == 1 { "" } else { "s" })
}
