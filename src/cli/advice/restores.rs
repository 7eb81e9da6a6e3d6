//! What an error of a restore calls for.

use super::{Advice, NAME, did_you_mean, nearest, of_cluster, of_spool, of_store, of_zones};
use crate::cli::exit::Exit;
use crate::engine::report::Phase;
use crate::engine::{archive, restore};

const AGAIN: &str = "nothing was changed; mend the cause and run it again";
const WORKLOADS: &str = "kubectl get deployments,statefulsets -A lists what there is";

pub(super) fn of_restore(error: &restore::Error) -> Advice {
    use restore::Error as E;
    match error {
        E::InvalidName(_) => (Exit::Usage, NAME.into()),
        E::InvalidMapping(_) => (Exit::Usage, "use lower-case letters, digits and \"-\"".into()),
        E::NameInUse { .. } | E::Done { .. } => {
            (Exit::Failed, "choose another name, or leave it out".into())
        }
        E::OtherCluster { context, .. } => (Exit::Failed, other_cluster(context.as_deref()).into()),
        E::Interrupted { name } => {
            (Exit::Interrupted, format!("to go on, run bowline restore resume {name}").into())
        }
        E::Stopped => (Exit::Interrupted, "nothing was changed; run it again".into()),
        E::BackupNotFound { similar: Some(similar), .. } => {
            (Exit::NotFound, did_you_mean(similar).into())
        }
        E::BackupNotFound { .. } => {
            (Exit::NotFound, "bowline backup get lists what there is".into())
        }
        E::BackupIncomplete { .. } => {
            (Exit::Failed, "it runs still, or was interrupted; choose another backup".into())
        }
        E::BackupNotGood { phase, .. } => (Exit::Failed, of_phase(*phase).into()),
        E::BackupDamaged { .. } | E::ArchiveDamaged { .. } => {
            (Exit::VerificationFailed, "nothing was changed; choose another backup".into())
        }
        E::ArchiveUnread { source, .. } => unread(source),
        E::Hooks(error) => (Exit::Usage, error.hint().into()),
        E::Filter(error) => (Exit::Usage, error.hint().into()),
        E::UnknownNamespace { similar: Some(similar), .. } => {
            (Exit::Usage, did_you_mean(similar).into())
        }
        E::UnknownNamespace { .. } | E::NoSuchNamespace { .. } => {
            (Exit::Usage, "bowline backup describe shows what the backup holds".into())
        }
        E::UnknownWorkload { similar, .. } => (Exit::Usage, nearest(similar.as_deref(), WORKLOADS)),
        E::Alterations(error) => (Exit::Usage, error.hint()),
        E::Zones(error) => of_zones(error),
        E::Provider { .. } => (
            Exit::Unreachable,
            "check credentials and region; --restore-volumes=false restores claims without data"
                .into(),
        ),
        E::NotAllowed { .. } => (
            Exit::Unreachable,
            "grant that (docs/guides/aws.md has a policy for volumes), or leave it out with \
             --exclude-resources or --restore-volumes=false; --dry-run lists all rights"
                .into(),
        ),
        E::Location(error) => of_store(error),
        E::Cluster(error) => of_cluster(error),
        E::Shown(_) => (Exit::Failed, AGAIN.into()),
        E::Broken { name, .. } => (
            Exit::Failed,
            format!(
                "mend the cause; bowline restore resume {name} goes on where it was, and so does \
                 the same command under that name"
            )
            .into(),
        ),
    }
}

/// What helps where an archive could not be read, although nothing is wrong with it.
fn unread(source: &archive::Error) -> Advice {
    of_spool(source).unwrap_or_else(|| (Exit::Failed, AGAIN.into()))
}

/// How to come to the cluster that a restore went into.
fn other_cluster(context: Option<&str>) -> String {
    match context {
        Some(context) => format!(
            "this is the cluster of context \"{context}\"; name the other one's with --kubecontext"
        ),
        None => "name the other cluster's context with --kubecontext".to_owned(),
    }
}

/// What to do about a backup that is not good.
fn of_phase(phase: Phase) -> &'static str {
    if matches!(phase, Phase::Deleting | Phase::Failed | Phase::FailedValidation) {
        "choose another backup; bowline backup get lists them"
    } else {
        "wait until it is done, or choose another backup; bowline backup get lists them"
    }
}
