//! Snapshots: made, found and removed.

use aws_sdk_ec2::types::Volume as SourceVolume;
use aws_sdk_ec2::types::{ResourceType, Snapshot as Described, SnapshotState as State};
use bowline_api::{Snapshot, SnapshotRequest, SnapshotState, SnapshotterError, Tags, VolumeSpec};

use super::client::{Ec2, Repeat};
use super::consistency::Missing;
use super::fault::{Fault, Kind};
use super::pace::Call;
use super::{ids, make, recorded, tags};

/// The tags of a request that its snapshot's description is made of.
const BACKUP: &str = "velero.io/backup";
const CLAIM: &str = "bowline.io/claim";

/// The longest description that EC2 takes.
const LONGEST_DESCRIPTION: usize = 255;

/// The types whose IOPS are somebody's choice; of others they follow from the size.
const WITH_IOPS: [&str; 3] = ["gp3", "io1", "io2"];

impl Ec2 {
    /// Starts a snapshot, or finds the one that this token started.
    pub(super) async fn create_snapshot(
        &self,
        request: &SnapshotRequest,
    ) -> Result<Snapshot, SnapshotterError> {
        let what = self.place(format_args!("volume {}", request.volume_id));
        ids::check_volume(&request.volume_id)?;
        ids::check_token(&what, &request.token)?;
        let _turn = self.turns.of(&request.token).await;
        let about = |fault: Fault| fault.about("snapshot", what.clone());
        if let Some(made) = self.snapshot_made_by(&request.token).await.map_err(about)? {
            return Ok(made);
        }
        let source = self.own_volume(&request.volume_id).await.map_err(about)?;
        let source = source.ok_or_else(|| SnapshotterError::NotFound { what: what.clone() })?;
        let tags = tags::of_snapshot(request, &spec(&source));
        let look = || self.snapshot_made_by(&request.token);
        let made = make::once(look, || self.start_snapshot(request, &tags)).await.map_err(about)?;
        self.made_snapshots.remember(&request.token, &made.id, made.clone());
        Ok(made)
    }

    async fn snapshot_made_by(&self, token: &str) -> Result<Option<Snapshot>, Fault> {
        let found = self.snapshot_of_token(token).await?;
        Ok(found.map(own).or_else(|| self.made_snapshots.by_token(token)))
    }

    async fn start_snapshot(
        &self,
        request: &SnapshotRequest,
        tags: &Tags,
    ) -> Result<Snapshot, Fault> {
        let order = self.client().create_snapshot().volume_id(&request.volume_id);
        let order = order
            .description(description(request))
            .tag_specifications(tags::specification(ResourceType::Snapshot, tags));
        let send = || order.clone().send();
        let started = self.send(Call::CreateSnapshot, Repeat::IfNotDone, send).await?;
        let described = Described::builder()
            .set_snapshot_id(started.snapshot_id)
            .set_volume_id(started.volume_id)
            .set_state(started.state)
            .set_state_message(started.state_message)
            .set_progress(started.progress)
            .set_volume_size(started.volume_size)
            .set_encrypted(started.encrypted)
            .set_kms_key_id(started.kms_key_id);
        Ok(snapshot(described.build(), tags.clone()))
    }

    /// Describes a snapshot that is the caller's own, or a trusted account's.
    pub(super) async fn snapshot(
        &self,
        id: &str,
        trusted_accounts: &[String],
    ) -> Result<Snapshot, SnapshotterError> {
        let found = self.usable_snapshot(id, trusted_accounts).await?;
        self.complete.note(&found);
        Ok(found)
    }

    async fn usable_snapshot(
        &self,
        id: &str,
        trusted_accounts: &[String],
    ) -> Result<Snapshot, SnapshotterError> {
        ids::check_snapshot(id)?;
        let what = self.place(format_args!("snapshot {id}"));
        let about = |fault: Fault| fault.unanswered("describe", what.clone());
        if let Some(found) = self.own_snapshot(id).await.map_err(about)? {
            return Ok(own(found));
        }
        if let Missing::NotYet(made) = self.made_snapshots.missing(id) {
            return Ok(made);
        }
        let found = self.anybodys_snapshot(id).await.map_err(about)?;
        let found = found.ok_or_else(|| SnapshotterError::NotFound { what: what.clone() })?;
        let owner = found.owner_id().unwrap_or_default().to_owned();
        if trusted_accounts.contains(&owner) {
            return Ok(Snapshot { shared_by: Some(owner), ..snapshot(found, Tags::new()) });
        }
        let reason = format!(
            "it belongs to account {owner}; name that in --trusted-accounts to use its snapshots"
        );
        Err(SnapshotterError::Refused { what, reason })
    }

    /// Finds the caller's own snapshots that carry exactly this tag; those, too, that this process
    /// made so lately that EC2 may not show them yet.
    pub(super) async fn snapshots_tagged(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<Snapshot>, SnapshotterError> {
        let value = tags::fit_value(value);
        let found = self.snapshots_with_tag(key, &value).await.map_err(|fault| {
            fault.about(
                "list",
                self.place(format_args!("the list of snapshots tagged {key}={value}")),
            )
        })?;
        let mut found: Vec<Snapshot> = found.into_iter().map(own).collect();
        for made in self.made_snapshots.lately() {
            if found.iter().all(|snapshot| snapshot.id != made.id) {
                found.push(made);
            }
        }
        found.retain(|snapshot| snapshot.tags.get(key) == Some(&value));
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }

    /// Removes a snapshot.
    pub(super) async fn delete_snapshot(&self, id: &str) -> Result<(), SnapshotterError> {
        ids::check_snapshot(id)?;
        let request = self.client().delete_snapshot().snapshot_id(id);
        let send = || request.clone().send();
        match self.send(Call::DeleteSnapshot, Repeat::Always, send).await {
            Err(fault) if fault.kind() != Kind::NotFound => {
                Err(fault.about("delete", self.place(format_args!("snapshot {id}"))))
            }
            Ok(_) | Err(_) => {
                self.made_snapshots.forget(id);
                self.complete.forget(id);
                Ok(())
            }
        }
    }
}

fn description(request: &SnapshotRequest) -> String {
    let tag = |key: &str| request.tags.get(key).map_or("?", String::as_str);
    let text = format!("bowline: backup {} of {}", tag(BACKUP), tag(CLAIM));
    text.chars().take(LONGEST_DESCRIPTION).collect()
}

/// What a volume is like, so that a restored one is like it.
fn spec(volume: &SourceVolume) -> VolumeSpec {
    let volume_type = volume.volume_type().map(|name| name.as_str().to_owned());
    let volume_type = volume_type.unwrap_or_default();
    let iops = volume.iops().filter(|_| WITH_IOPS.contains(&volume_type.as_str()));
    VolumeSpec {
        zone: volume.availability_zone().map(str::to_owned),
        iops: iops.map(i64::from),
        throughput: volume.throughput().map(i64::from),
        size_gib: volume.size().map(i64::from),
        encrypted: volume.encrypted(),
        kms_key_id: volume.kms_key_id().map(str::to_owned),
        multi_attach: volume.multi_attach_enabled(),
        tags: tags::of_volume(Some(volume.tags())),
        volume_type,
    }
}

/// One of the caller's own snapshots.
fn own(described: Described) -> Snapshot {
    let tags = tags::read(described.tags.as_deref());
    snapshot(described, tags)
}

fn snapshot(described: Described, tags: Tags) -> Snapshot {
    let state = state(&described);
    let told = recorded::Described {
        size_gib: described.volume_size.map(i64::from),
        encrypted: described.encrypted,
        kms_key_id: described.kms_key_id,
    };
    Snapshot {
        id: described.snapshot_id.unwrap_or_default(),
        volume_id: described.volume_id.unwrap_or_default(),
        state,
        volume: recorded::read(&tags, told),
        tags,
        shared_by: None,
    }
}

fn state(described: &Described) -> SnapshotState {
    let why = |otherwise: &str| {
        let message = described.state_message().filter(|message| !message.is_empty());
        SnapshotState::Failed(message.unwrap_or(otherwise).to_owned())
    };
    match described.state() {
        Some(State::Completed) => SnapshotState::Completed,
        Some(State::Pending) | None => SnapshotState::Pending(percent(described.progress())),
        Some(State::Recovering) => SnapshotState::Pending(None),
        Some(State::Recoverable) => why("it lies in the recycle bin: recover it there first"),
        Some(State::Error) => why("EC2 could not complete it and says no more"),
        Some(other) => why(&format!("EC2 says that it is \"{}\"", other.as_str())),
    }
}

/// `73%`; EC2 may say nothing at first.
fn percent(progress: Option<&str>) -> Option<u8> {
    progress?.strip_suffix('%')?.parse().ok().filter(|percent| *percent <= 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(state: State, message: &str, progress: &str) -> Described {
        Described::builder().state(state).state_message(message).progress(progress).build()
    }

    #[test]
    fn the_state_of_a_snapshot_says_how_far_it_is_and_why_not() {
        for (given, expected) in [
            (described(State::Completed, "", "100%"), SnapshotState::Completed),
            (described(State::Pending, "", "73%"), SnapshotState::Pending(Some(73))),
            (described(State::Pending, "", ""), SnapshotState::Pending(None)),
            (described(State::Pending, "", "900%"), SnapshotState::Pending(None)),
            (Described::builder().build(), SnapshotState::Pending(None)),
            (described(State::Recovering, "", ""), SnapshotState::Pending(None)),
            (
                described(State::Error, "the key is gone", "40%"),
                SnapshotState::Failed("the key is gone".to_owned()),
            ),
        ] {
            assert_eq!(state(&given), expected, "{given:?}");
        }
        for silent in [State::Error, State::Recoverable, State::from("odd")] {
            let SnapshotState::Failed(reason) = state(&described(silent, "", "")) else {
                panic!("it will never complete");
            };
            assert!(!reason.is_empty());
        }
    }

    #[test]
    fn a_description_says_what_the_snapshot_is_for_and_fits() {
        let mut request = SnapshotRequest {
            volume_id: "vol-1".to_owned(),
            token: "t".to_owned(),
            tags: [
                (BACKUP.to_owned(), "nightly".to_owned()),
                (CLAIM.to_owned(), "shop/data".to_owned()),
            ]
            .into(),
        };
        assert_eq!(description(&request), "bowline: backup nightly of shop/data");
        request.tags.insert(CLAIM.to_owned(), "ß".repeat(300));
        assert_eq!(description(&request).chars().count(), LONGEST_DESCRIPTION);
    }
}
