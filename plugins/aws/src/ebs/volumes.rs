//! Volumes made from snapshots: made, found and removed.

use aws_sdk_ec2::operation::create_volume::builders::CreateVolumeInputBuilder;
use aws_sdk_ec2::types::{Volume as Described, VolumeState as State};
use bowline_api::{
    SnapshotState, SnapshotterError, Volume, VolumeOrigin, VolumeRequest, VolumeState,
};

use super::client::{Ec2, Repeat};
use super::complete::SharedBy;
use super::consistency::Missing;
use super::fault::{Fault, Kind};
use super::options::EbsOptions;
use super::order::{self, Site};
use super::pace::Call;
use super::{ids, make, tags};

/// EC2 gives no reasons when a volume that it accepted comes to nothing.
const LIKELY_CAUSES: &str = "EC2 gives no reason; most often these credentials may not use the KMS \
     key, or the zone has no room for a volume of this type";

impl Ec2 {
    /// Starts to make a volume, or finds the one that this token started.
    pub(super) async fn create_volume(
        &self,
        request: &VolumeRequest,
        options: &EbsOptions,
    ) -> Result<Volume, SnapshotterError> {
        let what = self.place(format_args!("a volume from snapshot {}", request.snapshot_id));
        ids::check_snapshot(&request.snapshot_id)?;
        ids::check_token(&what, &request.token)?;
        let _turn = self.turns.of(&request.token).await;
        let about = |fault: Fault| fault.about("create", what.clone());
        if let Some(made) = self.volume_made_by(&request.token).await.map_err(about)? {
            return Ok(made);
        }
        let order = self.order(request, options).await?;
        let look = || self.volume_made_by(&request.token);
        let made = make::once(look, || self.start_volume(&order)).await.map_err(about)?;
        self.made_volumes.remember(&request.token, &made.id, made.clone());
        Ok(made)
    }

    /// Words the request, for a snapshot that may be used.
    async fn order(
        &self,
        request: &VolumeRequest,
        options: &EbsOptions,
    ) -> Result<CreateVolumeInputBuilder, SnapshotterError> {
        let shared_by = self.source(&request.snapshot_id, &options.trusted_accounts).await?;
        let site = Site { region: self.region(), shared_by: shared_by.as_deref() };
        order::volume(request, options, site)
    }

    /// Tells who shares a snapshot, which may be used and must be complete.
    async fn source(
        &self,
        id: &str,
        trusted_accounts: &[String],
    ) -> Result<SharedBy, SnapshotterError> {
        if let Some(shared_by) = self.complete.get(id) {
            return Ok(shared_by);
        }
        let snapshot = self.snapshot(id, trusted_accounts).await?;
        if snapshot.state != SnapshotState::Completed {
            let what = self.place(format_args!("snapshot {id}"));
            return Err(refused(what, "it is not complete"));
        }
        Ok(snapshot.shared_by)
    }

    async fn volume_made_by(&self, token: &str) -> Result<Option<Volume>, Fault> {
        let found = self.volumes_of_token(token).await?;
        // One that merely took over the tags of a snapshot was made by somebody else.
        let found = found.iter().find(|volume| is_made_here(volume) && !is_going(volume));
        Ok(found.map(volume).or_else(|| self.made_volumes.by_token(token)))
    }

    /// Finds the volume that a token made.
    pub(super) async fn volume_of(
        &self,
        origin: &VolumeOrigin,
    ) -> Result<Option<Volume>, SnapshotterError> {
        let what = self.place(format_args!("the volume for {}", origin.persistent_volume));
        ids::check_token(&what, &origin.token)?;
        self.volume_made_by(&origin.token).await.map_err(|fault| fault.about("find", what))
    }

    async fn start_volume(&self, order: &CreateVolumeInputBuilder) -> Result<Volume, Fault> {
        let send = || order.clone().send_with(self.client());
        let started = self.send(Call::CreateVolume, Repeat::IfNotDone, send).await?;
        let described = Described::builder()
            .set_volume_id(started.volume_id)
            .set_availability_zone(started.availability_zone)
            .set_state(started.state);
        Ok(volume(&described.build()))
    }

    /// Describes a volume.
    pub(super) async fn volume(&self, id: &str) -> Result<Volume, SnapshotterError> {
        ids::check_volume(id)?;
        let what = self.place(format_args!("volume {id}"));
        let found = self.own_volume(id).await;
        let found = found.map_err(|fault| fault.about("describe", what.clone()))?;
        if let Some(found) = found.filter(|volume| !is_going(volume)) {
            return Ok(volume(&found));
        }
        match self.made_volumes.missing(id) {
            Missing::NotYet(made) => Ok(made),
            Missing::Gone => {
                let state = VolumeState::Failed(format!("it vanished: {LIKELY_CAUSES}"));
                Ok(Volume { id: id.to_owned(), state, zone: None })
            }
            Missing::Unknown => Err(SnapshotterError::NotFound { what }),
        }
    }

    /// Removes a volume that bowline made.
    pub(super) async fn delete_volume(&self, id: &str) -> Result<(), SnapshotterError> {
        ids::check_volume(id)?;
        let what = self.place(format_args!("volume {id}"));
        let about = |fault: Fault| fault.about("delete", what.clone());
        match self.own_volume(id).await.map_err(about)? {
            Some(volume) if !is_made_here(&volume) => {
                return Err(refused(what, "bowline did not make it"));
            }
            None if self.made_volumes.missing(id) == Missing::Unknown => return Ok(()),
            _ => {}
        }
        let request = self.client().delete_volume().volume_id(id);
        let send = || request.clone().send();
        match self.send(Call::DeleteVolume, Repeat::Always, send).await {
            Err(fault) if fault.kind() != Kind::NotFound => Err(about(fault)),
            Ok(_) | Err(_) => {
                self.made_volumes.forget(id);
                Ok(())
            }
        }
    }
}

/// Tells whether bowline made this volume: it says from which snapshot, and EC2 says the same.
fn is_made_here(volume: &Described) -> bool {
    let tags = tags::read(Some(volume.tags()));
    let made_from = tags.get(tags::MADE_FROM).map(String::as_str);
    tags.contains_key(tags::TOKEN) && made_from.is_some() && made_from == volume.snapshot_id()
}

fn is_going(volume: &Described) -> bool {
    matches!(volume.state(), Some(State::Deleting | State::Deleted))
}

fn volume(described: &Described) -> Volume {
    let state = match described.state() {
        Some(State::Available | State::InUse) => VolumeState::Available,
        Some(State::Creating) | None => VolumeState::Creating,
        Some(State::Error) => VolumeState::Failed(LIKELY_CAUSES.to_owned()),
        Some(other) => VolumeState::Failed(format!("EC2 says that it is \"{}\"", other.as_str())),
    };
    Volume {
        id: described.volume_id().unwrap_or_default().to_owned(),
        state,
        zone: described.availability_zone().map(str::to_owned),
    }
}

fn refused(what: String, reason: &str) -> SnapshotterError {
    SnapshotterError::Refused { what, reason: reason.to_owned() }
}
