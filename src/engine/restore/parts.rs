//! Reads no more of an archive of ours than a restore may ask for.

use super::claims::claims;
use super::error::Error;
use super::known;
use super::open::{self, Opened, unreadable};
use crate::engine::archive::{self, Contents, Index, Limits, Parts};
use crate::engine::model::backup::Backup;
use crate::engine::model::filter::NamespaceFilter;
use crate::engine::model::restore::RestoreSpec;
use crate::engine::store::{self, BackupKeys, BackupStore, Digest, Digests};

/// What of a backup may be asked for.
#[derive(Debug)]
pub(super) enum Wanted {
    /// All of it.
    All,
    /// What belongs to no namespace, or to one of these.
    Namespaces(NamespaceFilter),
    /// Which objects it holds, and the claims among them.
    Claims,
}

impl Wanted {
    /// What a restore may ask for, by what it was asked for.
    pub(super) fn by(spec: &RestoreSpec) -> Self {
        match NamespaceFilter::new(&spec.included_namespaces, &spec.excluded_namespaces) {
            Ok(filter) if !filter.is_everything() => Self::Namespaces(filter),
            // One that is not valid is told once the backup was found.
            Ok(_) | Err(_) => Self::All,
        }
    }

    /// The parts of an archive that are to be read; none where all of it is, as little would be left.
    ///
    /// What a restore looks at beside its objects is of the cluster, or the first one of a kind that
    /// nothing else describes. Should that ever be too little, [`complete`] makes up for it.
    fn parts(&self, index: &Index) -> Option<Parts> {
        let namespaces = match self {
            Self::All => return None,
            Self::Claims => {
                return index.parts(|entry| *entry.resource() == claims()).ok();
            }
            Self::Namespaces(filter) => filter,
        };
        let mut last = None;
        let parts = index.parts(|entry| {
            let resource = entry.resource();
            let is_first = last.replace(resource) != Some(resource);
            entry.namespace().is_none_or(|name| namespaces.includes(name))
                || is_first && known::is_told_by_objects(resource, |id| index.find(id).is_some())
        });
        parts.ok().filter(|parts| parts.size() <= index.archive_size() / 2)
    }
}

/// Reads what is wanted of an archive of ours; none where all of it has to be read, which also tells what
/// is wrong with it.
pub(super) async fn read(
    store: &BackupStore,
    backup: &Backup,
    digests: &Digests,
    wanted: &Wanted,
) -> Result<Option<Contents>, Error> {
    if matches!(wanted, Wanted::All) {
        return Ok(None);
    }
    let name = &backup.metadata.name;
    let Some(index) = index(store, backup, digests).await? else { return Ok(None) };
    let Some(parts) = wanted.parts(&index) else { return Ok(None) };
    let get = |range| store.archive_range(name, range);
    match archive::read_parts(index, parts, get, Limits::default()).await {
        Ok(contents) => Ok(Some(contents)),
        Err(error) if error.is_damage() => Ok(None),
        Err(error) => Err(Error::of_archive(name, error)),
    }
}

/// Reads the index of an archive that is there; none where it is not the one that was written.
async fn index(
    store: &BackupStore,
    backup: &Backup,
    digests: &Digests,
) -> Result<Option<Index>, Error> {
    let name = &backup.metadata.name;
    let key = BackupKeys(name).index();
    let Some(packed) = if_sound(store.bytes(&key).await)? else { return Ok(None) };
    if digests.check(&key, &Digest::of(&packed)).is_err() {
        return Ok(None);
    }
    let parsed = tokio::task::spawn_blocking(move || Index::parse(&packed, &Limits::default()));
    let parsed = parsed.await.map_err(|error| Error::of_archive(name, error.into()))?;
    let Ok(index) = parsed else { return Ok(None) };
    let (size, sha256) = (index.archive_size(), index.archive_sha256().to_owned());
    let is_of_backup = open::check_archive(backup, Some(digests), &Digest { size, sha256 }).is_ok();
    let is_there = is_of_backup && if_sound(store.archive_size(name).await)? == Some(size);
    Ok(is_there.then_some(index))
}

/// What was read; none where it is not there, or damaged.
fn if_sound<T>(read: Result<T, store::Error>) -> Result<Option<T>, Error> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.is_not_found() || error.is_damage() => Ok(None),
        Err(error) => Err(Error::Location(error)),
    }
}

/// Reads all of an archive after all, if something was asked for that had been left out; tells whether it
/// did.
pub(super) async fn complete(store: &BackupStore, opened: &Opened) -> Result<bool, Error> {
    if !opened.contents.is_lacking() {
        return Ok(false);
    }
    let name = &opened.backup.metadata.name;
    let digests = store.digests(&opened.backup).await;
    let digests = digests.map_err(|error| unreadable(error, name))?;
    let whole = open::whole(store, &opened.backup, digests.as_ref()).await?;
    opened.contents.complete(whole).map_err(|error| Error::of_archive(name, error))?;
    Ok(true)
}
