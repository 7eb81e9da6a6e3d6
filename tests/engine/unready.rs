//! What does not come up says why.

use bowline::engine::report::Phase;
use serde_json::json;

use crate::application::{backed_up, backup, object, restore, source, target};

#[tokio::test(start_paused = true)]
async fn a_workload_that_is_not_ready_says_what_its_pods_wait_for() {
    let world = target(&backed_up().await);
    world.cluster.schedule_nothing("0/1 nodes are available: 1 had volume node affinity conflict");
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    let of_set = |it: &&_| is_of(it, "statefulsets.apps");
    let error = report.errors.iter().find(of_set).unwrap();
    assert_eq!(
        error.message,
        "not ready within 300 s: 0 of 1 pods are ready; db-0: 0/1 nodes are available: 1 had \
         volume node affinity conflict"
    );
    let hint = "kubectl --namespace=shop describe pods --selector='app=db' tells more";
    assert_eq!(error.hint.as_deref(), Some(hint));
}

#[tokio::test(start_paused = true)]
async fn that_pods_cannot_be_looked_at_hides_nothing_else() {
    let world = target(&backed_up().await);
    world.cluster.schedule_nothing("no node");
    world.cluster.forbid("pods");
    let report = world.restore(&restore("rescue")).await.unwrap();
    let unready = report.errors.iter().filter(|it| it.message.contains("pods are ready"));
    let asked = unready.clone().filter(|it| it.message.contains("its pods cannot be looked at"));
    assert_eq!((unready.count(), asked.count()), (2, 1), "asked once: {:?}", report.errors);
}

fn is_of(problem: &bowline::engine::report::Problem, resource: &str) -> bool {
    problem.resource.as_deref() == Some(resource)
}

#[tokio::test(start_paused = true)]
async fn what_was_not_ready_when_it_was_backed_up_is_not_waited_for() {
    let origin = source();
    origin.cluster.schedule_nothing("no node");
    // With the next change, the controllers look at their pods.
    origin.cluster.add(object("v1", "ConfigMap", "shop", "next", &json!({})));
    assert_eq!(origin.back_up(&backup()).await.unwrap().errors, []);
    let world = target(&origin);
    world.cluster.schedule_nothing("no node");
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!((report.phase, report.errors.as_slice()), (Phase::Completed, &[][..]));
    let told = report.warnings.iter().find(|it| is_of(it, "statefulsets.apps")).unwrap();
    let message = "was not ready when it was backed up (0 of 1 pods are ready); not awaited";
    assert_eq!(told.message, message);
}
