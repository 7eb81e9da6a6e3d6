//! The `CronJob` that runs a schedule.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{Error, Wish, manifests};
use crate::engine::model::duration::GoDuration;
use crate::engine::model::schedule::Schedule;
use crate::engine::schedule::Cron;
use crate::engine::schedule::cron::without_zone;

/// How late a run may begin, in seconds, if the schedule does not say: of several that were missed
/// only the last is made up for, and that within a day.
const DEADLINE: u64 = 24 * 60 * 60;
/// The shortest deadline at which the controller, which looks every ten seconds, misses nothing.
const SHORTEST_DEADLINE: u64 = 30;
/// Any user but root will do.
const USER: u32 = 65_532;
/// How long a run that is asked to stop may take, in seconds.
const GRACE: u32 = 60;

/// Makes it; `names` are its own and that of its account.
pub(super) fn of(schedule: &Schedule, wish: &Wish, names: (&str, &str)) -> Result<Value, Error> {
    let expression = &schedule.spec.schedule;
    let cron = Cron::parse(expression, schedule.bowline.timezone.as_deref())?;
    if cron.period().is_some() {
        return Err(Error::Relative { expression: expression.clone() });
    }
    let mut template = json!({"spec": pod(schedule.name(), wish, names.1)});
    manifests::mark(&mut template["metadata"], schedule);
    let mut job = json!({"spec": {"backoffLimit": 0, "template": template}});
    manifests::mark(&mut job["metadata"], schedule);
    Ok(json!({
        "kind": "CronJob",
        "metadata": {"name": names.0, "namespace": wish.namespace},
        "spec": {
            "schedule": without_zone(expression),
            "timeZone": zone(&cron),
            "concurrencyPolicy": schedule.bowline.concurrency_policy,
            "startingDeadlineSeconds": deadline(schedule),
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": job,
        },
    }))
}

/// The zone by its name, without which the controller would take that of its own machine.
fn zone(cron: &Cron) -> &str {
    if *cron.zone() == TimeZone::UTC {
        "Etc/UTC"
    } else {
        cron.zone().iana_name().unwrap_or("Etc/UTC")
    }
}

fn deadline(schedule: &Schedule) -> u64 {
    let asked = schedule.bowline.starting_deadline.and_then(GoDuration::to_std);
    asked.map_or(DEADLINE, |asked| asked.as_secs().max(SHORTEST_DEADLINE))
}

fn pod(schedule: &str, wish: &Wish, account: &str) -> Value {
    let mut volumes = vec![json!({"name": "tmp", "emptyDir": {}})];
    let mut mounts = vec![json!({"name": "tmp", "mountPath": "/tmp"})];
    if let Some((claim, path)) = &wish.volume {
        volumes.push(json!({"name": "location", "persistentVolumeClaim": {"claimName": claim}}));
        mounts.push(json!({"name": "location", "mountPath": path}));
    }
    let mut container = json!({
        "name": "bowline",
        "image": wish.image,
        "command": ["bowline"],
        "args": ["backup", "create", "--from-schedule", schedule, "--expire",
            "--storage-location", wish.location, "-o", "json"],
        "env": [{"name": "HOME", "value": "/tmp"}, {"name": "TMPDIR", "value": "/tmp"}],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    });
    if let Some(secret) = &wish.secret {
        container["envFrom"] = json!([{"secretRef": {"name": secret}}]);
    }
    json!({
        "restartPolicy": "Never",
        "serviceAccountName": account,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": GRACE,
        "securityContext": {
            "runAsNonRoot": true, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": volumes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(expression: &str, zone: Option<&str>) -> Schedule {
        serde_json::from_value(json!({
            "apiVersion": "velero.io/v1", "kind": "Schedule",
            "metadata": {"name": "nightly", "namespace": "velero", "uid": "u1"},
            "spec": {"template": {}, "schedule": expression, "paused": false},
            "bowline": {"clusterUid": "c1", "since": "2026-11-01T00:00:00Z", "timezone": zone},
        }))
        .unwrap()
    }

    fn spec(schedule: &Schedule) -> Value {
        let wish = Wish { namespace: "bowline".to_owned(), ..Wish::default() };
        of(schedule, &wish, ("bowline-nightly", "runner")).unwrap()["spec"].take()
    }

    #[test]
    fn the_zone_is_a_field_of_its_own_and_always_said() {
        for (expression, zone, expected) in [
            ("0 2 * * *", None, ("0 2 * * *", "Etc/UTC")),
            ("0 2 * * *", Some("Europe/Berlin"), ("0 2 * * *", "Europe/Berlin")),
            ("CRON_TZ=Asia/Tokyo 0 2 * * *", Some("Europe/Berlin"), ("0 2 * * *", "Asia/Tokyo")),
            ("TZ=UTC @daily", None, ("@daily", "Etc/UTC")),
        ] {
            let spec = spec(&schedule(expression, zone));
            assert_eq!(
                (spec["schedule"].as_str(), spec["timeZone"].as_str()),
                (Some(expected.0), Some(expected.1))
            );
        }
    }

    #[test]
    fn what_counts_from_the_last_run_is_refused() {
        let wish = Wish::default();
        let error = of(&schedule("@every 6h", None), &wish, ("a", "b")).unwrap_err();
        assert!(matches!(error, Error::Relative { .. }), "{error}");
    }

    #[test]
    fn policy_and_deadline_are_the_schedules_and_a_pause_is_left_to_the_run() {
        let mut schedule = schedule("0 2 * * *", None);
        let of = |schedule: &Schedule| {
            let spec = spec(schedule);
            assert_eq!(spec.get("suspend"), None);
            [&spec["concurrencyPolicy"], &spec["startingDeadlineSeconds"]].map(ToString::to_string)
        };
        assert_eq!(of(&schedule), ["\"Forbid\"", "86400"]);
        schedule.bowline.concurrency_policy = serde_json::from_value("Replace".into()).unwrap();
        schedule.bowline.starting_deadline = Some("5s".parse().unwrap());
        schedule.spec.paused = true;
        assert_eq!(of(&schedule), ["\"Replace\"", "30"]);
    }

    #[test]
    fn the_pod_may_do_as_little_as_can_be() {
        let spec = spec(&schedule("0 2 * * *", None));
        let pod = &spec["jobTemplate"]["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        assert_eq!(container["securityContext"]["capabilities"]["drop"], json!(["ALL"]));
        assert_eq!(pod["restartPolicy"], "Never");
        assert_eq!(spec["jobTemplate"]["spec"]["backoffLimit"], 0);
        assert_eq!(container["args"][3], "nightly");
    }
}
