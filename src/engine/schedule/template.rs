//! What a run of a schedule asks for.

use crate::engine::backup::{ApiVersions, PolicySource, Request};
use crate::engine::model::backup::BackupSpec;
use crate::engine::model::duration::{self, GoDuration};
use crate::engine::model::policy::{self, Origin, Policies};
use crate::engine::model::schedule::{SCHEDULE_LABEL, Schedule, VolumePolicies};
use crate::engine::model::selector::{Selector, Selectors};

/// What is wrong with a schedule, so that no backup is made of it.
#[derive(Debug, thiserror::Error)]
#[error("schedule \"{schedule}\" cannot be used: {field}")]
pub struct Error {
    /// The schedule.
    pub schedule: String,
    /// The field that is not what it should be; several, if they are not known.
    pub field: String,
    /// What is wrong with it.
    pub source: Fault,
}

/// What is wrong with a field.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A later version, or Velero, asks for more.
    #[error("this version of bowline does not do what that asks for")]
    Unheeded,
    /// It is no selector.
    #[error(transparent)]
    Selector(#[from] serde_json::Error),
    /// It is no duration.
    #[error(transparent)]
    Duration(#[from] duration::Error),
    /// They are no policies.
    #[error(transparent)]
    Policies(Box<policy::Error>),
}

/// Fails if a schedule asks for what this version of bowline does not do.
pub fn check(schedule: &Schedule) -> Result<(), Error> {
    let fields = schedule.unheeded();
    if fields.is_empty() {
        return Ok(());
    }
    let (schedule, field) = (schedule.name().to_owned(), fields.join(", "));
    Err(Error { schedule, field, source: Fault::Unheeded })
}

/// The backup that a run asks for under this name.
///
/// It is labelled with the schedule's name and the schedule's own labels; those of the template stand
/// in their place, as in Velero. Where there are rules it gets no time at which it goes: a Velero on
/// the same bucket would delete it then, and knows no rules.
pub fn request(schedule: &Schedule, backup: &str) -> Result<Request, Error> {
    check(schedule)?;
    let failed = |field: &'static str| {
        move |source: Fault| {
            let (schedule, field) = (schedule.name().to_owned(), field.to_owned());
            Error { schedule, field, source }
        }
    };
    let mut spec = schedule.spec.template.clone();
    let template = std::mem::take(&mut spec.metadata).labels;
    let mut labels = if template.is_empty() { schedule.metadata.labels.clone() } else { template };
    labels.insert(SCHEDULE_LABEL.to_owned(), schedule.name().to_owned());
    let ttl = spec.ttl.take().filter(|_| schedule.bowline.keep.is_empty());
    let ttl = ttl.map(|ttl| ttl.parse::<GoDuration>());
    let ttl = ttl.transpose().map_err(Fault::from).map_err(failed("ttl"))?;
    Ok(Request {
        name: backup.to_owned(),
        labels,
        annotations: schedule.metadata.annotations.clone(),
        selectors: selectors(&spec).map_err(Fault::from).map_err(failed("labelSelector"))?,
        policies: (schedule.bowline.volume_policies.as_ref())
            .map(policy_source)
            .transpose()
            .map_err(Box::new)
            .map_err(Fault::Policies)
            .map_err(failed("volumePolicies"))?,
        spec,
        ttl: ttl.and_then(GoDuration::to_std),
        replace_incomplete: false,
        api_versions: if schedule.bowline.all_api_versions {
            ApiVersions::All
        } else {
            ApiVersions::Preferred
        },
    })
}

fn selectors(spec: &BackupSpec) -> Result<Selectors, serde_json::Error> {
    let recorded = spec.label_selector.iter().chain(&spec.or_label_selectors);
    let read = recorded.map(|selector| serde_json::from_value::<Selector>(selector.clone()));
    Ok(Selectors::new(read.collect::<Result<Vec<_>, _>>()?))
}

/// Where a backup finds the policies that are recorded so.
pub fn policy_source(recorded: &VolumePolicies) -> Result<PolicySource, policy::Error> {
    match recorded {
        VolumePolicies::ConfigMap { namespace, name } => {
            let (namespace, name) = (namespace.clone(), name.clone());
            Ok(PolicySource::ConfigMap { namespace, name })
        }
        VolumePolicies::File { name, text } => {
            let policies = Policies::read(Origin::File(name.clone()), text)?;
            Ok(PolicySource::Given(policies))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_time_to_live_is_asked_for_only_where_there_are_no_rules() {
        let ttl = |keep| {
            let schedule: Schedule = serde_json::from_value(json!({
                "apiVersion": "velero.io/v1", "kind": "Schedule", "metadata": {"name": "nightly"},
                "spec": {"template": {"ttl": "24h0m0s"}, "schedule": "0 2 * * *"},
                "bowline": {"clusterUid": "c1", "since": "2026-11-01T00:00:00Z", "keep": keep},
            }))
            .unwrap();
            let request = request(&schedule, "nightly-1").unwrap();
            assert_eq!(request.spec.ttl, None);
            request.ttl.map(|ttl| ttl.as_secs() / 3600)
        };
        assert_eq!(ttl(json!({})), Some(24));
        assert_eq!(ttl(json!({"daily": 0})), Some(24));
        assert_eq!(ttl(json!({"daily": 7})), None);
    }
}
