//! A schedule that its own cluster runs: a `CronJob`, an account, and the rights that it needs.
//!
//! Kubernetes keeps the time and starts the runs; nothing of bowline stays running in between. All
//! manifests are pure, made from the schedule and from what its backups need to be allowed. They are
//! applied as they are, and what an earlier deployment has and they have not is removed.

mod apply;
mod cron_job;
mod manifests;
mod others;
mod rbac;

use std::collections::BTreeMap;

use crate::engine::backup;
use crate::engine::cluster;
use crate::engine::context::Context;
use crate::engine::model::schedule::Schedule;

use super::{cron, template};

pub use apply::apply;
pub use manifests::{Manifest, Manifests, removal, selector};

/// How a schedule is to be run in its cluster.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The namespace in which it runs.
    pub namespace: String,
    /// The image that has bowline.
    pub image: String,
    /// The URL of the location, as pods reach it.
    pub location: String,
    /// Whether older backups are expired after each run.
    pub expire: bool,
    /// The account's name; by default that of all else.
    pub service_account: Option<String>,
    /// Annotations of the account, such as the role that it takes on in a cloud.
    pub account_annotations: BTreeMap<String, String>,
    /// A Secret whose keys are variables of the environment.
    pub secret: Option<String>,
    /// The claim of a volume in which the location is, and where it is mounted.
    pub volume: Option<(String, String)>,
}

/// Why a schedule cannot be deployed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is another cluster's.
    #[error("schedule \"{schedule}\" belongs to another cluster ({owner}, this is {here})")]
    Elsewhere {
        /// The schedule.
        schedule: String,
        /// Whose it is.
        owner: String,
        /// The cluster at hand.
        here: String,
    },
    /// A `CronJob` that would be replaced, or removed, runs another schedule.
    #[error("the CronJob {cron_job} does not run this schedule \"{schedule}\"{}", told(location.as_deref()))]
    Occupied {
        /// Its namespace and name.
        cron_job: String,
        /// The name that both schedules have.
        schedule: String,
        /// The location of the other one, if that is known.
        location: Option<String>,
    },
    /// Its times depend on its last run, which no `CronJob` knows.
    #[error("a CronJob has no \"{expression}\": it would count from another time")]
    Relative {
        /// The expression.
        expression: String,
    },
    /// Its expression is none.
    #[error(transparent)]
    Cron(#[from] cron::Error),
    /// Its template is none.
    #[error(transparent)]
    Template(#[from] template::Error),
    /// Its backups cannot be planned.
    #[error("what its backups need cannot be found out")]
    Backup(#[from] Box<backup::Error>),
    /// The cluster refused, or cannot be reached.
    #[error("the cluster cannot be used")]
    Cluster(#[from] cluster::Error),
}

/// `, but the one of s3://there`
fn told(location: Option<&str>) -> String {
    location.map(|location| format!(", but the one of {location}")).unwrap_or_default()
}

/// Decides what runs a schedule in the cluster at hand; changes nothing.
pub async fn plan(context: &Context, schedule: &Schedule, wish: &Wish) -> Result<Manifests, Error> {
    let here = context.cluster.uid().await?;
    let owner = &schedule.bowline.cluster_uid;
    if here != *owner {
        let (schedule, owner) = (schedule.name().to_owned(), owner.clone());
        return Err(Error::Elsewhere { schedule, owner, here });
    }
    // No backup has this name, nor ever will.
    let name = format!("rights-{}", uuid::Uuid::new_v4());
    let request = template::request(schedule, &name)?;
    let needs = backup::needs(context, &request).await.map_err(Box::new)?;
    let mut manifests = manifests::of(schedule, wish, &needs.all)?;
    others::check_free(&context.cluster, schedule, wish).await?;
    if apply::is_namespace_of_another(&context.cluster, &wish.namespace).await? {
        manifests.leave_out_namespace();
    }
    Ok(manifests)
}
