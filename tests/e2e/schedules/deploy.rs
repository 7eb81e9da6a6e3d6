//! A schedule that its cluster runs: the `CronJob` fires, its account may do what a backup does, and
//! nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use bowline_testkit::control_plane::Options;
use bowline_testkit::{Bowline, ControlPlane, wait};
use serde_json::{Value, json};

use crate::application::completed;

const BOWLINE: &str = env!("CARGO_BIN_EXE_bowline");
const SHOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/schedules/shop.yaml");
/// A `CronJob` of every minute has fired within one, and the controller looks every ten seconds.
const FIRED: Duration = Duration::from_secs(80);
const READY: Duration = Duration::from_mins(1);
const DEPLOY: [&str; 6] = [
    "schedule",
    "deploy",
    "nightly",
    "--image=bowline:test",
    "--location-claim=backups",
    "-o=json",
];
/// Who runs as the deployed account.
const USER: &str = "system:serviceaccount:bowline:bowline-nightly";

/// What somebody asks for, or may: verb, group, resource, namespace.
type Call = (String, String, String, Option<String>);

struct Site {
    east: ControlPlane,
    bowline: Bowline,
}

impl Site {
    async fn start() -> Self {
        let options = Options { audit: true, ..Options::new("east") };
        let east = ControlPlane::start_with(options).await.unwrap();
        let bowline = Bowline::new(BOWLINE).unwrap().on(&east);
        let site = Self { east, bowline };
        site.kubectl(&["apply", "-f", SHOP]).await;
        wait::until("the pod runs", READY, async || {
            let pod = site.get(&["pod", "db", "-n=shop"]).await;
            Ok((pod["status"]["phase"] == "Running").then_some(()))
        })
        .await
        .unwrap();
        site
    }

    async fn kubectl(&self, arguments: &[&str]) -> String {
        let output = self.east.kubectl(arguments).await.unwrap();
        assert_eq!(output.code, Some(0), "{arguments:?}: {}{}", output.stdout, output.stderr);
        output.stdout
    }

    async fn get(&self, arguments: &[&str]) -> Value {
        let arguments = [&["get", "-o=json"], arguments].concat();
        serde_json::from_str(&self.kubectl(&arguments).await).unwrap()
    }

    /// Puts the schedule into the location.
    async fn schedule(&self, namespace: &str, cluster: Option<&str>) {
        let here = self.get(&["namespace", "kube-system"]).await["metadata"]["uid"].clone();
        let schedule = json!({
            "apiVersion": "velero.io/v1",
            "kind": "Schedule",
            "metadata": {"name": "nightly", "namespace": "velero", "uid": "u1"},
            "spec": {"template": {"includedNamespaces": [namespace]}, "schedule": "* * * * *",
                "paused": false},
            "bowline": {"clusterUid": cluster.map_or(here, Value::from),
                "since": "2026-11-01T00:00:00Z", "timezone": "Europe/Berlin"},
        });
        let directory = self.bowline.location().join("metadata/bowline/schedules");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("nightly.json"), schedule.to_string()).unwrap();
    }

    async fn deploy(&self, more: &[&str]) -> Value {
        let output = self.bowline.run(&[&DEPLOY, more].concat()).await.unwrap();
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        output.json()
    }

    /// What carries the deployment's label, by kind, place and version.
    async fn deployed(&self) -> BTreeSet<String> {
        let kinds = "cronjobs,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings";
        let list = self.get(&[kinds, "-A", "-l=bowline.io/schedule=nightly"]).await;
        let text = |item: &Value| {
            let meta = &item["metadata"];
            assert_eq!(meta["labels"]["velero.io/exclude-from-backup"], "true");
            // Who schedules changes the status of the CronJob.
            let version = if item["kind"] == "CronJob" { "generation" } else { "resourceVersion" };
            format!("{} {} {}", item["kind"], meta["namespace"], meta[version])
        };
        list["items"].as_array().unwrap().iter().map(text).collect()
    }

    /// The sandbox of somebody who has nothing but the token of the account.
    async fn as_account(&self) -> Bowline {
        let token = self.kubectl(&["create", "token", "bowline-nightly", "-n=bowline"]).await;
        let kubeconfig = fs::read_to_string(self.east.kubeconfig()).unwrap();
        let path = self.bowline.home().join("account.kubeconfig");
        fs::write(&path, kubeconfig.replace("testkit-administrator", token.trim())).unwrap();
        self.bowline.clone().env("KUBECONFIG", &path.display().to_string())
    }

    /// Every call of the account; none of them was refused.
    fn calls(&self) -> BTreeSet<Call> {
        let log = self.east.audit().unwrap();
        let events = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let ours = events.filter(|event| event["user"]["username"] == USER);
        ours.filter(|event| event["objectRef"].is_object()).map(|event| call(&event)).collect()
    }
}

fn call(event: &Value) -> Call {
    assert_ne!(event["responseStatus"]["code"], 403, "{event}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = &event["objectRef"];
    let mut resource = text(&object["resource"]);
    if let Some(subresource) = object["subresource"].as_str() {
        resource = format!("{resource}/{subresource}");
    }
    // Where a Namespace is read, that namespace is told, too.
    let namespace = object["namespace"].as_str().filter(|_| resource != "namespaces");
    let namespace = namespace.map(str::to_owned);
    (text(&event["verb"]), text(&object["apiGroup"]), resource, namespace)
}

/// Everything that the roles of a deployment allow.
fn granted(list: &Value) -> BTreeSet<Call> {
    let items = list["items"].as_array().unwrap().iter();
    let of_role = |role: &'_ Value| {
        let namespace = role["metadata"]["namespace"].as_str().map(str::to_owned);
        let rules = role["rules"].as_array().cloned().unwrap_or_default();
        rules.into_iter().flat_map(move |rule| allowed(&rule, namespace.as_ref()))
    };
    items.flat_map(of_role).collect()
}

fn allowed(rule: &Value, namespace: Option<&String>) -> Vec<Call> {
    let texts = |key: &str| -> Vec<String> { serde_json::from_value(rule[key].clone()).unwrap() };
    let (group, verbs) = (texts("apiGroups").remove(0), texts("verbs"));
    let calls = texts("resources").into_iter().flat_map(|resource| {
        let call =
            |verb: &String| (verb.clone(), group.clone(), resource.clone(), namespace.cloned());
        verbs.iter().map(call).collect::<Vec<_>>()
    });
    calls.collect()
}

#[tokio::test]
async fn a_deployed_schedule_fires_and_may_do_just_what_its_backups_do() {
    let site = Site::start().await;
    site.schedule("shop", None).await;
    let planned = site.deploy(&["--dry-run"]).await;
    assert_eq!(site.deployed().await, BTreeSet::new());
    let list = site.deploy(&[]).await;
    assert_eq!(list, planned);
    let deployed = site.deployed().await;
    let again = site.deploy(&[]).await;
    assert_eq!((again, site.deployed().await), (list.clone(), deployed));

    backup_as_the_account(&site).await;
    nothing_is_granted_that_is_not_used(&site, &list);
    fires(&site).await;

    site.schedule("other", None).await;
    site.deploy(&[]).await;
    let deployed = site.deployed().await;
    assert!(deployed.iter().all(|it| !it.contains("\"shop\"")), "{deployed:?}");
    assert!(deployed.iter().any(|it| it.contains("\"Role\" \"other\"")), "{deployed:?}");

    site.schedule("shop", Some("another")).await;
    let output = site.bowline.run(&DEPLOY).await.unwrap();
    assert_eq!(output.code, Some(1), "{}{}", output.stdout, output.stderr);
    let hint = output.json()["error"]["hint"].to_string();
    assert!(hint.contains("bowline schedule adopt nightly"), "{hint}");
}

/// The backup that the `CronJob` makes, with the rights that it has.
async fn backup_as_the_account(site: &Site) {
    let account = site.as_account().await;
    let arguments = ["backup", "create", "--from-schedule=nightly", "--expire", "-o=json"];
    let report = completed(&account.run(&arguments).await.unwrap());
    assert_eq!(report["volumes"].as_array().unwrap().len(), 1, "{report}");
    assert_eq!(report["hooks"]["attempted"], 1, "{report}");
}

#[track_caller]
fn nothing_is_granted_that_is_not_used(site: &Site, list: &Value) {
    let calls = site.calls();
    let mut unused: BTreeSet<Call> = granted(list).difference(&calls).cloned().collect();
    // Whoever opens a channel with GET is asked for this one as well, from Kubernetes 1.35 on.
    let exec = |verb: &str| {
        let [group, resource] = ["", "pods/exec"].map(str::to_owned);
        (verb.to_owned(), group, resource, Some("shop".to_owned()))
    };
    assert!(calls.contains(&exec("get")), "{calls:?}");
    assert!(unused.remove(&exec("create")), "{unused:?}");
    assert_eq!(unused, BTreeSet::new());
}

/// The controller makes a Job, and a pod of it that is let in.
async fn fires(site: &Site) {
    let selector = "-l=bowline.io/schedule=nightly";
    let pod = wait::until("the CronJob fires", FIRED, async || {
        let pods = site.get(&["pods", "-n=bowline", selector]).await;
        Ok(pods["items"].get(0).cloned())
    })
    .await
    .unwrap();
    let job = &site.get(&["jobs", "-n=bowline", selector]).await["items"][0];
    assert_eq!(job["metadata"]["ownerReferences"][0]["kind"], "CronJob");
    let spec = &pod["spec"];
    assert_eq!(spec["serviceAccountName"], "bowline-nightly");
    assert_eq!(spec["containers"][0]["args"][3], "nightly");
}
