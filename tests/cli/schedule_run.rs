//! `bowline schedule run`.

use std::net::TcpListener;

use bowline_testkit::Running;
use insta::assert_snapshot;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::api_server::{ApiServer, site_of, site_with_cluster};
use crate::site::Site;

/// The cluster that answers.
const CLUSTER: &str = "7a0f6a52-0000-4000-8000-000000000002";

/// Writes a schedule that is due the whole time.
fn add_schedule(site: &Site, name: &str, cluster: &str) {
    let document = json!({
        "apiVersion": "velero.io/v1",
        "kind": "Schedule",
        "metadata": {"name": name, "namespace": "velero", "uid": "u1"},
        "spec": {
            "template": {"metadata": {}, "hooks": {}, "includedNamespaces": ["shop"]},
            "schedule": "@every 1h",
            "paused": false,
        },
        "bowline": {"clusterUid": cluster, "since": "2026-01-01T00:00:00Z"},
    });
    let path = site.path(&format!("metadata/bowline/schedules/{name}.json"));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, document.to_string()).unwrap();
}

/// Where a process serves its endpoint.
async fn address(running: &Running) -> String {
    running.wait_for_stderr("/metrics on ").await.unwrap();
    let told = running.stderr().unwrap();
    let line = told.lines().find_map(|line| line.split_once("/metrics on ")).unwrap();
    line.1.to_owned()
}

/// The first line of the reply, and its body.
async fn get(address: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[tokio::test]
async fn what_is_due_is_made_and_an_interruption_ends_it_well() {
    let (site, _server) = site_with_cluster().await;
    add_schedule(&site, "nightly", CLUSTER);
    add_schedule(&site, "elsewhere", "another");
    site.write("metadata/bowline/schedules/broken.json", "{");
    let file = site.bowline.home().join("bowline.prom").display().to_string();
    let line = ["schedule", "run", "--listen", "127.0.0.1:0", "--metrics-file", &file];
    let running = site.bowline.spawn(&line).unwrap();
    let address = address(&running).await;
    running.wait_for_stderr("schedule nightly made nightly-").await.unwrap();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(&address, path).await, ("HTTP/1.1 200 OK".to_owned(), "ok\n".to_owned()));
    }
    let (status, metrics) = get(&address, "/metrics").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(metrics.contains("\nbowline_runner_schedules 1\n"), "{metrics}");
    let overdue = "bowline_schedule_overdue{schedule=\"broken\"} 1.0\n";
    assert!(
        metrics.contains(overdue),
        "what cannot be read keeps nothing from being told: {metrics}"
    );
    assert_eq!(get(&address, "/else").await.0, "HTTP/1.1 404 Not Found");
    running.interrupt().unwrap();
    let output = running.wait().await.unwrap();
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let told: Vec<_> = output.stderr.lines().collect();
    let says = |words: &str| told.iter().filter(|line| line.contains(words)).count();
    assert_eq!(says("schedule elsewhere is not run: it belongs to the cluster another"), 1);
    assert_eq!(says("schedule nightly begins the run of "), 1, "{told:?}");
    assert_eq!(says(": Completed, "), 1, "{told:?}");
    let written = std::fs::read_to_string(file).unwrap();
    for line in [
        "velero_backup_last_status{schedule=\"nightly\"} 1.0\n",
        "bowline_schedule_overdue{schedule=\"elsewhere\"} 1.0\n",
        overdue,
    ] {
        assert!(written.contains(line), "the file is of all schedules: {written}");
    }
    let made = std::fs::read_dir(site.path("backups")).unwrap().count();
    let runs = std::fs::read_dir(site.path("metadata/bowline/attempts/nightly")).unwrap().count();
    assert_eq!((made, runs), (1, 1));
}

#[tokio::test]
async fn who_does_not_wait_is_told_which_run_was_cut_off() {
    let shop = json!({"kind": "Namespace", "metadata": {"name": "shop", "uid": "uid-of-shop"}});
    let silent = ApiServer::new().with(shop).silent_on("/configmaps");
    let (site, _server) = site_of(silent).await;
    add_schedule(&site, "nightly", CLUSTER);
    let signals = async |grace: &str, signals: usize| {
        let line = ["schedule", "run", "--listen", "none", "--grace", grace];
        let running = site.bowline.spawn(&line).unwrap();
        running.wait_for_stderr("schedule nightly begins the run of ").await.unwrap();
        running.interrupt().unwrap();
        if signals > 1 {
            running.wait_for_stderr("stopping once 1 run ended").await.unwrap();
            running.interrupt().unwrap();
        }
        running.wait().await.unwrap()
    };
    let named = "hint: the next run of each schedule finishes or clears what the one that was cut \
                 off has begun (nightly)\n";
    let insisted = signals("1h", 2).await;
    assert_eq!(insisted.code, Some(130));
    assert!(insisted.stderr.contains(&format!("error: interrupted\n{named}")), "{insisted:?}");
    // Its lease has not run out, and nothing else is due.
    std::fs::remove_dir_all(site.path("metadata/bowline/leases")).unwrap();
    // It may have been cut off before it was on record.
    if site.path("metadata/bowline/attempts").exists() {
        std::fs::remove_dir_all(site.path("metadata/bowline/attempts")).unwrap();
    }
    let impatient = signals("0s", 1).await;
    assert_eq!(impatient.code, Some(130));
    let said = format!("error: not every run ended within 0s (--grace)\n{named}");
    assert!(impatient.stderr.contains(&said), "{impatient:?}");
}

#[tokio::test]
async fn a_schedule_that_does_not_exist_or_is_anothers_is_told_at_once() {
    let (site, _server) = site_with_cluster().await;
    add_schedule(&site, "nightly", CLUSTER);
    add_schedule(&site, "elsewhere", "another");
    assert_snapshot!(site.run("schedule run nihgtly --listen none").await, @r#"
    exit code: 4
    --- stderr
    error: schedule "nihgtly" does not exist in file:///HOME/location
    hint: did you mean "nightly"?
    "#);
    assert_snapshot!(site.run("schedule run elsewhere --listen none").await, @r#"
    exit code: 1
    --- stderr
    error: schedule "elsewhere" belongs to the cluster another; this is 7a0f6a52-0000-4000-8000-000000000002
    hint: is it the cluster you meant (--kubecontext)? If it is to run the schedule from now on: bowline schedule adopt elsewhere
    "#);
}

#[tokio::test]
async fn an_address_that_is_taken_is_told() {
    let (site, _server) = site_with_cluster().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let shown = site.run(&format!("schedule run --listen {address}")).await;
    assert_snapshot!(shown.replace(&address, "ADDRESS"), @r"
    exit code: 2
    --- stderr
    error: failed to listen on ADDRESS (--listen)
      cause: Address already in use (os error 98)
    hint: name another address, such as 127.0.0.1:0, or none
    ");
}
