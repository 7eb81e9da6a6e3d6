//! What an error calls for: how the program ends, and what would help. The one table of that.

mod attempts;
mod deployments;
mod drills;
mod expiry;
mod restores;
mod schedules;

use std::borrow::Cow;
use std::error::Error;

use bowline_api::StoreError;

use crate::cli::config;
use crate::cli::exit::Exit;
use crate::engine::context::Right;
use crate::engine::model::filter::closest;
use crate::engine::model::{duration, filter, location, names, policy, selector, within, zones};
use crate::engine::schedule::attempt;
use crate::engine::{archive, backup, cluster, delete, download, drill, restore, store, verify};

/// How the program ends, and what would help.
pub(in crate::cli) type Advice = (Exit, Cow<'static, str>);

/// Of how many rights is told why they are refused.
const REFUSALS: usize = 8;

type Row = fn(&(dyn Error + 'static)) -> Option<Advice>;

/// One row for every type of error that has advice.
const ROWS: [Row; 25] = [
    |error| error.downcast_ref().map(of_backup),
    |error| error.downcast_ref().map(attempts::of_attempt),
    |error| error.downcast_ref().map(restores::of_restore),
    |error| error.downcast_ref().map(drills::of_drill),
    |error| error.downcast_ref().map(of_delete),
    |error| error.downcast_ref().map(deployments::of_deployment),
    |error| error.downcast_ref().map(expiry::of_expire),
    |error| error.downcast_ref().map(expiry::of_hold),
    |error| error.downcast_ref().map(schedules::of_change),
    |error| error.downcast_ref().map(schedules::of_template),
    |error| error.downcast_ref().map(schedules::of_newest),
    |error| error.downcast_ref().and_then(of_verify),
    |error| error.downcast_ref().and_then(of_spool),
    |error| error.downcast_ref().and_then(of_download),
    |error| error.downcast_ref().map(config::Error::advice),
    |error| error.downcast_ref().map(of_store),
    |error| error.downcast_ref().map(of_cluster),
    |error| of_model(error, filter::Error::hint),
    |error| of_model(error, selector::Error::hint),
    |error| of_model(error, selector::Invalid::hint),
    |error| of_model(error, duration::Error::hint),
    |error| of_model(error, within::Error::hint),
    |error| of_model(error, location::Error::hint),
    |error| of_model(error, names::Invalid::hint),
    |error| of_model(error, policy::Error::hint),
];

/// What an error calls for, if it is one that a user can do something about.
pub(in crate::cli) fn of(error: &(dyn Error + 'static)) -> Option<Advice> {
    ROWS.iter().find_map(|row| row(error))
}

/// What was said of each right that is missing, where an error is for want of rights.
pub(in crate::cli) fn refusals(error: &(dyn Error + 'static)) -> Vec<String> {
    let of_run = error.downcast_ref().and_then(|error| match error {
        attempt::Error::Backup(error) => Some(&**error),
        _ => None,
    });
    let of_backup = of_run.or_else(|| error.downcast_ref()).and_then(|error| match error {
        backup::Error::NotAllowed { missing } => Some(missing),
        _ => None,
    });
    let of_restore = error.downcast_ref().and_then(|error| match error {
        restore::Error::NotAllowed { missing } => Some(missing),
        _ => None,
    });
    let of_delete = error.downcast_ref().and_then(|error| match error {
        delete::Error::NotAllowed { missing } => Some(missing),
        _ => None,
    });
    let of_drill = error.downcast_ref().and_then(|error| match error {
        drill::Error::NotAllowed { missing } => Some(missing),
        _ => None,
    });
    let missing = of_backup.or(of_restore).or(of_delete).or(of_drill).into_iter().flatten();
    let said = |right: &Right| Some(format!("{}: {}", right.action, right.reason.as_ref()?));
    missing.filter_map(said).take(REFUSALS).collect()
}

/// The hint for a word that is nearly right.
pub(in crate::cli) fn did_you_mean(similar: &str) -> String {
    format!("did you mean \"{similar}\"?")
}

/// All that the model refuses is wrong usage.
fn of_model<E: Error + 'static>(
    error: &(dyn Error + 'static),
    hint: fn(&E) -> String,
) -> Option<Advice> {
    error.downcast_ref().map(|error| (Exit::Usage, hint(error).into()))
}

/// What to check where a provider of volumes cannot be used.
const CONNECTION: &str = "check credentials and region (AWS_PROFILE, AWS_REGION: a region in the \
     location's URL is the bucket's alone), or leave the volumes out with --snapshot-volumes=false";
/// What to do where the volumes are in another region.
const REGION: &str = "set AWS_REGION, or the region of the profile, to that of the volumes; a region \
     in the location's URL is the bucket's alone";

fn of_backup(error: &backup::Error) -> Advice {
    use backup::Error as E;
    match error {
        E::InvalidName(_) => (Exit::Usage, NAME.into()),
        E::NameInUse { .. } => {
            (Exit::Failed, "choose another name; bowline backup get lists those in use".into())
        }
        E::Incomplete { name, .. } => (
            Exit::Failed,
            format!(
                "if it runs no longer, bowline backup finish {name} completes it where its archive \
                 is whole, or add --replace-incomplete to clear it and start anew"
            )
            .into(),
        ),
        E::NotFound { similar, .. } => {
            (Exit::NotFound, nearest(similar.as_deref(), "bowline backup get lists what there is"))
        }
        E::Invalid { name, .. } | E::Finished { name } => {
            (Exit::Failed, format!("bowline backup describe {name} shows what it is").into())
        }
        E::NotWhole { name } => (
            Exit::Failed,
            format!(
                "if it runs no longer, bowline backup create {name} --replace-incomplete clears it \
                 and starts anew"
            )
            .into(),
        ),
        E::NoSnapshotter { .. } | E::OutOfReach { .. } => (
            Exit::Failed,
            "finish it with a program that has that provider, in the region of the snapshots"
                .into(),
        ),
        E::Deleting { .. } => {
            (Exit::Failed, "bowline backup delete finishes that; or choose another name".into())
        }
        E::Filter(error) => (Exit::Usage, error.hint().into()),
        E::Hooks(error) => (Exit::Usage, error.hint().into()),
        E::Policies(error) => (Exit::Usage, error.hint().into()),
        E::UnknownPolicies { .. } => (Exit::Usage, NO_POLICIES.into()),
        E::UnknownNamespace { similar, .. } => {
            (Exit::Usage, nearest(similar.as_deref(), NAMESPACES))
        }
        E::NoSuchNamespace { .. } => (Exit::Usage, NAMESPACES.into()),
        E::Provider { .. } => (Exit::Unreachable, CONNECTION.into()),
        E::Elsewhere { .. } => (Exit::Unreachable, REGION.into()),
        E::NotAllowed { .. } => (
            Exit::Unreachable,
            "grant that (docs/guides/aws.md has a policy for it), or leave the volumes out with \
             --snapshot-volumes=false"
                .into(),
        ),
        E::Location(error) => of_store(error),
        E::Cluster(error) => of_cluster(error),
        E::Unfinished { name, .. } => (
            Exit::Failed,
            format!("mend the cause and run bowline backup finish {name}, from any machine").into(),
        ),
        E::Broken { cleared, .. } => (Exit::Failed, anew(*cleared).into()),
    }
}

/// What was perhaps meant by a name that nothing has, or how to find those that there are.
fn nearest(similar: Option<&str>, list: &'static str) -> Cow<'static, str> {
    similar.map_or_else(|| list.into(), |similar| did_you_mean(similar).into())
}

/// How a backup that broke off is made after all.
fn anew(cleared: bool) -> &'static str {
    if cleared {
        "mend the cause and run the same command again"
    } else {
        "mend the cause and run the same command again with --replace-incomplete"
    }
}

fn of_delete(error: &delete::Error) -> Advice {
    use delete::Error as E;
    match error {
        E::NotFound { similar: Some(similar), .. } => {
            (Exit::NotFound, did_you_mean(similar).into())
        }
        E::NotFound { noun, .. } => {
            (Exit::NotFound, format!("bowline {noun} get lists what there is").into())
        }
        E::Retained { until: Some(_), .. } => {
            (Exit::Failed, "nothing was touched; run the same command again then".into())
        }
        E::Retained { until: None, .. } => {
            (Exit::Failed, "nothing was touched; have the legal hold lifted first".into())
        }
        E::Held { name, .. } => {
            (Exit::Failed, format!("bowline backup release {name} lets it go").into())
        }
        E::Renewed { .. } => {
            (Exit::Failed, "nothing was touched; bowline backup get lists what there is".into())
        }
        E::NoProvider { known, .. } => (
            Exit::Failed,
            format!(
                "nothing was touched; at hand is {known}; for EBS set AWS_REGION or AWS_PROFILE"
            )
            .into(),
        ),
        E::OtherRegion { .. } => {
            (Exit::Failed, "nothing was touched; set AWS_REGION to the region of that zone".into())
        }
        E::Unseen { .. } => (
            Exit::Failed,
            "nothing was touched; use the credentials that the backup was made with, or, if they \
             are gone for good, --ignore-missing-snapshots"
                .into(),
        ),
        E::NotAllowed { .. } => (
            Exit::Unreachable,
            "nothing was touched; grant that (docs/guides/aws.md has a policy for it)".into(),
        ),
        E::OtherBackup { mark, .. } => (
            Exit::Failed,
            format!("nothing was touched; to keep what lies there, remove \"{mark}\" by hand")
                .into(),
        ),
        E::OutOfReach { .. } | E::Snapshots { .. } => {
            (Exit::Unreachable, "nothing was touched; check your credentials and AWS_REGION".into())
        }
        E::Location(error) => of_store(error),
        E::Broken { .. } => (
            Exit::Failed,
            "mend the cause and run the same command again: it finishes the deletion".into(),
        ),
    }
}

/// The causes of the rest have their own advice.
fn of_verify(error: &verify::Error) -> Option<Advice> {
    use verify::Error as E;
    match error {
        E::NotFound { similar, .. } => Some(not_found(similar.as_deref())),
        E::Location(_) | E::Archive { .. } => None,
    }
}

/// An archive is read into a temporary file, which may be as large as it is unpacked.
fn of_spool(error: &archive::Error) -> Option<Advice> {
    let archive::Error::Spool(_) = error else { return None };
    let directory = std::env::temp_dir();
    let hint = format!(
        "nothing was changed; make room in \"{}\", or name another directory with TMPDIR",
        directory.display()
    );
    Some((Exit::Failed, hint.into()))
}

fn of_download(error: &download::Error) -> Option<Advice> {
    use download::Error as E;
    match error {
        E::NotFound { similar, .. } => Some(not_found(similar.as_deref())),
        E::NotWhole { name, .. } => Some((
            Exit::Failed,
            format!("bowline backup verify {name} tells what can be done about it").into(),
        )),
        E::Store { source, .. } if source.is_damage() || source.is_not_found() => Some((
            Exit::VerificationFailed,
            "nothing was written; bowline backup verify tells all that is wrong".into(),
        )),
        E::Write(_) => {
            Some((Exit::Failed, "nothing is left of it; name another file with --output".into()))
        }
        E::Store { .. } => None,
    }
}

/// What helps where no backup has the name.
fn not_found(similar: Option<&str>) -> Advice {
    let hint = match similar {
        Some(similar) => did_you_mean(similar).into(),
        None => "bowline backup get lists what there is".into(),
    };
    (Exit::NotFound, hint)
}

fn of_zones(error: &zones::Error) -> Advice {
    use zones::Error as E;
    match error {
        E::UnknownTarget { .. } => {
            (Exit::Usage, "name one of these: --zone-mappings OLD:NEW".into())
        }
        E::NotRecorded { .. } => {
            (Exit::Usage, "name one of these, or leave the mapping out: --zone-mappings".into())
        }
        E::Elsewhere { .. } => (
            Exit::Unreachable,
            "give the cluster's region, or say where volumes shall go: --zone-mappings OLD:NEW"
                .into(),
        ),
    }
}

const NAMESPACES: &str = "kubectl get namespaces lists those that exist";
const NO_POLICIES: &str =
    "name another namespace as NAMESPACE/NAME; kubectl get configmaps -A lists them all";

const NAME: &str = "use lower-case letters, digits, \"-\" and \".\"";

fn of_store(error: &store::Error) -> Advice {
    match error {
        store::Error::Store(StoreError::Denied { .. }) => (
            Exit::Unreachable,
            "check that you may read and write there (--storage-location)".into(),
        ),
        store::Error::Store(StoreError::Full { .. }) => {
            (Exit::Unreachable, "make room, or choose another location".into())
        }
        store::Error::Store(_) => {
            (Exit::Unreachable, "check --storage-location or $BOWLINE_LOCATION".into())
        }
        store::Error::Malformed { .. }
        | store::Error::TooLarge { .. }
        | store::Error::Differs { .. } => {
            (Exit::VerificationFailed, "the file was damaged, or another program wrote it".into())
        }
    }
}

fn of_cluster(error: &cluster::Error) -> Advice {
    use cluster::Error as E;
    let hint = match error {
        E::NoSuchContext { context, available } => match closest(context, available) {
            Some(similar) => did_you_mean(similar).into(),
            None => "kubectl config get-contexts lists those that exist".into(),
        },
        E::Kubeconfig { .. } => "check --kubeconfig or $KUBECONFIG".into(),
        E::Credentials { .. } | E::Unauthorized { .. } => {
            "your credentials were not accepted: does kubectl get namespaces work?".into()
        }
        E::Forbidden { .. } => {
            "ask for that right; kubectl auth can-i --list tells what you may".into()
        }
        E::Unreachable { .. } | E::Timeout { .. } | E::ConnectionLost { .. } => {
            "is the cluster up, and is it the one you meant (--kubecontext)?".into()
        }
        E::Expired { .. } => {
            "the cluster changes faster than it can be listed: try again when it is calmer".into()
        }
        E::Unordered { .. } => {
            "try again when the cluster is calmer, or leave the kind out: --exclude-resources"
                .into()
        }
        E::NotServed { .. } | E::Api { .. } | E::Decode { .. } | E::TooLarge { .. } => {
            "how is the API server? kubectl get --raw '/readyz?verbose' tells more".into()
        }
        E::InvalidName { .. } => "give the object another name".into(),
    };
    (Exit::Unreachable, hint)
}

#[cfg(test)]
mod tests {
    use bowline_api::GroupResource;

    use super::*;

    fn boxed(error: impl Error + 'static) -> Box<dyn Error> {
        Box::new(error)
    }

    #[test]
    fn every_error_of_the_model_is_wrong_usage_with_a_hint() {
        let errors = [
            boxed("a b".parse::<selector::Selector>().unwrap_err()),
            boxed(selector::Requirement::new("", selector::Operator::Exists).unwrap_err()),
            boxed("1d".parse::<duration::GoDuration>().unwrap_err()),
            boxed("".parse::<location::Location>().unwrap_err()),
            boxed(filter::Error::ExcludesEverything),
            boxed(names::check_label("A").unwrap_err()),
        ];
        for error in errors {
            let (exit, hint) = of(error.as_ref()).unwrap();
            assert!(exit == Exit::Usage && !hint.is_empty(), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_reached_is_told_apart_from_what_is_damaged() {
        let denied = StoreError::Denied { key: "a".into(), source: "no".into() };
        let damaged = store::Error::Malformed { key: "a".into(), source: "no".into() };
        let forbidden = cluster::Error::Forbidden { request: "x".into(), message: "no".into() };
        for (error, expected) in [
            (boxed(backup::Error::Location(denied.into())), Exit::Unreachable),
            (boxed(restore::Error::Location(damaged)), Exit::VerificationFailed),
            (boxed(backup::Error::Cluster(forbidden)), Exit::Unreachable),
        ] {
            assert_eq!(of(error.as_ref()).map(|(exit, _)| exit), Some(expected), "{error}");
        }
    }

    #[test]
    fn an_archive_that_finds_no_room_is_not_called_damaged() {
        let unread = |source| restore::Error::ArchiveUnread { name: "a".to_owned(), source };
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let (exit, hint) = of(&unread(archive::Error::Spool(full))).unwrap();
        assert!(exit == Exit::Failed && hint.contains("TMPDIR"), "{hint}");
        let (exit, hint) = of(&unread(archive::Error::Incomplete)).unwrap();
        assert!(exit == Exit::Failed && hint.contains("run it again"), "{hint}");
    }

    #[test]
    fn what_is_not_allowed_or_has_no_place_ends_the_run_before_anything_is_written() {
        let set = |zone: &str| std::collections::BTreeSet::from([zone.to_owned()]);
        let (from, to, available) = ("a".to_owned(), "b".to_owned(), set("c"));
        let typed = zones::Error::UnknownTarget { from, to, available };
        let elsewhere = zones::Error::Elsewhere { nodes: set("a"), available: set("b") };
        let what = "the zones".to_owned();
        let source = bowline_api::SnapshotterError::NotFound { what };
        for (error, expected, hint) in [
            (boxed(restore::Error::Zones(typed)), Exit::Usage, "--zone-mappings"),
            (boxed(restore::Error::Zones(elsewhere)), Exit::Unreachable, "region"),
            (
                boxed(restore::Error::Provider { provider: "aws", source }),
                Exit::Unreachable,
                "region",
            ),
            (
                boxed(restore::Error::NotAllowed { missing: Vec::new() }),
                Exit::Unreachable,
                "--exclude-resources or --restore-volumes=false",
            ),
            (
                boxed(backup::Error::Elsewhere {
                    provider: "aws",
                    place: "a".to_owned(),
                    zones: set("b"),
                }),
                Exit::Unreachable,
                "set AWS_REGION",
            ),
            (
                boxed(backup::Error::NotAllowed { missing: Vec::new() }),
                Exit::Unreachable,
                "--snapshot-volumes=false",
            ),
        ] {
            let (exit, told) = of(error.as_ref()).unwrap();
            assert_eq!(exit, expected, "{error}");
            assert!(told.contains(hint), "{told}");
        }
    }

    #[test]
    fn a_context_is_guessed_only_where_one_is_like_it() {
        let hint = |context: &str| {
            let available = vec!["east".to_owned(), "west".to_owned()];
            of_cluster(&cluster::Error::NoSuchContext { context: context.to_owned(), available }).1
        };
        assert_eq!(hint("est"), "did you mean \"east\"?");
        assert_eq!(hint("production"), "kubectl config get-contexts lists those that exist");
    }

    #[test]
    fn other_errors_have_no_advice() {
        assert_eq!(of(&std::io::Error::other("disk")), None);
        assert_eq!(of(&StoreError::InvalidKey { key: GroupResource::core("a").to_string() }), None);
    }
}
