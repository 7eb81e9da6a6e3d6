//! `--timings`, and what bounds the requests.

use insta::assert_snapshot;
use serde_json::Value;

use crate::api_server;
use crate::site::Site;

#[tokio::test]
async fn where_the_time_went_is_told_on_stderr_beside_the_result() {
    let (site, _server) = api_server::site_with_cluster().await;
    let words = ["backup", "create", "x", "--dry-run", "-o", "json", "--timings=json"];
    let output = site.bowline.run(&words).await.unwrap();
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    serde_json::from_str::<Value>(&output.stdout).unwrap();
    let last = output.stderr.lines().last().unwrap();
    let timings: Value = serde_json::from_str(last).unwrap();
    assert!(timings["requests"].as_u64().unwrap() > 2, "{last}");
    assert!(timings["peakMemoryBytes"].as_u64().unwrap() > 1 << 20, "{last}");
    assert_eq!(timings["stages"][0]["stage"], "checking", "{last}");

    let output = site.bowline.run(&["backup", "get", "--timings"]).await.unwrap();
    let (_, table) = output.stderr.split_once("STAGE").unwrap();
    assert!(table.contains("0 requests to the API server"), "{table}");
}

#[tokio::test]
async fn a_bound_is_a_number_of_one_at_least() {
    let site = Site::new();
    assert_snapshot!(site.run("backup create x --max-in-flight 0").await, @r"
    exit code: 2
    --- stderr
    error: --max-in-flight <COUNT> is not valid
      cause: must be a whole number from 1 to 65535
    hint: see bowline backup create --help
    ");
    assert_snapshot!(site.run("backup create x --qps many").await, @r"
    exit code: 2
    --- stderr
    error: --qps <COUNT> is not valid
      cause: must be a whole number from 1 to 65535
    hint: see bowline backup create --help
    ");
    assert!(site.is_untouched());
}
