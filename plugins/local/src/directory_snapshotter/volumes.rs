//! The volumes that are made from snapshots, each a sibling of the original directory.

use bowline_api::{SnapshotterError, Volume, VolumeOrigin, VolumeRequest, VolumeState};

use super::error::{busy, not_found, refused};
use super::place::{Found, Place};
use super::slot::Complete;
use crate::blocking::Cancel;

/// Makes a volume from a snapshot, or finds the one that this token made.
pub(super) fn create(
    request: &VolumeRequest,
    snapshot: &Complete,
    cancel: &Cancel,
) -> Result<Volume, SnapshotterError> {
    let place = Place::for_request(request)?;
    check(request, snapshot, &place)?;
    let dir = place.make()?;
    let lease = place.lease(&dir)?;
    match place.look(&dir)? {
        Found::Made(record) if record.token == request.token => {
            Ok(place.describe(VolumeState::Available))
        }
        Found::Made(_) => Err(refused(place.what(), "another restore made it")),
        Found::Foreign => Err(refused(place.what(), "it is there, and bowline did not make it")),
        Found::Nothing | Found::Unfinished if lease.is_none() => {
            Ok(place.describe(VolumeState::Creating))
        }
        Found::Nothing | Found::Unfinished => place.fill(&dir, request, snapshot, cancel),
    }
}

fn check(
    request: &VolumeRequest,
    snapshot: &Complete,
    place: &Place,
) -> Result<(), SnapshotterError> {
    let snapshot = &snapshot.record;
    if snapshot.volume_id != request.source_volume_id {
        let reason = format!("snapshot {} is not of {}", snapshot.id, request.source_volume_id);
        return Err(refused(place.what(), reason));
    }
    Ok(())
}

/// Describes a volume that bowline made.
pub(super) fn find(id: &str) -> Result<Volume, SnapshotterError> {
    let place = Place::of(id)?.ok_or_else(|| foreign(id))?;
    let Some(dir) = place.open()? else { return Err(not_found(place.what())) };
    let creating = place.is_leased(&dir)?;
    match place.look(&dir)? {
        Found::Made(_) => Ok(place.describe(VolumeState::Available)),
        Found::Foreign => Err(foreign(id)),
        Found::Nothing | Found::Unfinished if creating => Ok(place.describe(VolumeState::Creating)),
        Found::Nothing | Found::Unfinished => Err(not_found(place.what())),
    }
}

/// Finds what a token made, or left half made.
pub(super) fn made_by(origin: &VolumeOrigin) -> Result<Option<Volume>, SnapshotterError> {
    let place = Place::for_origin(origin)?;
    let Some(dir) = place.open()? else { return Ok(None) };
    let state = match place.look(&dir)? {
        Found::Made(record) if record.token == origin.token => Some(VolumeState::Available),
        Found::Made(_) | Found::Foreign => None,
        Found::Nothing | Found::Unfinished if place.is_leased(&dir)? => Some(VolumeState::Creating),
        Found::Unfinished => Some(unfinished()),
        Found::Nothing => place.is_begun(&dir)?.then(unfinished),
    };
    Ok(state.map(|state| place.describe(state)))
}

fn unfinished() -> VolumeState {
    VolumeState::Failed("it was not completed".to_owned())
}

/// Removes a volume that bowline made, and what is left of attempts to make or to remove it.
pub(super) fn delete(id: &str) -> Result<(), SnapshotterError> {
    let place = Place::of(id)?.ok_or_else(|| foreign(id))?;
    let Some(dir) = place.open()? else { return Ok(()) };
    // Looked at first, so that nothing is written beside what is not ours.
    if matches!(place.look(&dir)?, Found::Foreign) {
        return Err(foreign(id));
    }
    let Some(_lease) = place.lease(&dir)? else { return Err(busy("delete", place.what())) };
    match place.look(&dir)? {
        Found::Foreign => Err(foreign(id)),
        Found::Nothing | Found::Made(_) | Found::Unfinished => place.clear(&dir),
    }
}

fn foreign(id: &str) -> SnapshotterError {
    refused(format!("volume {id}"), "bowline did not make it")
}
