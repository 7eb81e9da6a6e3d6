use clap::ValueEnum;
use clap::builder::NonEmptyStringValueParser;

use crate::cli::commands::restore::alteration::{AlterationArgs, once};
use crate::cli::error::CliError;
use crate::cli::output::OutputArgs;
use crate::cli::values;
use crate::engine::drill::{Quota, Request, Security};
use crate::engine::model::duration::GoDuration;
use crate::engine::model::restore::{RestoreOptions, RestoreSpec};

/// Show that a backup can be restored, and leave nothing behind
///
/// Restores the backup into namespaces made for it, with new volumes from its snapshots, waits until
/// all is up, runs a check, and removes everything again, volumes too. What it showed is kept under
/// the backup's name. Nothing in it acts outward, and only its own pods and DNS can be reached from
/// there. Jobs, ingresses, custom resources, network policies and all that is in no namespace are
/// left out; --dry-run shows what is restored, and what is not.
#[derive(clap::Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
#[command(group = clap::ArgGroup::new("what").required(true))]
#[command(override_usage = "bowline restore drill [OPTIONS] \
    <--from-backup NAME|--from-schedule NAME|--clean-up>")]
#[command(after_help = "Examples:
  bowline restore drill --from-backup nightly
  bowline restore drill --from-schedule nightly --include-namespaces shop \\
      --check 'kubectl -n \"$BOWLINE_DRILL_NAMESPACE\" exec db-0 -- pg_isready'
  # what a killed drill left, and drills that were kept
  bowline restore drill --clean-up

Exit codes: 0 passed and gone; 3 passed, but something is left of it; 6 failed.")]
pub struct Args {
    /// The backup to drill
    #[arg(long, value_name = "BACKUP", group = "what")]
    pub from_backup: Option<String>,
    /// Drill the newest good backup of this schedule
    #[arg(long, value_name = "SCHEDULE", group = "what")]
    pub from_schedule: Option<String>,
    /// Take down what is left of drills that were kept or killed: of all that run no more, of those of
    /// a backup, or of one by its UID even if it may still run
    #[arg(long, value_name = "BACKUP|UID", group = "what", num_args = 0..=1,
          require_equals = true, value_parser = NonEmptyStringValueParser::new(),
          conflicts_with_all = ["check", "keep", "dry_run"])]
    #[expect(clippy::option_option, reason = "a flag whose value may be left out")]
    pub clean_up: Option<Option<String>>,
    /// With --from-schedule, take a backup that is `PartiallyFailed`, too
    #[arg(long, requires = "from_schedule")]
    pub allow_partially_failed: bool,
    /// Namespaces (of the backup) that are drilled (default: all)
    #[arg(long, value_name = "NAMESPACES", value_delimiter = ',')]
    pub include_namespaces: Vec<String>,
    /// Namespaces (of the backup) that are not
    #[arg(long, value_name = "NAMESPACES", value_delimiter = ',')]
    pub exclude_namespaces: Vec<String>,
    /// Run this by `sh -c` on this machine once all is up; exit code 0 passes.
    /// `$BOWLINE_DRILL_NAMESPACE` is the namespace, if it is one; `$BOWLINE_DRILL_NAMESPACES` are all,
    /// as `shop=shop-drill-1a2b3c4d`; `$KUBECONFIG` leads to the cluster
    #[arg(long, value_name = "COMMAND")]
    pub check: Option<String>,
    /// How long the check may take
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = values::positive)]
    pub check_timeout: GoDuration,
    /// What each namespace may take, by the names of a resource quota
    #[arg(long, value_name = "NAME=QUANTITY", value_delimiter = ',', value_parser = quota)]
    pub quota: Vec<(String, String)>,
    /// What pods may do, by the pod security standards; `privileged` lets some leave their namespace
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t)]
    pub pod_security: PodSecurity,
    /// Bring a claim without a usable snapshot back as an EMPTY one, instead of failing for it
    #[arg(long)]
    pub allow_empty_volumes: bool,
    /// Zones whose volumes are made in another one
    #[arg(long, value_name = "OLD:NEW", value_delimiter = ',', value_parser = values::zone_mapping)]
    pub zone_mappings: Vec<(String, String)>,
    /// The name that AWS knows the cluster by, for the tags that let its EBS driver manage the volumes
    #[arg(long, value_name = "NAME", env = "AWS_CLUSTER_NAME", hide_env_values = true)]
    pub cluster_name: Option<String>,
    /// Accounts of AWS whose shared snapshots may be used, besides your own
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = values::account)]
    pub trusted_accounts: Vec<String>,
    /// The KMS key that new EBS volumes are encrypted with (default: the key of the old ones)
    #[arg(long, value_name = "KEY")]
    pub ebs_kms_key_id: Option<String>,
    /// How long what was made may take to be ready
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = values::positive)]
    pub ready_timeout: GoDuration,
    /// How long it may take until nothing is left
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = values::positive)]
    pub take_down_timeout: GoDuration,
    /// Leave what was made as it is, to look at it; --clean-up takes it down
    #[arg(long)]
    pub keep: bool,
    /// Show what would be restored; change nothing
    #[arg(long, conflicts_with = "keep")]
    pub dry_run: bool,
    /// In which form the report is printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// In what objects differ from the recorded ones.
    #[command(flatten)]
    pub alteration: AlterationArgs,
}

/// What pods may do.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum PodSecurity {
    /// Anything
    Privileged,
    /// Nothing by which they would leave their namespace
    #[default]
    Baseline,
    /// As little as is possible
    Restricted,
}

impl From<PodSecurity> for Security {
    fn from(level: PodSecurity) -> Self {
        match level {
            PodSecurity::Privileged => Self::Privileged,
            PodSecurity::Baseline => Self::Baseline,
            PodSecurity::Restricted => Self::Restricted,
        }
    }
}

fn quota(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, quantity)) if !name.is_empty() && !quantity.is_empty() => {
            Ok((name.to_owned(), quantity.to_owned()))
        }
        _ => Err(format!("\"{text}\" is not NAME=QUANTITY")),
    }
}

impl Args {
    /// How the restore works, beside what it brings back.
    pub(super) fn options(&self) -> RestoreOptions {
        RestoreOptions {
            ready_timeout_seconds: Some(self.ready_timeout.to_std().unwrap_or_default().as_secs()),
            cluster_name: self.cluster_name.clone().filter(|name| !name.is_empty()),
            trusted_accounts: self.trusted_accounts.clone(),
            kms_key_id: self.ebs_kms_key_id.clone(),
            ..RestoreOptions::default()
        }
    }

    /// What is asked for, of this backup.
    pub(super) fn request(self, backup: String) -> Result<Request, CliError> {
        let options = self.options();
        Ok(Request {
            spec: self.alteration.into_spec(RestoreSpec {
                backup_name: backup,
                included_namespaces: self.include_namespaces,
                excluded_namespaces: self.exclude_namespaces,
                allow_empty_volumes: self.allow_empty_volumes,
                zone_mapping: once("--zone-mappings", self.zone_mappings)?,
                ..RestoreSpec::default()
            })?,
            options,
            quota: Quota(once("--quota", self.quota)?),
            security: self.pod_security.into(),
            ready_timeout: self.ready_timeout.to_std().unwrap_or_default(),
            check_timeout: self.check_timeout.to_std().unwrap_or_default(),
            down_timeout: self.take_down_timeout.to_std().unwrap_or_default(),
            keep: self.keep,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches as _};

    use super::*;

    fn request(words: &str) -> Request {
        let command = <Args as clap::Args>::augment_args(Command::new("drill"));
        let words = ["drill", "--from-backup=b"].into_iter().chain(words.split_whitespace());
        let matches = command.try_get_matches_from(words).unwrap();
        Args::from_arg_matches(&matches).unwrap().request("b".to_owned()).unwrap()
    }

    #[test]
    fn what_is_said_of_a_drill_is_what_is_asked_for() {
        let plain = request("");
        assert_eq!((plain.keep, plain.security), (false, Security::Baseline));
        let request = request(
            "--keep --pod-security=restricted --quota=pods=3 --check-timeout=1m --ready-timeout=2m \
             --take-down-timeout=3m --exclude-namespaces=a --allow-empty-volumes \
             --zone-mappings=z1:z2 --storage-class-mappings=old:new --image-mappings=a/=b/ \
             --trusted-accounts=111122223333 --ebs-kms-key-id=k --cluster-name=west",
        );
        assert_eq!((request.keep, request.security), (true, Security::Restricted));
        assert_eq!(request.quota.0["pods"], "3");
        let minutes = [request.check_timeout, request.ready_timeout, request.down_timeout];
        assert_eq!(minutes.map(|it| it.as_secs() / 60), [1, 2, 3]);
        let (spec, options) = (request.spec, request.options);
        assert_eq!(spec.excluded_namespaces, ["a"]);
        assert!(spec.allow_empty_volumes);
        let mappings = [&spec.zone_mapping["z1"], &spec.storage_class_mapping["old"]];
        assert_eq!(mappings, ["z2", "new"]);
        assert_eq!(spec.image_mapping["a/"], "b/");
        assert_eq!(options.trusted_accounts, ["111122223333"]);
        assert_eq!(
            (options.kms_key_id.as_deref(), options.cluster_name.as_deref()),
            (Some("k"), Some("west"))
        );
        assert_eq!(options.ready_timeout_seconds, Some(120));
    }
}
