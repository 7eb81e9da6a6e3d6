//! Questions to EC2 about snapshots and volumes, many in one call.

use std::collections::BTreeMap;

use aws_sdk_ec2::operation::describe_snapshots::builders::DescribeSnapshotsFluentBuilder;
use aws_sdk_ec2::types::{Filter, Snapshot, Volume};

use super::client::{Ec2, Repeat};
use super::fault::{Fault, Kind};
use super::pace::Call;
use super::tags;

/// The most that EC2 describes in one page.
const PAGE: i32 = 1000;

/// The caller's own account.
const SELF: &str = "self";

/// The volumes that carry one token.
pub(super) type TaggedVolumes = Vec<Volume>;

impl Ec2 {
    /// Finds one of the caller's own snapshots.
    pub(super) async fn own_snapshot(&self, id: &str) -> Result<Option<Snapshot>, Fault> {
        let fetch = |ids| async {
            let found = self.own_snapshots(is_one_of("snapshot-id", ids)).await?;
            Ok(by(found, |snapshot| snapshot.snapshot_id().map(str::to_owned)))
        };
        self.snapshots.ask(id.to_owned(), fetch).await
    }

    /// Finds the snapshot that a token made.
    pub(super) async fn snapshot_of_token(&self, token: &str) -> Result<Option<Snapshot>, Fault> {
        let fetch = |tokens| async {
            let filter = tags::is_one_of(tags::TOKEN, tokens);
            let found = self.own_snapshots(filter).await?;
            Ok(by(found, |snapshot| tags::read(Some(snapshot.tags())).remove(tags::TOKEN)))
        };
        self.snapshots_by_token.ask(token.to_owned(), fetch).await
    }

    /// Finds the caller's own snapshots that carry a tag.
    pub(super) async fn snapshots_with_tag(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<Snapshot>, Fault> {
        self.own_snapshots(tags::is_one_of(key, [value])).await
    }

    /// Looks at a snapshot, whoever's it is.
    ///
    /// By id and not by filter, which would go through all public snapshots of the region.
    pub(super) async fn anybodys_snapshot(&self, id: &str) -> Result<Option<Snapshot>, Fault> {
        let request = self.client().describe_snapshots().snapshot_ids(id);
        let answer =
            self.send(Call::DescribeSnapshots, Repeat::Always, || request.clone().send()).await;
        match answer {
            Ok(answer) => Ok(answer.snapshots.unwrap_or_default().pop()),
            Err(fault) if fault.kind() == Kind::NotFound => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Finds a volume, which is always the caller's own.
    pub(super) async fn own_volume(&self, id: &str) -> Result<Option<Volume>, Fault> {
        let fetch = |ids| async {
            let found = self.own_volumes(is_one_of("volume-id", ids)).await?;
            Ok(by(found, |volume| volume.volume_id().map(str::to_owned)))
        };
        self.volumes.ask(id.to_owned(), fetch).await
    }

    /// Finds the volumes that carry a token.
    pub(super) async fn volumes_of_token(&self, token: &str) -> Result<TaggedVolumes, Fault> {
        let fetch = |tokens| async {
            let filter = tags::is_one_of(tags::TOKEN, tokens);
            Ok(by_token(self.own_volumes(filter).await?))
        };
        Ok(self.volumes_by_token.ask(token.to_owned(), fetch).await?.unwrap_or_default())
    }

    /// Names the zones in which volumes can be made, in order.
    pub(super) async fn available_zones(&self) -> Result<Vec<String>, Fault> {
        let available = is_one_of("state", vec!["available".to_owned()]);
        let request = self.client().describe_availability_zones().filters(available);
        let send = || request.clone().send();
        let answer = self.send(Call::DescribeAvailabilityZones, Repeat::Always, send).await?;
        let zones = answer.availability_zones.unwrap_or_default();
        let mut zones: Vec<_> = zones.into_iter().filter_map(|zone| zone.zone_name).collect();
        zones.sort();
        Ok(zones)
    }

    pub(super) fn describe_own_snapshots(&self) -> DescribeSnapshotsFluentBuilder {
        self.client().describe_snapshots().owner_ids(SELF)
    }

    async fn own_snapshots(&self, filter: Filter) -> Result<Vec<Snapshot>, Fault> {
        let request = self.describe_own_snapshots().filters(filter).max_results(PAGE);
        let mut found = Vec::new();
        let mut next = None;
        loop {
            let page = || request.clone().set_next_token(next.clone()).send();
            let page = self.send(Call::DescribeSnapshots, Repeat::Always, page).await?;
            found.extend(page.snapshots.unwrap_or_default());
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(found);
            }
        }
    }

    async fn own_volumes(&self, filter: Filter) -> Result<Vec<Volume>, Fault> {
        let request = self.client().describe_volumes().filters(filter).max_results(PAGE);
        let mut found = Vec::new();
        let mut next = None;
        loop {
            let page = || request.clone().set_next_token(next.clone()).send();
            let page = self.send(Call::DescribeVolumes, Repeat::Always, page).await?;
            found.extend(page.volumes.unwrap_or_default());
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(found);
            }
        }
    }
}

fn is_one_of(name: &str, values: Vec<String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values)).build()
}

fn by<T>(found: Vec<T>, key: impl Fn(&T) -> Option<String>) -> BTreeMap<String, T> {
    found.into_iter().filter_map(|one| Some((key(&one)?, one))).collect()
}

fn by_token(volumes: Vec<Volume>) -> BTreeMap<String, TaggedVolumes> {
    let mut found: BTreeMap<String, TaggedVolumes> = BTreeMap::new();
    for volume in volumes {
        if let Some(token) = tags::read(volume.tags.as_deref()).remove(tags::TOKEN) {
            found.entry(token).or_default().push(volume);
        }
    }
    found
}
