//! Which backup is deleted, and what is of it.

use bowline_api::Tags;

use super::records::Documents;
use crate::engine::model::tombstone::Tombstone;
use crate::engine::model::volume::tags;
use crate::engine::store::{self, BackupKeys, BackupStore};

/// Which backup is deleted: its name may be that of another one tomorrow.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub name: String,
    /// None if nothing tells it.
    pub uid: Option<String>,
    /// The location's URL.
    pub location: String,
}

/// Whose a snapshot is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// This backup.
    Ours,
    /// Another one, or nobody who says so.
    Other,
    /// The same backup in another location, of which this is a copy.
    Elsewhere(String),
}

impl Identity {
    pub(super) fn keys(&self) -> BackupKeys<'_> {
        BackupKeys(&self.name)
    }

    /// Tells by its tags whose a snapshot is.
    ///
    /// Velero has only the name; where there is a UID of ours it decides, too.
    pub(super) fn owner(&self, found: &Tags) -> Owner {
        let is_named = found.get(tags::BACKUP).is_some_and(|name| *name == self.name);
        let uid = found.get(tags::BACKUP_UID);
        if !is_named || (uid.is_some() && uid != self.uid.as_ref()) {
            return Owner::Other;
        }
        match found.get(tags::LOCATION) {
            Some(location) if is_elsewhere(location, &tags::location(&self.location)) => {
                Owner::Elsewhere(location.clone())
            }
            _ => Owner::Ours,
        }
    }

    /// Whether a mark is that of this deletion.
    pub(super) fn is_marked_by(&self, tombstone: &Tombstone) -> bool {
        match (&tombstone.uid, &self.uid) {
            (Some(marked), Some(uid)) => marked == uid,
            _ => true,
        }
    }

    /// Whether all documents that lie under the name are of this backup.
    pub(super) fn is_of(&self, documents: &Documents) -> bool {
        documents.uids().all(|uid| Some(uid) == self.uid.as_deref())
    }

    /// Whether this deletion still has something to do: nobody has finished it meanwhile, and
    /// nobody has made another backup of the name.
    pub(super) async fn is_going(&self, store: &BackupStore) -> Result<bool, store::Error> {
        let tombstone = store.tombstone(&self.name).await?;
        Ok(tombstone.is_some_and(|tombstone| self.is_marked_by(&tombstone))
            && self.is_of(&Documents::read(store, &self.name).await?))
    }
}

/// Whether two locations cannot be the same one.
///
/// A bucket may be spelled with other options. A directory's path tells nothing: it may be mounted
/// anywhere.
fn is_elsewhere(one: &str, other: &str) -> bool {
    let is_directory = |url: &str| url.starts_with("file://");
    let place =
        |url: &str| url.split('?').next().map(|place| place.trim_end_matches('/').to_owned());
    !is_directory(one) && !is_directory(other) && place(one) != place(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(uid: Option<&str>) -> Identity {
        let uid = uid.map(ToOwned::to_owned);
        let location = "s3://bucket/a?region=eu-west-1".to_owned();
        Identity { name: "nightly".to_owned(), uid, location }
    }

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_snapshot_is_of_the_backup_that_its_tags_name_and_of_no_namesake() {
        let name = (tags::BACKUP, "nightly");
        for (pairs, expected) in [
            (&[name, (tags::BACKUP_UID, "a")][..], Owner::Ours),
            (&[name], Owner::Ours),
            (&[name, (tags::BACKUP_UID, "b")], Owner::Other),
            (&[(tags::BACKUP, "weekly"), (tags::BACKUP_UID, "a")], Owner::Other),
            (&[(tags::BACKUP_UID, "a")], Owner::Other),
            (&[("Name", "nightly")], Owner::Other),
            (&[], Owner::Other),
        ] {
            assert_eq!(identity(Some("a")).owner(&tags(pairs)), expected, "{pairs:?}");
        }
        assert_eq!(identity(None).owner(&tags(&[name, (tags::BACKUP_UID, "b")])), Owner::Other);
    }

    #[test]
    fn a_snapshot_of_the_same_backup_in_another_bucket_is_told_from_another_spelling_of_ours() {
        for (location, is_ours) in [
            ("s3://bucket/a", true),
            ("s3://bucket/a/?profile=x", true),
            ("file:///mnt/a", true),
            ("s3://bucket/b", false),
            ("s3://replica/a?region=eu-west-1", false),
        ] {
            let found = tags(&[(tags::BACKUP, "nightly"), (tags::LOCATION, location)]);
            let elsewhere = Owner::Elsewhere(location.to_owned());
            let expected = if is_ours { Owner::Ours } else { elsewhere };
            assert_eq!(identity(Some("a")).owner(&found), expected);
        }
    }
}
