//! Hooks over the real exec channel: a fake kubelet runs their commands on this machine, so that
//! what they write tells in which order things came.
//!
//! Velero's backup hooks and restore hooks: <https://velero.io/docs/main/backup-hooks/>,
//! <https://velero.io/docs/main/restore-hooks/>.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bowline_testkit::control_plane::ControlPlane;
use bowline_testkit::{Bowline, wait};
use serde_json::{Value, json};

use super::site::{Site, apply, get, kubectl, report, run, wait_for};

/// A set of one pod, whose claim has a volume; its pods have these annotations and labels.
fn set(name: &str, annotations: &Value) -> Value {
    let claim = json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"],
        "storageClassName": "standard", "resources": {"requests": {"storage": "1Mi"}}}});
    let container = json!({"name": "db", "image": "db",
        "volumeMounts": [{"name": "data", "mountPath": "/data"}]});
    json!({"apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"replicas": 1, "serviceName": name, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}, "annotations": annotations},
                "spec": {"containers": [{"name": "first", "image": "x"}, container]}},
            "volumeClaimTemplates": [claim]}})
}

/// The words of a shell command, as an annotation has them.
fn shell(script: &str) -> String {
    json!(["sh", "-c", script]).to_string()
}

async fn up(cluster: &ControlPlane, pod: &str) {
    let is_running = |pod: &Value| pod["status"]["phase"] == "Running";
    wait_for(cluster, &["pod", pod, "--namespace=shop"], is_running).await;
}

/// The directory behind the claim of a set's pod.
async fn volume(cluster: &ControlPlane, set: &str) -> PathBuf {
    let claim = get(cluster, &["pvc", &format!("data-{set}-0"), "--namespace=shop"]).await;
    let name = claim["spec"]["volumeName"].as_str().unwrap();
    let volume = get(cluster, &["pv", name]).await;
    PathBuf::from(volume["spec"]["hostPath"]["path"].as_str().unwrap())
}

async fn log(bowline: &Bowline, cluster: &ControlPlane, noun: &str, name: &str) -> String {
    let output = run(bowline, cluster, &format!("{noun} logs {name}"), &[]).await;
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    output.stdout
}

async fn annotate(cluster: &ControlPlane, pod: &str, annotations: &[(&str, String)]) {
    let pairs: Vec<String> =
        annotations.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mut words = vec!["annotate", "pod", pod, "--namespace=shop", "--overwrite"];
    words.extend(pairs.iter().map(String::as_str));
    kubectl(cluster, &words).await;
}

fn messages(report: &Value) -> Vec<String> {
    let errors = report["errors"].as_array().unwrap().iter();
    errors.map(|it| format!("{} {}", it["name"].as_str().unwrap(), it["message"])).collect()
}

fn state<'a>(report: &'a Value, claim: &str) -> &'a str {
    let volumes = report["volumes"].as_array().unwrap();
    volumes.iter().find(|it| it["claim"] == claim).unwrap()["state"].as_str().unwrap()
}

fn file(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn a_volume_is_snapshotted_between_the_hooks_of_its_pod() {
    let site = Site::start().await;
    let (east, bowline) = (&site.east, &site.bowline);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    apply(
        east,
        &[namespace, set("db", &json!({})), set("bad", &json!({})), set("slow", &json!({}))],
    )
    .await;
    for pod in ["db-0", "bad-0", "slow-0"] {
        up(east, pod).await;
    }
    let disk = volume(east, "db").await;
    let journal = disk.join("journal").display().to_string();
    annotate(
        east,
        "db-0",
        &[
            (
                "pre.hook.backup.velero.io/command",
                shell(&format!("echo frozen >> {journal}; echo held")),
            ),
            ("pre.hook.backup.velero.io/container", "db".to_owned()),
            ("post.hook.backup.velero.io/command", shell(&format!("echo released >> {journal}"))),
        ],
    )
    .await;
    let made = site.back_up(&["good", "--include-namespaces=shop"]).await;
    assert_eq!(made["hooks"], json!({"attempted": 2, "failed": 0}));
    assert_eq!(fs::read_to_string(&journal).unwrap(), "frozen\nreleased\n");
    let log_of_it = log(bowline, east, "backup", "good").await;
    assert!(log_of_it.contains("pre hook stdout: held"), "{log_of_it}");

    // The snapshot lies in between: what comes back was frozen, and never released.
    site.restore(&["copy", "--from-backup=good"]).await;
    let copy = volume(&site.west, "db").await;
    assert_eq!(fs::read_to_string(copy.join("journal")).unwrap(), "frozen\n");

    failing_hooks(&site, &disk).await;
    hooks_of_a_file(&site, &disk).await;
    hooks_of_restored_pods(&site, &disk).await;
    a_stop_waits_for_a_hook_and_its_mark(&site, &disk).await;
}

/// A pre hook that fails, one that takes too long, and the post hooks behind them.
async fn failing_hooks(site: &Site, disk: &Path) {
    let (east, bowline) = (&site.east, &site.bowline);
    let released = disk.join("bad-released").display().to_string();
    annotate(
        east,
        "bad-0",
        &[
            ("pre.hook.backup.velero.io/command", shell("echo no room >&2; exit 3")),
            ("post.hook.backup.velero.io/command", shell(&format!("touch {released}"))),
        ],
    )
    .await;
    let slow = [
        ("pre.hook.backup.velero.io/command", shell("sleep 60")),
        ("pre.hook.backup.velero.io/timeout", "500ms".to_owned()),
        ("pre.hook.backup.velero.io/on-error", "Continue".to_owned()),
    ];
    annotate(east, "slow-0", &slow).await;
    let create = "backup create bad --include-namespaces=shop -o=json";
    let made = report(&run(bowline, east, create, &[]).await, 3);
    assert_eq!(made["hooks"], json!({"attempted": 5, "failed": 2}));
    assert!(Path::new(&released).exists(), "the post hook runs all the same");
    assert_eq!((state(&made, "data-bad-0"), state(&made, "data-slow-0")), ("failed", "completed"));
    let errors = messages(&made);
    let told = |name: &str, words: &str| {
        assert!(errors.iter().any(|it| it.starts_with(name) && it.contains(words)), "{errors:#?}");
    };
    told("bad-0", "exit code 3: no room");
    told("data-bad-0", "no snapshot was taken: the pre hook");
    told("slow-0", "not over within 0.5 s; it may be running still");
    assert_eq!(errors.len(), 3, "{errors:#?}");
}

/// Hooks that are specified, in a file: shown before, and refused if they are for no pod.
async fn hooks_of_a_file(site: &Site, disk: &Path) {
    let (east, bowline) = (&site.east, &site.bowline);
    let of = |label: &str| {
        json!({"resources": [{"name": "mark", "includedNamespaces": ["shop"],
            "labelSelector": {"matchLabels": {"app": label}},
            "post": [{"exec": {"command": ["touch", disk.join("marked")]}}]}]})
        .to_string()
    };
    let (nobody, bad) =
        (file(disk, "nobody.yaml", &of("nobody")), file(disk, "bad.yaml", &of("slow")));
    let (nobody, hooks) = (format!("--hooks={nobody}"), format!("--hooks={bad}"));
    let create = "backup create marked --include-namespaces=shop -o=json";
    let refused = run(bowline, east, create, &[&nobody]).await;
    assert_eq!(refused.code, Some(2), "{}", refused.stdout);
    assert!(refused.stdout.contains("hook \\\"mark\\\" matches no pod"), "{}", refused.stdout);
    let plan = report(&run(bowline, east, create, &[&hooks, "--dry-run"]).await, 0);
    let planned = plan["hooks"].as_array().unwrap();
    assert!(planned.iter().any(|it| it["pod"] == "slow-0" && it["source"] == "hook \"mark\""));
    assert!(!disk.join("marked").exists(), "a dry run runs nothing");
    report(&run(bowline, east, create, &[&hooks]).await, 3);
    assert!(disk.join("marked").exists());
}

/// Pods with hooks come back themselves, are adopted, and their commands run.
async fn hooks_of_restored_pods(site: &Site, disk: &Path) {
    let mark = disk.join("restored").display().to_string();
    want_hooks_of_restored_pods(&site.east, &mark).await;
    let of_web = ["pods", "--namespace=shop", "--selector=app=web"];
    let original = get(&site.east, &of_web).await["items"][0]["metadata"]["name"].clone();

    site.back_up(&["again", "--include-namespaces=shop"]).await;
    let restore = ["again", "--from-backup=again", "--namespace-mappings=shop:again"];
    let made = site.restore(&restore).await;
    assert_eq!(made["hooks"], json!({"attempted": 2, "failed": 0}));
    assert!(Path::new(&mark).exists());
    let log_of_it = log(&site.bowline, &site.west, "restore", "again").await;
    assert!(log_of_it.contains("post hook stdout: came up"), "{log_of_it}");
    restored_pods_are_adopted(&site.west, &original).await;
}

/// Ctrl-C while the first command of a pod runs: it comes to its end, and is not run once more.
async fn a_stop_waits_for_a_hook_and_its_mark(site: &Site, disk: &Path) {
    let [ran, go, later] = ["ran", "go", "later"].map(|name| disk.join(name));
    let script =
        format!("echo x >> {}; until test -e {}; do sleep 0.1; done", ran.display(), go.display());
    let gone = "post.hook.restore.velero.io/command-";
    kubectl(&site.east, &["annotate", "pods", "--all", "--namespace=shop", gone]).await;
    let exec = |script: &str| json!({"exec": {"command": ["sh", "-c", script]}});
    let hooks = json!({"resources": [{"name": "held", "labelSelector": {"matchLabels": {"app": "db"}},
        "postHooks": [exec(&script), exec(&format!("echo x >> {}", later.display()))]}]});
    let hooks = format!("--hooks={}", file(disk, "held.yaml", &hooks.to_string()));
    site.back_up(&["held", "--include-namespaces=shop"]).await;
    let bowline = site.bowline.on(&site.west);
    let create = ["restore", "create", "held", "--from-backup=held"];
    let create = [&create[..], &["--namespace-mappings=shop:held", &hooks, "-o=json"]].concat();
    let running = bowline.spawn(&create).unwrap();
    wait::until("the command runs", Duration::from_mins(1), async || {
        Ok(ran.exists().then_some(()))
    })
    .await
    .unwrap();
    running.interrupt().unwrap();
    running.wait_for_stderr("stopping: ").await.unwrap();
    fs::write(&go, "").unwrap();
    let stopped = running.wait().await.unwrap();
    let error = report(&stopped, 130);
    assert_eq!(error["error"]["hint"], "to go on, run bowline restore resume held");
    let pod = get(&site.west, &["pod", "db-0", "--namespace=held"]).await;
    assert!(pod["metadata"]["annotations"]["bowline.io/hooks-of"].is_string(), "{pod}");
    assert!(!later.exists(), "the second one was not begun");
    let resumed = run(&site.bowline, &site.west, "restore resume held -o=json", &[]).await;
    assert_eq!(report(&resumed, 0)["run"], 2);
    assert_eq!(fs::read_to_string(&ran).unwrap(), "x\n", "it is not run once more");
    assert_eq!(fs::read_to_string(&later).unwrap(), "x\n");
}

/// Annotates pods of the application, and adds a deployment whose pods have a hook.
async fn want_hooks_of_restored_pods(east: &ControlPlane, mark: &str) {
    for pod in ["bad-0", "slow-0"] {
        let gone = "pre.hook.backup.velero.io/command-";
        kubectl(east, &["annotate", "pod", pod, "--namespace=shop", gone]).await;
    }
    let exec = [
        ("post.hook.restore.velero.io/command", shell(&format!("touch {mark}; echo came up"))),
        ("post.hook.restore.velero.io/container", "db".to_owned()),
    ];
    annotate(east, "db-0", &exec).await;
    let init = [
        ("init.hook.restore.velero.io/container-image", "busybox".to_owned()),
        ("init.hook.restore.velero.io/container-name", "prepare".to_owned()),
        ("init.hook.restore.velero.io/command", shell("true")),
    ];
    annotate(east, "slow-0", &init).await;
    let web = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"},
                    "annotations": {"post.hook.restore.velero.io/command": "true"}},
                "spec": {"containers": [{"name": "web", "image": "web"}]}}}});
    apply(east, &[web]).await;
    wait_for(east, &["deployment", "web", "--namespace=shop"], |it| {
        it["status"]["readyReplicas"] == 1
    })
    .await;
}

/// By their controllers, which make none beside them.
async fn restored_pods_are_adopted(west: &ControlPlane, original: &Value) {
    let pod = get(west, &["pod", "slow-0", "--namespace=again"]).await;
    assert_eq!(pod["spec"]["initContainers"][0]["name"], "prepare");
    assert_eq!(pod["metadata"]["ownerReferences"][0]["kind"], "StatefulSet");
    let pods = get(west, &["pods", "--namespace=again", "--selector=app=web"]).await;
    let pods = pods["items"].as_array().unwrap();
    assert_eq!(pods.len(), 1, "it was adopted, and none made beside it");
    assert_eq!(pods[0]["metadata"]["name"], *original);
    assert_eq!(pods[0]["metadata"]["ownerReferences"][0]["kind"], "ReplicaSet");
}
