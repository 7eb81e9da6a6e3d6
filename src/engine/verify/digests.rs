//! Whether every byte of every file is the one that was written.

use serde::Deserialize;
use serde_json::Value;

use super::error::Error;
use super::files::{CHOOSE_ANOTHER, files, message};
use super::inspect::Work;
use super::report::{CheckResult, DIGESTS, Finding};
use crate::engine::archive::{Limits, check_gzip};
use crate::engine::model::backup::{Backup, annotations};
use crate::engine::model::volume::NativeSnapshot;
use crate::engine::report::{BackupReport, chain};
use crate::engine::store::{self, Digest, Digests, SideFile};

/// Compares all files with their digests; without any, only the checksums of gzip are left.
pub(super) async fn check(work: &mut Work<'_>, archive: Option<Digest>) -> Result<(), Error> {
    if let Some(digests) = work.digests.clone() {
        compare(work, &digests, archive).await?;
        document(work, &digests).await?;
        let detail = format!("{} have the digests that were recorded", files(digests.files.len()));
        work.report.conclude(DIGESTS, detail);
    } else if work.backup.is_ours() || work.listed.contains_key(&work.keys().digests()) {
        let detail = "the file that holds them is damaged";
        work.report.conclude_as(DIGESTS, CheckResult::NotChecked, detail);
    } else {
        let checked = checksums(work).await?;
        let detail = format!(
            "Velero leaves no digests; the checksums of gzip were read instead, of {}",
            files(checked)
        );
        work.report.conclude_as(DIGESTS, CheckResult::NotVerifiable, detail);
    }
    Ok(())
}

async fn compare(
    work: &mut Work<'_>,
    digests: &Digests,
    archive: Option<Digest>,
) -> Result<(), Error> {
    let (prefix, archive_key) = (work.keys().prefix(), work.keys().archive());
    for file in digests.files.keys() {
        let key = format!("{prefix}{file}");
        if work.report.is_known(&key) {
            continue;
        }
        let found = match &archive {
            Some(digest) if key == archive_key => Ok(digest.clone()),
            _ => work.store.digest(&key, work.seen()).await,
        };
        match found.and_then(|found| digests.check(&key, &found)) {
            Ok(()) => {}
            Err(error) if error.is_damage() || error.is_not_found() => differs(work, &error, &key),
            Err(error) => return Err(error.into()),
        }
    }
    let short_cut = work.backup.annotation(annotations::ARCHIVE_SHA256);
    let listed = work.keys().archive();
    let recorded = digests.files.get(listed.rsplit('/').next().unwrap_or_default());
    if short_cut != recorded.map(|digest| digest.sha256.as_str()) {
        let message = format!("its annotation {} is not that file's", annotations::ARCHIVE_SHA256);
        let key = work.keys().metadata();
        work.report.problem(Finding::of_file(DIGESTS.0, &key, message).with_hint(CHOOSE_ANOTHER));
    }
    Ok(())
}

fn differs(work: &mut Work<'_>, error: &store::Error, key: &str) {
    let finding = Finding::of_file(DIGESTS.0, key, message(error));
    work.report.problem(finding.with_hint(CHOOSE_ANOTHER));
}

/// The part of `bowline-pending.json` that the document was made of.
#[derive(Deserialize)]
struct Begun {
    document: Backup,
}

/// Makes the document again from the files that it follows from: nothing else vouches for it.
async fn document(work: &mut Work<'_>, digests: &Digests) -> Result<(), Error> {
    let keys = work.keys();
    let (metadata, snapshots) = (keys.metadata(), keys.volume_snapshots());
    let sources = [keys.pending(), keys.report(), snapshots.clone()];
    if sources.iter().any(|key| work.report.is_known(key)) {
        return Ok(());
    }
    let found = work.store.bytes(&metadata).await?;
    let digest = Digest::of(&work.store.bytes(&keys.digests()).await?);
    let begun = work.store.json::<Begun>(&keys.pending()).await;
    let report = work.store.json::<BackupReport>(&keys.report()).await;
    let snapshots = work.store.side_file::<Vec<NativeSnapshot>>(Some(digests), &snapshots).await;
    let fault = match (begun, report, snapshots) {
        (Ok(Begun { document }), Ok(report), Ok(snapshots)) => {
            let mut expected = document;
            expected.conclude(&report, &snapshots, &digest.sha256);
            difference(&metadata, &expected, &found)?
        }
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error))
            if error.is_damage() || error.is_not_found() =>
        {
            Some(format!("it cannot be compared with what it was made of: {}", chain(&error)))
        }
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => return Err(error.into()),
    };
    if let Some(fault) = fault {
        let finding = Finding::of_file(DIGESTS.0, &metadata, fault);
        work.report.problem(finding.with_hint(CHOOSE_ANOTHER));
    }
    Ok(())
}

/// How the document differs from the one that was written; none if it does not.
///
/// Another version may write the same in another order, and more of it: of its documents every field
/// that this one knows is compared.
fn difference(key: &str, expected: &Backup, found: &[u8]) -> Result<Option<String>, store::Error> {
    let written = SideFile::json(key.to_owned(), expected)?.content;
    if written == found {
        return Ok(None);
    }
    let value = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    if let Some(path) = first_difference(&value(&written), &value(found), "") {
        return Ok(Some(format!("it is not the document that was written: {path} differs")));
    }
    let version = expected.annotation(annotations::VERSION);
    let is_of_this_version = version == Some(env!("CARGO_PKG_VERSION"));
    let message = "it is not, byte for byte, the document that was written";
    Ok(is_of_this_version.then(|| message.to_owned()))
}

/// The first field of `expected` that `found` has not, or has another value of.
fn first_difference(expected: &Value, found: &Value, path: &str) -> Option<String> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().find_map(|(key, value)| {
                let found = found.get(key).unwrap_or(&Value::Null);
                first_difference(value, found, &format!("{path}.{key}"))
            })
        }
        _ if expected == found => None,
        _ => Some(path.trim_start_matches('.').to_owned()),
    }
}

/// Unpacks every gzip file but the archive, which is read on its own; tells how many there are.
async fn checksums(work: &mut Work<'_>) -> Result<usize, Error> {
    let archive = work.keys().archive();
    let packed: Vec<String> = work.listed.keys().filter(|key| is_packed(key)).cloned().collect();
    for key in packed.iter().filter(|key| **key != archive) {
        let stream = work.stream(key).await?;
        match check_gzip(stream, Limits::default()).await {
            Ok(_) => {}
            Err(error) if error.is_damage() => {
                let finding = Finding::of_file(DIGESTS.0, key, chain(&error));
                work.report.problem(finding.with_hint(CHOOSE_ANOTHER));
            }
            Err(source) => {
                return Err(Error::Archive { name: work.name().to_owned(), source });
            }
        }
    }
    Ok(packed.len())
}

#[expect(clippy::case_sensitive_file_extension_comparisons, reason = "keys are not file names")]
fn is_packed(key: &str) -> bool {
    key.ends_with(".gz")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_may_have_more_fields_than_are_known_but_none_less_or_other() {
        let expected = json!({"a": {"b": 1, "c": [1, 2]}, "d": null});
        let told = |found: Value| first_difference(&expected, &found, "");
        assert_eq!(told(json!({"a": {"b": 1, "c": [1, 2], "x": 1}, "d": null, "y": 1})), None);
        assert_eq!(told(json!({"a": {"b": 2, "c": [1, 2]}})).as_deref(), Some("a.b"));
        assert_eq!(told(json!({"a": {"b": 1, "c": [1]}})).as_deref(), Some("a.c"));
        assert_eq!(told(json!({})).as_deref(), Some("a"));
    }
}
