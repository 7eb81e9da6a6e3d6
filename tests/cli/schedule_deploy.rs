//! `bowline schedule deploy`, as far as it comes without a cluster; `tests/e2e/schedules` goes on.

use insta::assert_snapshot;
use serde_json::json;

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
