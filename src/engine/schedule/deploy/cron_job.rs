//! The `CronJob` that runs a schedule.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{Error, Wish, manifests};
use crate::engine::model::duration::GoDuration;
use crate::engine::model::schedule::Schedule;
use crate::engine::schedule::Cron;
use crate::engine::schedule::cron::{without_minutes, without_zone};
use crate::engine::schedule::due;

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
            "schedule": in_its_place(schedule, &cron),
            "timeZone": zone(&cron),
            "concurrencyPolicy": schedule.bowline.concurrency_policy,
            "startingDeadlineSeconds": deadline(schedule),
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": job,
        },
    }))
}

/// The expression, with its minutes put off to the schedule's place within its spread; not beyond the
/// end of an hour, after which the other fields would mean another time.
fn in_its_place(schedule: &Schedule, cron: &Cron) -> String {
    let (expression, minutes) = (&schedule.spec.schedule, cron.minutes());
    let room = 59 - minutes.last().copied().unwrap_or(59);
    let place = u64::try_from(due::place(schedule).as_mins()).unwrap_or_default() % (room + 1);
    match without_minutes(expression) {
        Some(rest) if place > 0 => {
            let minutes: Vec<_> = minutes.iter().map(|it| (it + place).to_string()).collect();
            format!("{} {rest}", minutes.join(","))
        }
        _ => without_zone(expression).to_owned(),
    }
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
    let mut arguments = vec!["backup", "create", "--from-schedule", schedule];
    arguments.extend(wish.expire.then_some("--expire"));
    arguments.extend(["--storage-location", &wish.location, "-o", "json"]);
    let mut container = json!({
        "name": "bowline",
        "image": wish.image,
        "command": ["bowline"],
        "args": arguments,
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
    use std::collections::BTreeSet;

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
    fn the_runs_of_many_clusters_are_spread_within_the_hour() {
        let written = |expression: &str, spread: &str| {
            let mut schedule = schedule(expression, None);
            schedule.bowline.spread = Some(spread.parse().unwrap());
            let written = |uid: u32| {
                schedule.metadata.uid = format!("u{uid}");
                spec(&schedule)["schedule"].as_str().unwrap().to_owned()
            };
            (0..400).map(written).collect::<BTreeSet<_>>()
        };
        let of = |times: std::ops::Range<u32>| times.map(|it| format!("{it} 2 * * *")).collect();
        assert_eq!(written("0 2 * * *", "30m"), of(0..30));
        assert_eq!(written("CRON_TZ=Asia/Tokyo  50 2 * * *", "30m"), of(50..60));
        let quarters =
            (0..15).map(|it| format!("{it},{},{},{} * * * *", it + 15, it + 30, it + 45));
        let mut quarters: BTreeSet<_> = quarters.skip(1).collect();
        quarters.insert("*/15 * * * *".to_owned());
        assert_eq!(written("*/15 * * * *", "14m59s"), quarters);
        assert!(written("@weekly", "1h").contains("59 0 * * 0"));
        assert_eq!(written("* * * * *", "59s"), BTreeSet::from(["* * * * *".to_owned()]));
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

    #[test]
    fn who_may_remove_nothing_is_not_asked_to() {
        let args = |expire| {
            let wish = Wish { expire, ..Wish::default() };
            let job = of(&schedule("0 2 * * *", None), &wish, ("a", "b")).unwrap();
            let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
            pod["containers"][0]["args"].to_string()
        };
        assert!(args(true).contains("\"nightly\",\"--expire\",\"--storage-location\""));
        assert!(!args(false).contains("expire"));
    }
}
