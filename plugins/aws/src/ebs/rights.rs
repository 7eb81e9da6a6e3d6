//! Whether the caller may do what an operation needs: EC2's dry runs.

use std::error::Error as StdError;

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{ResourceType, TagSpecification, VolumeType};
use bowline_api::{Operation, Right, SnapshotterError};

use super::client::{Ec2, Repeat};
use super::fault::{Fault, Kind};
use super::pace::Call;
use super::{ids, tags};

/// What EC2 answers to a dry run of something that is allowed, and of something that is not.
const ALLOWED: &str = "DryRunOperation";
const FORBIDDEN: &str = "UnauthorizedOperation";

/// How many snapshots are looked at to find one to try with; EC2 takes no less.
const FEW: i32 = 5;

/// What EC2 says against something; nothing if it is allowed.
type Refusal = Option<String>;

impl Ec2 {
    /// Asks for each right that an operation needs. What cannot be asked is left out.
    pub(super) async fn rights(
        &self,
        operation: Operation,
        subject: Option<&str>,
    ) -> Result<Vec<Right>, SnapshotterError> {
        let rights = match operation {
            Operation::Backup => self.rights_to_back_up(subject).await,
            Operation::Restore => self.rights_to_restore().await,
            Operation::Delete => self.rights_to_delete(subject).await,
            Operation::TakeDown => self.rights_to_take_down().await,
        };
        rights
            .map_err(|fault| fault.about("ask for", self.place("the rights of these credentials")))
    }

    async fn rights_to_back_up(&self, volume_id: Option<&str>) -> Result<Vec<Right>, Fault> {
        let mut rights = self.rights_to_describe().await?;
        if let Some(id) = volume_id.filter(|id| ids::is_volume(id)) {
            let order = self.client().create_snapshot().volume_id(id).dry_run(true);
            let send = |tags| order.clone().set_tag_specifications(tags).send();
            let call = (Call::CreateSnapshot, "ec2:CreateSnapshot", ResourceType::Snapshot);
            rights.extend(self.rights_to_create(call, send).await?);
        }
        Ok(rights)
    }

    async fn rights_to_restore(&self) -> Result<Vec<Right>, Fault> {
        let mut rights = self.rights_to_describe().await?;
        let zones = self.available_zones().await;
        let zone = zones.as_ref().ok().and_then(|zones| zones.first().cloned());
        rights.push(right("ec2:DescribeAvailabilityZones", refusal(zones)?));
        if let Some(zone) = zone {
            let order = self.client().create_volume().availability_zone(zone).size(1);
            let order = order.volume_type(VolumeType::Gp3).dry_run(true);
            let send = |tags| order.clone().set_tag_specifications(tags).send();
            let call = (Call::CreateVolume, "ec2:CreateVolume", ResourceType::Volume);
            rights.extend(self.rights_to_create(call, send).await?);
        }
        Ok(rights)
    }

    async fn rights_to_delete(&self, snapshot_id: Option<&str>) -> Result<Vec<Right>, Fault> {
        let mut rights = vec![self.right_to_describe_snapshots().await?];
        let id = match snapshot_id.filter(|id| ids::is_snapshot(id)) {
            Some(id) => Some(id.to_owned()),
            None => self.a_snapshot_of_ours().await?,
        };
        let Some(id) = id else { return Ok(rights) };
        let request = self.client().delete_snapshot().snapshot_id(id).dry_run(true);
        let send = || request.clone().send();
        let answer = self.send(Call::DeleteSnapshot, Repeat::Always, send).await;
        rights.extend(told(answer)?.map(|refusal| right("ec2:DeleteSnapshot", refusal)));
        Ok(rights)
    }

    /// Tried on a volume that bowline made: policies tell it by its tags from all others.
    async fn rights_to_take_down(&self) -> Result<Vec<Right>, Fault> {
        let Some(id) = self.a_volume_of_ours().await? else { return Ok(Vec::new()) };
        let request = self.client().delete_volume().volume_id(id).dry_run(true);
        let send = || request.clone().send();
        let answer = self.send(Call::DeleteVolume, Repeat::Always, send).await;
        Ok(told(answer)?.map(|refusal| right("ec2:DeleteVolume", refusal)).into_iter().collect())
    }

    async fn rights_to_describe(&self) -> Result<Vec<Right>, Fault> {
        let request = self.client().describe_volumes().max_results(FEW).dry_run(true);
        let send = || request.clone().send();
        let volumes = self.send(Call::DescribeVolumes, Repeat::Always, send).await;
        let volumes = right("ec2:DescribeVolumes", refusal(volumes)?);
        Ok(vec![self.right_to_describe_snapshots().await?, volumes])
    }

    async fn right_to_describe_snapshots(&self) -> Result<Right, Fault> {
        let request = self.describe_own_snapshots().max_results(FEW).dry_run(true);
        let send = || request.clone().send();
        let snapshots = self.send(Call::DescribeSnapshots, Repeat::Always, send).await;
        Ok(right("ec2:DescribeSnapshots", refusal(snapshots)?))
    }

    /// A creation with tags needs `ec2:CreateTags`, too. Which of the two is missing, a dry run
    /// without tags tells.
    async fn rights_to_create<T, E, F>(
        &self,
        (call, action, resource): (Call, &str, ResourceType),
        send: impl Fn(Option<Vec<TagSpecification>>) -> F + Send + Sync,
    ) -> Result<Vec<Right>, Fault>
    where
        F: Future<Output = Result<T, SdkError<E>>> + Send,
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
        T: Send,
    {
        let sample = [(tags::TOKEN.to_owned(), "dry-run".to_owned())].into();
        let sample = vec![tags::specification(resource, &sample)];
        let tagged = self.send(call, Repeat::Always, || send(Some(sample.clone()))).await;
        let Some(tagged) = told(tagged)? else { return Ok(Vec::new()) };
        let plain = match &tagged {
            None => Some(None),
            Some(_) => told(self.send(call, Repeat::Always, || send(None)).await)?,
        };
        Ok(match plain {
            Some(None) => vec![right(action, None), right("ec2:CreateTags", tagged)],
            Some(refusal) => vec![right(action, refusal)],
            None => vec![right(action, tagged)],
        })
    }

    async fn a_snapshot_of_ours(&self) -> Result<Option<String>, Fault> {
        let filter = tags::has_key(tags::TOKEN);
        let request = self.describe_own_snapshots().filters(filter).max_results(FEW);
        let send = || request.clone().send();
        match self.send(Call::DescribeSnapshots, Repeat::Always, send).await {
            Ok(page) => {
                Ok(page.snapshots().first().and_then(|one| one.snapshot_id().map(str::to_owned)))
            }
            Err(fault) if fault.code() == Some(FORBIDDEN) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    async fn a_volume_of_ours(&self) -> Result<Option<String>, Fault> {
        let filter = tags::has_key(tags::MADE_FROM);
        let request = self.client().describe_volumes().filters(filter).max_results(FEW);
        let send = || request.clone().send();
        match self.send(Call::DescribeVolumes, Repeat::Always, send).await {
            Ok(page) => {
                Ok(page.volumes().first().and_then(|one| one.volume_id().map(str::to_owned)))
            }
            Err(fault) if fault.code() == Some(FORBIDDEN) => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}

fn right(action: &str, refusal: Refusal) -> Right {
    Right { action: action.to_owned(), refusal }
}

fn refusal<T>(answer: Result<T, Fault>) -> Result<Refusal, Fault> {
    match answer {
        Ok(_) => Ok(None),
        Err(fault) => match fault.code() {
            Some(ALLOWED) => Ok(None),
            Some(FORBIDDEN) => Ok(Some(fault.to_string())),
            _ => Err(fault),
        },
    }
}

/// As [`refusal`]; nothing if EC2 objected to the sample itself, and so told nothing about rights.
fn told<T>(answer: Result<T, Fault>) -> Result<Option<Refusal>, Fault> {
    match refusal(answer) {
        Err(fault) if fault.code().is_some() && is_final(fault.kind()) => Ok(None),
        answer => answer.map(Some),
    }
}

const fn is_final(kind: Kind) -> bool {
    matches!(kind, Kind::NotFound | Kind::Refused)
}
