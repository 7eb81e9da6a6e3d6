//! `bowline schedule deploy`, as far as it comes without a cluster; `tests/e2e/schedules` goes on.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::site::Site;

fn add_schedule(site: &Site) {
    let schedule = json!({
        "apiVersion": "velero.io/v1", "kind": "Schedule",
        "metadata": {"name": "nightly", "namespace": "velero", "uid": "u1"},
        "spec": {"template": {}, "schedule": "0 2 * * *", "paused": false},
        "bowline": {"clusterUid": "c1", "since": "2026-11-01T00:00:00Z"},
    });
    site.write("metadata/bowline/schedules/nightly.json", schedule.to_string());
}

#[tokio::test]
async fn a_schedule_that_does_not_exist_is_not_deployed() {
    let site = Site::new();
    add_schedule(&site);
    assert_snapshot!(site.run("schedule deploy nigthly").await, @r#"
    exit code: 4
    --- stderr
    error: schedule "nigthly" does not exist in file:///HOME/location
    hint: did you mean "nightly"?
    "#);
}

#[tokio::test]
async fn a_directory_of_this_machine_is_none_of_a_pod() {
    let site = Site::new();
    add_schedule(&site);
    assert_snapshot!(site.run("schedule deploy nightly --dry-run").await, @r"
    exit code: 2
    --- stderr
    error: a pod has no directory file:///HOME/location
    hint: name the claim of a volume that holds it with --location-claim, or use a bucket
    ");
}

#[tokio::test]
async fn what_cannot_be_a_namespace_is_refused() {
    let site = Site::new();
    assert_snapshot!(site.run("schedule deploy nightly --namespace Bowline").await, @r#"
    exit code: 2
    --- stderr
    error: --namespace <NAMESPACE> is not valid
      cause: "Bowline" is not a valid name: it must hold only lower-case letters, digits and '-', not 'B'
    hint: use lower-case letters, digits, '-' and '.', such as nightly-7
    "#);
}

/// The statements of a policy in the guide, which a test on a cloud holds to what is called.
fn of_the_guide(role: &str) -> Value {
    let guide = include_str!("../../docs/guides/aws.md");
    let (_, section) = guide.split_once(&format!("### Role: {role}\n")).unwrap();
    let (_, block) = section.split_once("```json\n").unwrap();
    serde_json::from_str(block.split_once("```").unwrap().0).unwrap()
}

#[test]
fn the_policies_of_a_deployment_are_those_of_the_guide_without_what_no_schedule_needs() {
    let policy = |text| serde_json::from_str::<Value>(text).unwrap();
    let backup = policy(include_str!("../../docs/deploy/iam-backup.json"));
    assert_eq!(backup, of_the_guide("backup"));

    let mut expected = of_the_guide("delete");
    // These are what `location check` tells.
    let only_checked = ["s3:GetBucketVersioning", "s3:GetEncryptionConfiguration"];
    let actions = expected["Statement"][0]["Action"].as_array_mut().unwrap();
    let all = actions.len();
    actions.retain(|action| !only_checked.contains(&action.as_str().unwrap()));
    assert_eq!(actions.len() + only_checked.len(), all);
    // Of the snapshots only those of the own cluster.
    let condition = &mut expected["Statement"][3]["Condition"];
    assert_eq!(*condition, json!({"StringLike": {"aws:ResourceTag/velero.io/backup": "*"}}));
    *condition = json!({"StringEquals": {"aws:ResourceTag/bowline.io/cluster-uid": "CLUSTER-UID"}});
    assert_eq!(policy(include_str!("../../docs/deploy/iam-expire.json")), expected);
}
