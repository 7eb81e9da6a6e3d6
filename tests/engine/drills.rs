//! A drill shows whether a backup can be restored, touches nothing else, and leaves nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline::engine::context::Right;
use bowline::engine::drill::{self, Cause, DrillReport, Error, Fate, Request, Which};
use bowline::engine::event::{Event, Observer};
use bowline::engine::model::drill::{Drill, Verdict};
use bowline::engine::model::restore::RestoreSpec;
use bowline::engine::restore::{PlanDocument, Verdict as PlanVerdict};
use serde_json::{Value, json};

use crate::application::{backed_up, backup, object, source, target};
use crate::fake_world::{Process, World};
use crate::faults::Script;

type DrillResult = Result<DrillReport, Error>;

pub(crate) fn request() -> Request {
    Request {
        spec: RestoreSpec { backup_name: "nightly".to_owned(), ..RestoreSpec::default() },
        options: <_>::default(),
        quota: <_>::default(),
        security: <_>::default(),
        ready_timeout: Duration::from_mins(5),
        check_timeout: Duration::from_mins(5),
        down_timeout: Duration::from_mins(5),
        keep: false,
    }
}

pub(crate) async fn run(process: &Process) -> Option<DrillResult> {
    process.until_killed(Box::pin(drill::run(&process.context, &request(), None))).await
}

pub(crate) async fn drilled(world: &World) -> DrillReport {
    run(&world.start(Script::Sound)).await.unwrap().unwrap()
}

pub(crate) async fn clean_up(world: &World, which: &Which) -> drill::CleanUpReport {
    let process = world.start(Script::Sound);
    drill::clean_up(&process.context, which, Duration::from_mins(5)).await.unwrap()
}

pub(crate) async fn drills(world: &World) -> Vec<Drill> {
    world.backups().drills_of("nightly").await.unwrap()
}

/// What is in the cluster, whatever version it has.
pub(crate) fn content(world: &World) -> BTreeMap<String, Value> {
    let mut objects = world.cluster.objects();
    for object in objects.values_mut() {
        object["metadata"]["resourceVersion"] = Value::Null;
    }
    objects
}

/// What is there that was not before, or no longer is.
pub(crate) async fn remains(world: &World, before: &BTreeMap<String, Value>) -> Vec<String> {
    let after = content(world);
    let mut found: Vec<String> = after
        .iter()
        .filter(|(id, object)| before.get(*id) != Some(object))
        .map(|(id, _)| id.clone())
        .chain(before.keys().filter(|id| !after.contains_key(*id)).map(|id| format!("no {id}")))
        .chain(world.cloud.volumes().into_iter().map(|volume| volume.id))
        .collect();
    let keys = world.bucket.keys().await;
    found.extend(keys.into_iter().filter(|key| key.starts_with("restores/")));
    found
}

#[tokio::test(start_paused = true)]
async fn a_good_backup_passes_beside_its_original_and_nothing_is_left() {
    let world = backed_up().await;
    let before = content(&world);
    let report = drilled(&world).await;
    let evidence = &report.evidence;
    assert_eq!(evidence.verdict, Verdict::Passed, "{:?}", evidence.reason);
    assert!(report.remarks[0].contains("network plug-in"), "{:?}", report.remarks);
    assert_eq!(report.take_down.left, []);
    assert_eq!(remains(&world, &before).await, [""; 0]);
    let restore = evidence.restore.as_ref().unwrap();
    assert_eq!(restore.volumes.len(), 2);
    assert!(restore.volumes.iter().all(|volume| volume.state == "bound"));
    assert!(evidence.archive_sha256.as_ref().is_some_and(|digest| digest.len() == 64));
    let [known] = &drills(&world).await[..] else { panic!("one drill") };
    assert!(known.is_down);
    assert_eq!(known.evidence.as_ref().map(|it| it.verdict), Some(Verdict::Passed));
}

#[tokio::test(start_paused = true)]
async fn what_is_drilled_is_closed_off_and_holds_nothing_that_acts_outward() {
    let world = backed_up().await;
    let before = content(&world);
    let process = world.start(Script::Sound);
    let mut request = Request { keep: true, ..request() };
    request.quota.0.insert("pods".to_owned(), "9".to_owned());
    let report = drill::run(&process.context, &request, None).await.unwrap();
    let (uid, namespace) = (&report.evidence.uid, &report.evidence.namespaces["shop"]);
    let found = |id: &str| world.cluster.get(&id.replace("NS", namespace));
    let labels = found("namespaces/NS")["metadata"]["labels"].clone();
    assert_eq!(labels["bowline.io/drill-uid"], **uid);
    assert_eq!(labels["velero.io/exclude-from-backup"], "true");
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "baseline");
    let hard = found("resourcequotas/NS/bowline-drill")["spec"]["hard"].clone();
    let expected = json!({"pods": "9", "services.loadbalancers": "0", "services.nodeports": "0"});
    assert_eq!(hard, expected);
    let policy = found("networkpolicies.networking.k8s.io/NS/bowline-drill")["spec"].clone();
    assert_eq!(policy["podSelector"], json!({}));
    assert_eq!(policy["policyTypes"], json!(["Ingress", "Egress"]));
    let own = json!({"namespaceSelector": {"matchLabels": {"bowline.io/drill-uid": **uid}}});
    assert_eq!(policy["ingress"], json!([{"from": [own]}]));
    let [inside, names] = &policy["egress"].as_array().unwrap()[..] else { panic!("{policy}") };
    assert_eq!(*inside, json!({"to": [own]}));
    let of_the_cluster = json!({"matchExpressions": [{"key": "kubernetes.io/metadata.name",
        "operator": "In", "values": ["kube-system", "openshift-dns"]}]});
    let labelled = json!({"matchLabels": {"bowline.io/dns": "true"}});
    let node_local = json!({"ipBlock": {"cidr": "169.254.20.10/32"}});
    let selected = [of_the_cluster, labelled].map(|it| json!({"namespaceSelector": it}));
    assert_eq!(names["to"], json!([selected[0], selected[1], node_local]));
    let ports = names["ports"].as_array().unwrap();
    assert!(ports.iter().all(|it| it["port"] == 53 || it["port"] == 5353), "{ports:?}");
    assert_eq!(found("services/NS/web")["spec"]["type"], "ClusterIP");
    assert_eq!(found("services/NS/web")["spec"]["ports"][0].get("nodePort"), None);
    assert!(world.cluster.find(&format!("widgets.example.com/{namespace}/main")).is_none());
    let owners = &found("configmaps/NS/widget-child")["metadata"]["ownerReferences"];
    assert!(owners.is_null(), "{owners}");
    let new: Vec<_> = remains(&world, &before).await;
    let outside = |id: &&String| !id.contains(namespace.as_str());
    let outside: Vec<_> = new.iter().filter(outside).cloned().collect();
    let volumes = |id: &String| id.starts_with("persistentvolumes/") || id.starts_with("vol-");
    let others: Vec<_> = outside.iter().filter(|id| !volumes(id)).cloned().collect();
    assert!(others.iter().all(|id| id.starts_with("restores/")), "{others:?}");
    let report = clean_up(&world, &Which::Named("nightly".to_owned())).await;
    assert_eq!(report.items[0].state, Fate::Done, "{report:?}");
    assert_eq!(remains(&world, &before).await, [""; 0]);
}

/// The rules of the restore that is rehearsed are for more than a drill makes, and open what it closes.
#[tokio::test(start_paused = true)]
async fn the_modifiers_of_a_restore_neither_end_its_drill_nor_open_it() {
    let world = backed_up().await;
    let drill = async |kind: &str, path: &str, value: &str| {
        let rule = format!(
            "- conditions: {{groupResource: {kind}}}\n  patches: [{{operation: add, path: {path}, \
             value: '{value}'}}]\n"
        );
        let mut request = Request { keep: true, ..request() };
        request.spec.resource_modifier_rules =
            Some(format!("version: v1\nresourceModifierRules:\n{rule}"));
        drill::run(&world.start(Script::Sound).context, &request, None).await
    };
    for kind in ["widgets.example.com", "namespaces"] {
        let report = drill(kind, "/metadata/labels/a", "b").await.unwrap();
        assert_eq!(report.evidence.verdict, Verdict::Passed, "{:?}", report.evidence.reason);
    }
    let report = drill("services", "/spec/type", "LoadBalancer").await.unwrap();
    let service = format!("services/{}/web", report.evidence.namespaces["shop"]);
    assert_eq!(world.cluster.get(&service)["spec"]["type"], "ClusterIP");
    let idle = drill("endpoints", "/metadata/labels/a", "b").await;
    assert!(matches!(idle, Err(Error::Restore(_))), "{idle:?}");
}

#[tokio::test(start_paused = true)]
async fn a_plan_says_what_a_drill_makes_and_all_that_it_needs_to_be_allowed() {
    let world = backed_up().await;
    let before = content(&world);
    world.cluster.deny("delete namespaces");
    let mut plan = PlanDocument::default();
    let process = world.start(Script::Sound);
    drill::plan(&process.context, &request(), &mut plan).await.unwrap();
    let missing: Vec<_> = Right::missing(&plan.rights).into_iter().map(|it| it.action).collect();
    assert_eq!(missing, ["delete namespaces"]);
    let told: Vec<_> = plan.warnings.iter().map(|it| &it.message).collect();
    assert!(told.iter().any(|it| it.contains("network plug-in")), "{told:?}");
    let made: Vec<_> = plan.items.iter().filter(|it| it.verdict == PlanVerdict::Create).collect();
    assert!(made.iter().any(|it| it.resource == "statefulsets.apps"));
    // The drill itself makes them, closed off.
    assert!(!made.iter().any(|it| it.resource == "namespaces"), "{made:?}");
    assert_eq!(remains(&world, &before).await, [""; 0]);
}

/// The warnings that were told.
#[derive(Debug, Default)]
struct Warned(Mutex<Vec<String>>);

impl Observer for Warned {
    fn observe(&self, event: &Event<'_>) {
        if let Event::Warning(problem) = event {
            self.0.lock().unwrap().push(problem.to_string());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_odd_about_a_drill_is_told_once_although_it_is_planned_twice() {
    let world = target(&backed_up().await);
    let (mut process, warned) = (world.start(Script::Sound), Arc::new(Warned::default()));
    process.context.observer = Arc::<Warned>::clone(&warned);
    run(&process).await.unwrap().unwrap();
    let mut told = warned.0.lock().unwrap().clone();
    assert!(told.iter().any(|it| it.contains("StorageClass standard")), "{told:?}");
    let all = told.len();
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), all, "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn namespaces_of_the_system_are_drilled_only_if_they_are_named() {
    let world = source();
    let settings = json!({"data": {"a": "b"}});
    world.cluster.add(object("v1", "ConfigMap", "kube-system", "own", &settings));
    let mut both = backup();
    both.spec.included_namespaces = vec!["shop".to_owned(), "kube-system".to_owned()];
    world.back_up(&both).await.unwrap();
    let drilled = async |named: &[&str]| {
        let mut request = request();
        request.spec.included_namespaces = named.iter().map(|it| (*it).to_owned()).collect();
        let process = world.start(Script::Sound);
        let report = drill::run(&process.context, &request, None).await.unwrap();
        report.evidence.namespaces.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(drilled(&[]).await, ["shop"]);
    assert_eq!(drilled(&["kube-system"]).await, ["kube-system"]);
    let process = world.start(Script::Sound);
    let mut none = request();
    none.spec.excluded_namespaces = vec!["shop".to_owned()];
    let refused = drill::run(&process.context, &none, None).await;
    assert!(matches!(refused, Err(Error::NoNamespaces { .. })), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_about_the_volumes_of_namespaces_that_are_left_out() {
    let world = source();
    let mut both = backup();
    both.spec.included_namespaces.push("other".to_owned());
    world.back_up(&both).await.unwrap();
    world.cloud.be_unusable();
    let refused = run(&world.start(Script::Sound)).await.unwrap();
    assert!(matches!(refused, Err(Error::Provider(_))), "{refused:?}");
    let mut other = request();
    other.spec.included_namespaces = vec!["other".to_owned()];
    let report = drill::run(&world.start(Script::Sound).context, &other, None).await.unwrap();
    assert_eq!(report.evidence.verdict, Verdict::Passed, "{:?}", report.evidence.reason);
    assert_eq!(drills(&world).await[0].record.volumes, []);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_come_back_or_up_fails_the_drill_and_goes_all_the_same() {
    let world = backed_up().await;
    let before = content(&world);
    world.cluster.refuse_creates("services", true);
    let report = drilled(&world).await;
    assert_eq!(report.evidence.verdict, Verdict::Failed);
    assert!(report.evidence.reason.unwrap().contains("services"));
    assert_eq!(remains(&world, &before).await, [""; 0]);
    world.cluster.refuse_creates("services", false);
    world.cloud.fail_volumes();
    let report = drilled(&world).await;
    assert_eq!(report.evidence.verdict, Verdict::Failed);
    assert_eq!(remains(&world, &before).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_object_whose_controller_is_not_there_does_not_hold_the_drill() {
    let world = source();
    let mut held = object("v1", "ConfigMap", "shop", "held", &json!({"data": {}}));
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    world.cluster.add(held);
    world.back_up(&backup()).await.unwrap();
    let before = content(&world);
    assert_eq!(drilled(&world).await.take_down.left, []);
    assert_eq!(remains(&world, &before).await, [""; 0]);
}

/// The identity of the only drill, if it is known.
async fn begun(world: &World) -> Option<Drill> {
    drills(world).await.pop()
}

#[tokio::test(start_paused = true)]
async fn a_drill_that_is_killed_at_any_call_leaves_nothing_that_a_clean_up_does_not_find() {
    let source = backed_up().await;
    let before = content(&source);
    for call in 0.. {
        let world = source.copy().await;
        let process = world.start(Script::KilledBefore(call));
        if run(&process).await.is_some() {
            assert!(call >= 40, "{call} calls");
            return;
        }
        let place = format!("before call {call}, {}", process.faults.victim());
        if let Some(drill) = begun(&world).await {
            // Nobody can tell whether it runs: only who names it takes it down.
            let verdict = drill.evidence.as_ref().map(|it| it.verdict);
            let all = clean_up(&world, &Which::All).await;
            let fates: Vec<_> = all.items.iter().map(|item| item.state).collect();
            let expected: &[Fate] = match (drill.is_down, verdict) {
                (true, _) => &[],
                (false, Some(_)) => &[Fate::Done],
                (false, None) => &[Fate::Running],
            };
            assert_eq!(fates, expected, "{place}");
            let report = clean_up(&world, &Which::Named(drill.record.uid)).await;
            assert!(!report.is_incomplete(), "{place}: {report:?}");
            let last = begun(&world).await.unwrap();
            assert!(last.is_down, "{place}");
            let evidence = last.evidence.unwrap().verdict;
            assert_eq!(evidence, verdict.unwrap_or(Verdict::Interrupted), "{place}");
        }
        assert_eq!(remains(&world, &before).await, [""; 0], "{place}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_or_whose_reply_is_lost_leaves_nothing_that_is_not_named() {
    let source = backed_up().await;
    let before = content(&source);
    let fails: fn(usize) -> Script = Script::Fails;
    for (script, step) in [(fails, 1), (Script::LosesReply, 1), (Script::CutOffFrom, 4)] {
        let mut call = 0;
        while nothing_unnamed_is_left(&source, &before, script(call)).await {
            call += step;
        }
        assert!(call >= 40, "{call} calls");
    }
}

/// Drills in a copy of the world; false once nothing goes wrong any more.
async fn nothing_unnamed_is_left(
    source: &World,
    before: &BTreeMap<String, Value>,
    script: Script,
) -> bool {
    let world = source.copy().await;
    let process = world.start(script);
    let result = run(&process).await.unwrap();
    let place = format!("{script:?}, {}: {result:?}", process.faults.victim());
    let left = match &result {
        Ok(report) => &report.take_down.left[..],
        Err(Error::Broken { left, .. }) => left,
        Err(_) => &[],
    };
    if left.is_empty() {
        assert_eq!(remains(&world, before).await, [""; 0], "{place}");
    }
    if let Some(drill) = begun(&world).await {
        let report = clean_up(&world, &Which::Named(drill.record.uid)).await;
        assert!(!report.is_incomplete(), "{place}: {report:?}");
    }
    assert_eq!(remains(&world, before).await, [""; 0], "{place}");
    process.faults.struck()
}

#[tokio::test(start_paused = true)]
async fn a_drill_that_is_asked_to_stop_takes_itself_down() {
    let source = backed_up().await;
    let before = content(&source);
    let mut stopped = 0;
    for call in 0.. {
        let world = source.copy().await;
        let process = world.start(Script::Waits(call));
        let asking = async {
            process.faults.waiting().await;
            process.stop.ask();
            process.faults.release();
            std::future::pending::<()>().await;
        };
        let result = tokio::select! {
            biased;
            result = run(&process) => result.unwrap(),
            () = asking => unreachable!("it waits for ever"),
        };
        if !process.faults.struck() {
            assert!(stopped >= 20, "only {stopped} of them were stopped");
            return;
        }
        if let Err(Error::Broken { source, left, .. }) = &result {
            assert!(matches!(**source, Cause::Interrupted), "at call {call}: {result:?}");
            assert_eq!(*left, [], "at call {call}");
            stopped += 1;
        }
        assert_eq!(remains(&world, &before).await, [""; 0], "at call {call}: {result:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_drill_that_does_not_come_to_an_end_is_taken_down() {
    let source = backed_up().await;
    let before = content(&source);
    for call in 20.. {
        let world = source.copy().await;
        let process = world.start(Script::Waits(call));
        let result = run(&process).await.unwrap();
        assert!(process.faults.struck(), "no call was waited for too long");
        let Err(Error::Broken { source, left, .. }) = result else { continue };
        let Cause::TooLong = *source else { continue };
        assert_eq!(left, [], "at call {call}");
        assert_eq!(remains(&world, &before).await, [""; 0], "at call {call}");
        return;
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_drilled_or_taken_down_again_is_refused_before_anything_is_made() {
    let world = backed_up().await;
    let before = content(&world);
    world.cluster.deny("delete namespaces");
    let refused = run(&world.start(Script::Sound)).await.unwrap();
    assert!(matches!(refused, Err(Error::NotAllowed { .. })), "{refused:?}");
    let process = world.start(Script::Sound);
    let mut other = request();
    other.spec.included_namespaces = vec!["nowhere".to_owned()];
    let refused = drill::run(&process.context, &other, None).await;
    assert!(matches!(refused, Err(Error::Restore(_))), "{refused:?}");
    assert_eq!(remains(&world, &before).await, [""; 0]);
    assert!(drills(&world).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_could_not_be_removed_again_is_not_made() {
    let world = backed_up().await;
    let before = content(&world);
    world.cloud.refuse("fake:DeleteVolume");
    let refused = run(&world.start(Script::Sound)).await.unwrap().unwrap_err();
    assert!(refused.to_string().contains("fake:DeleteVolume"), "{refused}");
    assert_eq!(remains(&world, &before).await, [""; 0]);
    assert!(drills(&world).await.is_empty());
}
