//! What changed since a backup: in another one, and in the cluster.

use std::io;

use bowline::engine::backup;
use bowline::engine::model::restore::ExistingResourcePolicy;
use bowline::engine::restore::Error;
use bowline::engine::restore::diff::{
    self, Change, ChangeKind, DiffFooter, DiffHeader, DiffReader, Filter,
};
use bowline::engine::stop::Stop;
use serde_json::json;

use crate::application::{backed_up, backup, object, restore, source, target};
use crate::fake_world::World;
use crate::faults::Script;

/// What was told.
#[derive(Default)]
pub(crate) struct Told {
    header: Option<DiffHeader>,
    changes: Vec<Change>,
}

impl DiffReader for Told {
    fn begin(&mut self, header: DiffHeader) -> io::Result<()> {
        self.header = Some(header);
        Ok(())
    }

    fn change(&mut self, change: Change) -> io::Result<()> {
        self.changes.push(change);
        Ok(())
    }
}

impl Told {
    /// In a few words, in the order in which they were told.
    pub(crate) fn words(&self) -> Vec<String> {
        self.changes.iter().map(words).collect()
    }
}

fn words(change: &Change) -> String {
    let place = change.namespace.as_ref().map(|it| format!("{it}/")).unwrap_or_default();
    let fields: Vec<_> = change.fields.iter().map(|field| field.path.as_str()).collect();
    let (what, name) = (change.change.word(), &change.name);
    format!("{what} {}/{place}{name} {}", change.resource, fields.join(" ")).trim_end().to_owned()
}

async fn backups(world: &World, from: &str, to: &str, filter: &Filter) -> (Told, DiffFooter) {
    let mut told = Told::default();
    let store = world.backups();
    let footer = diff::backups(&store, from, to, filter, &mut told).await.unwrap();
    (told, footer)
}

/// What changed in the cluster.
pub(crate) async fn cluster(world: &World, filter: &Filter) -> (Told, DiffFooter) {
    let mut told = Told::default();
    let process = world.start(Script::Sound);
    let footer = process.engine.compare_backup("nightly", filter, &mut told).await.unwrap();
    assert_eq!(process.faults.calls(), [""; 0]);
    (told, footer)
}

/// The application as it is some time after the backup.
async fn changed() -> World {
    let world = backed_up().await;
    let cluster = &world.cluster;
    cluster.edit("deployments.apps/shop/web", |web| web["spec"]["replicas"] = json!(5));
    cluster.edit("configmaps/shop/settings", |it| it["data"] = json!({"a": "c"}));
    cluster.remove("configmaps/shop/widget-child");
    cluster.add(object("v1", "ConfigMap", "shop", "fresh", &json!({"data": {"n": "1"}})));
    cluster.add(object("v1", "Secret", "shop", "key", &json!({"data": {"k": "aHVudGVy"}})));
    cluster.add(object("v1", "ConfigMap", "other", "elsewhere", &json!({})));
    cluster.edit("configmaps/other/settings", |it| it["data"] = json!({"a": "c"}));
    world
}

const SINCE: [&str; 5] = [
    "added configmaps/shop/fresh",
    "changed configmaps/shop/settings /data/a",
    "removed configmaps/shop/widget-child",
    "added secrets/shop/key",
    "changed deployments.apps/shop/web /spec/replicas",
];

fn later() -> backup::Request {
    backup::Request { name: "later".to_owned(), ..backup() }
}

#[tokio::test(start_paused = true)]
async fn a_backup_is_no_different_from_the_cluster_that_it_was_just_made_of() {
    let world = backed_up().await;
    let (told, footer) = cluster(&world, &Filter::default()).await;
    assert_eq!(told.words(), [""; 0]);
    assert!(footer.is_same() && footer.counts["same"] >= 12, "{footer:?}");
    assert_eq!(footer.not_compared, []);
    assert_eq!(told.header.unwrap().to, None);
}

#[tokio::test(start_paused = true)]
async fn what_came_went_and_changed_in_the_cluster_is_told_within_what_was_backed_up() {
    let world = changed().await;
    let (told, footer) = cluster(&world, &Filter::default()).await;
    assert_eq!(told.words(), SINCE);
    let replicas = &told.changes[4].fields[0];
    assert_eq!((&replicas.from, &replicas.to), (&json!(2), &json!(5)));
    assert_eq!((footer.counts["added"], footer.counts["removed"]), (2, 1));
    assert!(!footer.is_same());
}

#[tokio::test(start_paused = true)]
async fn two_backups_tell_the_same_as_backup_and_cluster_and_the_reverse_the_other_way_round() {
    let world = changed().await;
    assert_eq!(world.back_up(&later()).await.unwrap().errors, []);
    let (told, footer) = backups(&world, "nightly", "later", &Filter::default()).await;
    assert_eq!(told.words(), SINCE);
    let (reverse, back) = backups(&world, "later", "nightly", &Filter::default()).await;
    let turned = SINCE.map(|line| match line.split_once(' ').unwrap() {
        ("added", rest) => format!("removed {rest}"),
        ("removed", rest) => format!("added {rest}"),
        _ => line.to_owned(),
    });
    assert_eq!(reverse.words(), turned);
    assert_eq!(footer.counts["same"], back.counts["same"]);
    let (told, footer) = backups(&world, "later", "later", &Filter::default()).await;
    assert_eq!(told.words(), [""; 0]);
    assert_eq!(footer.counts.keys().collect::<Vec<_>>(), [&"same"]);
}

#[tokio::test(start_paused = true)]
async fn values_of_secrets_are_told_of_neither_side() {
    let world = changed().await;
    world.back_up(&later()).await.unwrap();
    world.cluster.edit("secrets/shop/key", |it| it["data"]["k"] = json!("b3RoZXI="));
    let again = backup::Request { name: "again".to_owned(), ..backup() };
    world.back_up(&again).await.unwrap();
    let (told, _) = backups(&world, "later", "again", &Filter::default()).await;
    assert_eq!(told.words(), ["changed secrets/shop/key /data/k"]);
    let printed = serde_json::to_string(&told.changes).unwrap();
    assert!(!printed.contains("aHVu") && !printed.contains("b3Ro"), "{printed}");
}

#[tokio::test(start_paused = true)]
async fn filters_say_what_is_compared() {
    let world = changed().await;
    let words = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    let of = |included_resources| Filter { included_resources, ..Filter::default() };
    let (told, _) = cluster(&world, &of(words(&["deployments"]))).await;
    assert_eq!(told.words(), SINCE[4..]);
    let selectors = "app=web".parse().unwrap();
    let (told, footer) = cluster(&world, &Filter { selectors, ..Filter::default() }).await;
    assert_eq!((told.words().len(), footer.is_same()), (0, true), "{:?}", told.words());
    let elsewhere = Filter { included_namespaces: words(&["other"]), ..Filter::default() };
    for mistyped in [of(words(&["deploymnets"])), elsewhere] {
        let engine = world.start(Script::Sound).engine;
        let refused = engine.compare_backup("nightly", &mistyped, &mut Told::default()).await;
        assert!(refused.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_fresh_cluster_lacks_what_a_plan_would_create() {
    let world = target(&backed_up().await);
    let (told, footer) = cluster(&world, &Filter::default()).await;
    assert!(told.changes.iter().all(|it| it.change == ChangeKind::Removed), "{:?}", told.words());
    let plan = world.start(Script::Sound).engine.plan_restore(&restore("rescue")).await.unwrap();
    let is_made = |it: &&bowline::engine::restore::PlannedItem| it.verdict.word() == "create";
    let mut made: Vec<_> =
        plan.items.iter().filter(is_made).map(|it| it.resource.as_str()).collect();
    let mut lacking: Vec<_> = told.changes.iter().map(|it| it.resource.as_str()).collect();
    made.sort_unstable();
    lacking.sort_unstable();
    assert_eq!(lacking, made);
    assert_eq!(footer.counts["removed"], lacking.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_into_which_it_was_restored_differs_in_what_was_changed_since() {
    let world = target(&backed_up().await);
    assert_eq!(world.restore(&restore("rescue")).await.unwrap().errors, []);
    let (told, footer) = cluster(&world, &Filter::default()).await;
    assert_eq!(told.words(), [""; 0]);
    assert!(footer.counts["same"] > 15, "{footer:?}");
    let claim = "persistentvolumeclaims/shop/data-db-0";
    world.cluster.edit(claim, |it| {
        it["metadata"]["annotations"] = json!({});
        it["spec"]["volumeName"] = json!("another");
    });
    let (told, _) = cluster(&world, &Filter::default()).await;
    let changed = format!("changed {claim} /spec/volumeName");
    assert!(told.words().contains(&changed), "{:?}", told.words());
}

/// Applied by hand, it keeps its annotations, and has a new and empty volume.
#[tokio::test(start_paused = true)]
async fn a_claim_that_was_made_again_since_the_restore_is_on_another_volume() {
    let world = target(&backed_up().await);
    assert_eq!(world.restore(&restore("rescue")).await.unwrap().errors, []);
    let claim = "persistentvolumeclaims/shop/data-db-0";
    let volume = world.cluster.get(claim)["spec"]["volumeName"].clone();
    let mut fresh = world.cluster.get(&format!("persistentvolumes/{}", volume.as_str().unwrap()));
    fresh["metadata"] = json!({"name": "fresh"});
    world.cluster.add(fresh);
    world.cluster.edit(claim, |it| it["spec"]["volumeName"] = json!("fresh"));
    let (told, _) = cluster(&world, &Filter::default()).await;
    let changed = format!("changed {claim} /spec/volumeName");
    assert!(told.words().contains(&changed), "{:?}", told.words());
}

#[tokio::test(start_paused = true)]
async fn who_may_not_read_volumes_is_told_that_restored_ones_are_not_known() {
    let world = target(&backed_up().await);
    assert_eq!(world.restore(&restore("rescue")).await.unwrap().errors, []);
    world.cluster.forbid("persistentvolumes");
    let (_, footer) = cluster(&world, &Filter::default()).await;
    let names: Vec<_> = footer.not_compared.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["which volumes a restore of this backup made", "persistentvolumes"]);
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_read_is_told_and_not_called_missing() {
    let world = changed().await;
    world.cluster.forbid("configmaps");
    let (told, footer) = cluster(&world, &Filter::default()).await;
    assert_eq!(told.words(), SINCE[3..]);
    let [not_compared] = &footer.not_compared[..] else { panic!("{footer:?}") };
    assert_eq!(not_compared.name, "configmaps");
    assert!(not_compared.reason.contains("forbidden"), "{not_compared:?}");
}

/// Asks for a stop as soon as the first difference is told.
struct Stops {
    stop: Stop,
    told: usize,
}

impl DiffReader for Stops {
    fn begin(&mut self, _: DiffHeader) -> io::Result<()> {
        Ok(())
    }

    fn change(&mut self, _: Change) -> io::Result<()> {
        self.told += 1;
        assert!(self.stop.ask(), "it is heeded");
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_comparison_with_a_cluster_ends_when_it_is_asked_to_and_says_so() {
    let source = backed_up().await;
    let process = target(&source).start(Script::Sound);
    let mut reader = Stops { stop: process.stop.clone(), told: 0 };
    let compared = process.engine.compare_backup("nightly", &Filter::default(), &mut reader).await;
    assert!(matches!(compared, Err(Error::Stopped)), "{compared:?}");
    assert!(reader.told > 0, "it had begun");
}

#[tokio::test(start_paused = true)]
async fn what_no_backup_would_hold_is_not_called_added() {
    let world = source();
    let mut everything = backup();
    everything.spec.included_namespaces.clear();
    assert_eq!(world.back_up(&everything).await.unwrap().errors, []);
    let mut excluded = object("v1", "ConfigMap", "shop", "excluded", &json!({}));
    excluded["metadata"]["labels"] = json!({"velero.io/exclude-from-backup": "true"});
    world.cluster.add(excluded);
    world.cluster.add(object("v1", "ConfigMap", "kube-system", "own", &json!({})));
    let (told, footer) = cluster(&world, &Filter::default()).await;
    assert_eq!((told.words(), footer.is_same()), (Vec::new(), true));
    let named = vec!["kube-system".to_owned()];
    let named = Filter { included_namespaces: named, ..Filter::default() };
    assert_eq!(cluster(&world, &named).await.0.words(), ["added configmaps/kube-system/own"]);
}

/// What a restore leaves to an autoscaler is no difference, and its plan says so.
#[tokio::test(start_paused = true)]
async fn the_replicas_of_what_is_autoscaled_are_no_difference() {
    let world = backed_up().await;
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let spec = json!({"spec": {"minReplicas": 1, "maxReplicas": 9, "scaleTargetRef": target}});
    world.cluster.edit("deployments.apps/shop/web", |it| it["spec"]["replicas"] = json!(7));
    let filter = Filter { included_resources: vec!["deployments".to_owned()], ..Filter::default() };
    let changed = ["changed deployments.apps/shop/web /spec/replicas"];
    assert_eq!(cluster(&world, &filter).await.0.words(), changed);
    let scaler = "HorizontalPodAutoscaler";
    world.cluster.add(object("autoscaling/v1", scaler, "shop", "web", &spec));
    assert_eq!(cluster(&world, &filter).await.0.words(), [""; 0]);

    world.cluster.edit("deployments.apps/shop/web", |it| it["spec"]["paused"] = json!(true));
    let mut request = restore("again");
    request.spec.existing_resource_policy = Some(ExistingResourcePolicy::Update);
    let plan = world.start(Script::Sound).engine.plan_restore(&request).await.unwrap();
    let web = plan.items.iter().find(|it| it.resource == "deployments.apps").unwrap();
    let fields: Vec<_> = web.differences.iter().map(|it| it.path.as_str()).collect();
    assert_eq!((web.verdict.word(), fields), ("update", vec!["/spec/paused"]));
    let note = "replicas left to the autoscaler".to_owned();
    assert!(web.transformations.contains(&note), "{:?}", web.transformations);
}
