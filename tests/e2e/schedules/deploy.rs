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
const ACCOUNT: &str = "bowline-nightly";
/// Who runs as the deployed account.
const USER: &str = "system:serviceaccount:bowline:bowline-nightly";

/// What somebody asks for, or may.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    verb: String,
    group: String,
    resource: String,
    namespace: Option<String>,
    /// The one object that is asked for, or that may be; none for all.
    name: Option<String>,
}

impl Call {
    /// The same for all objects.
    fn unnamed(&self) -> Self {
        Self { name: None, ..self.clone() }
    }
}

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
        let token = self.kubectl(&["create", "token", ACCOUNT, "-n=bowline"]).await;
        let kubeconfig = fs::read_to_string(self.east.kubeconfig()).unwrap();
        let path = self.bowline.home().join("account.kubeconfig");
        fs::write(&path, kubeconfig.replace("testkit-administrator", token.trim())).unwrap();
        self.bowline.clone().env("KUBECONFIG", &path.display().to_string())
    }

    /// Everything that the account may, by whichever binding, other than what every account may.
    async fn granted(&self) -> BTreeSet<Call> {
        let bindings = self.get(&["rolebindings,clusterrolebindings", "-A"]).await;
        let is_ours = |binding: &&Value| {
            let subjects = binding["subjects"].as_array().cloned().unwrap_or_default();
            subjects.iter().any(|it| it["kind"] == "ServiceAccount" && it["name"] == ACCOUNT)
        };
        let mut granted = BTreeSet::new();
        for binding in bindings["items"].as_array().unwrap().iter().filter(is_ours) {
            assert_eq!(binding["subjects"].as_array().unwrap().len(), 1, "{binding}");
            assert_eq!(binding["subjects"][0]["namespace"], "bowline", "{binding}");
            let place = binding["metadata"]["namespace"].as_str();
            let [kind, name] =
                ["kind", "name"].map(|key| binding["roleRef"][key].as_str().unwrap());
            let namespace = place.map(|place| format!("-n={place}"));
            let role = [Some(kind), Some(name), namespace.as_deref()];
            let role = self.get(&role.into_iter().flatten().collect::<Vec<_>>()).await;
            let rules = role["rules"].as_array().cloned().unwrap_or_default();
            granted.extend(rules.iter().flat_map(|rule| allowed(rule, place)));
        }
        granted
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
    Call {
        verb: text(&event["verb"]),
        group: text(&object["apiGroup"]),
        resource,
        namespace: namespace.map(str::to_owned),
        name: object["name"].as_str().map(str::to_owned),
    }
}

/// Everything that a rule allows; what has a name allows no more than that.
fn allowed(rule: &Value, place: Option<&str>) -> Vec<Call> {
    assert!(rule.get("nonResourceURLs").is_none(), "{rule}");
    let texts = |key: &str| -> Vec<String> {
        serde_json::from_value(rule[key].clone()).unwrap_or_default()
    };
    let mut names: Vec<_> = texts("resourceNames").into_iter().map(Some).collect();
    if names.is_empty() {
        names.push(None);
    }
    let (namespace, name) = (place.map(str::to_owned), None);
    let [verb, group, resource] = [const { String::new() }; 3];
    let calls = vec![Call { verb, group, resource, namespace, name }];
    let calls = for_each(&calls, &texts("verbs"), |call, verb| call.verb = verb);
    let calls = for_each(&calls, &texts("apiGroups"), |call, group| call.group = group);
    let calls = for_each(&calls, &texts("resources"), |call, it| call.resource = it);
    for_each(&calls, &names, |call, name| call.name = name)
}

/// All calls with each of the values.
fn for_each<T: Clone>(calls: &[Call], values: &[T], set: impl Fn(&mut Call, T)) -> Vec<Call> {
    let with = |(call, value): (&Call, &T)| {
        let mut call = call.clone();
        set(&mut call, value.clone());
        call
    };
    calls.iter().flat_map(|call| values.iter().map(move |value| (call, value))).map(with).collect()
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
    nothing_is_granted_that_is_not_used(&site).await;
    fires(&site).await;

    site.schedule("other", None).await;
    site.deploy(&[]).await;
    let deployed = site.deployed().await;
    assert!(deployed.iter().all(|it| !it.contains("\"shop\"")), "{deployed:?}");
    assert!(deployed.iter().any(|it| it.contains("\"Role\" \"other\"")), "{deployed:?}");

    another_locations_is_left(&site).await;

    site.schedule("shop", Some("another")).await;
    let output = site.bowline.run(&DEPLOY).await.unwrap();
    assert_eq!(output.code, Some(1), "{}{}", output.stdout, output.stderr);
    let hint = output.json()["error"]["hint"].to_string();
    assert!(hint.contains("bowline schedule adopt nightly"), "{hint}");
}

/// A `CronJob` of a schedule of the same name that another location has is not replaced.
async fn another_locations_is_left(site: &Site) {
    let [job, namespace] = ["cronjob/bowline-nightly", "-n=bowline"];
    let whose = ["bowline.io/schedule-uid=u2", "bowline.io/location=s3://there"];
    site.kubectl(&[&["annotate", "--overwrite", job, namespace], &whose[..]].concat()).await;
    let before = site.deployed().await;
    for more in [&["--dry-run"][..], &["--namespace=second"]] {
        let output = site.bowline.run(&[&DEPLOY, more].concat()).await.unwrap();
        assert_eq!(output.code, Some(1), "{}{}", output.stdout, output.stderr);
        let error = output.json()["error"].take();
        let message = error["message"].as_str().unwrap();
        assert!(message.ends_with("but the one of s3://there"), "{message}");
        assert!(error["hint"].as_str().unwrap().contains("kubectl delete cronjobs,"), "{error}");
    }
    assert_eq!(site.deployed().await, before);
}

/// The backup that the `CronJob` makes, with the rights that it has.
async fn backup_as_the_account(site: &Site) {
    let account = site.as_account().await;
    let arguments = ["backup", "create", "--from-schedule=nightly", "--expire", "-o=json"];
    let report = completed(&account.run(&arguments).await.unwrap());
    assert_eq!(report["volumes"].as_array().unwrap().len(), 1, "{report}");
    assert_eq!(report["hooks"]["attempted"], 1, "{report}");
}

/// All of it is used, and what one object is asked for may be had of that one alone.
async fn nothing_is_granted_that_is_not_used(site: &Site) {
    let calls = site.calls();
    let granted = site.granted().await;
    let used = |call: &Call| calls.contains(call) || calls.iter().any(|it| it.unnamed() == *call);
    let mut unused: BTreeSet<&Call> = granted.iter().filter(|call| !used(call)).collect();
    // Whoever opens a channel with GET is asked for this one as well, from Kubernetes 1.35 on.
    let exec = |verb: &str| {
        let [group, resource] = ["", "pods/exec"].map(str::to_owned);
        let namespace = Some("shop".to_owned());
        Call { verb: verb.to_owned(), group, resource, namespace, name: None }
    };
    assert!(calls.iter().any(|it| it.unnamed() == exec("get")), "{calls:?}");
    assert!(unused.remove(&exec("create")), "{unused:?}");
    assert_eq!(unused, BTreeSet::new());
    let of_namespaces = granted.iter().filter(|it| it.resource == "namespaces" && it.verb == "get");
    let names: Vec<_> = of_namespaces.map(|it| it.name.as_deref()).collect();
    assert_eq!(names, [Some("kube-system")], "the identity of the cluster, and no other namespace");
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
    assert_eq!(spec["serviceAccountName"], ACCOUNT);
    assert_eq!(spec["containers"][0]["args"][3], "nightly");
}
