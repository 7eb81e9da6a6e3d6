//! Clusters with few kinds of many or large objects, and with many kinds of few.

use std::time::Duration;

use bowline::engine::model::backup::BackupSpec;
use bowline::engine::report::Phase;

use crate::ALONE;
use crate::archive::Location;
use crate::objects::{Served, custom, namespace};
use crate::server::{Fate, Server};

/// What may be held at once, whatever the objects are: pages of 24 MiB, each with a copy of its items;
/// the blocks of the archive that are packed, and the parts that are uploaded, of a MiB or a few
/// each.
const BOUND: u64 = 96 << 20;
/// What may be held of small objects, and how much more for each: they have a name in an index.
const SMALL: u64 = 40 << 20;
const EACH: u64 = 160;
/// How many requests are on their way at once by default.
const IN_FLIGHT: usize = 30;

/// Less of what is large in a debug build, which reads JSON thirty times as slowly.
const fn scaled(release: usize, debug: usize) -> usize {
    if cfg!(debug_assertions) { debug } else { release }
}

/// Backs up and restores all of a server, in this much memory.
async fn there_and_back(server: &Server, bound: u64) {
    let location = Location::new();
    let backup = location.back_up_whole(server, server.connect(IN_FLIGHT, None)).await;
    assert!(backup < bound, "the backup held {backup} bytes");
    let target = server.empty();
    let restore = location.restore_whole(&target, target.connect(IN_FLIGHT, None)).await;
    assert!(restore < bound, "the restore held {restore} bytes");
}

fn small(objects: usize) -> u64 {
    SMALL + EACH * objects as u64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gigabyte_of_one_custom_kind_takes_no_more_memory_than_anything_else() {
    let _alone = ALONE.lock().await;
    let count = scaled(1000, 48);
    let kind = Served::namespaced("blobs.example.com", "Blob", count, 100).sized(|_| 1 << 20);
    there_and_back(&Server::new(count.div_ceil(100), vec![kind]), BOUND).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_near_the_limit_of_three_mebibytes_among_small_ones_take_no_more_either() {
    let _alone = ALONE.lock().await;
    let size = |number: usize| if number.is_multiple_of(4) { (3 << 20) - 1000 } else { 500 };
    let of = |path, kind| Served::namespaced(path, kind, scaled(200, 32), 8).sized(size);
    let kinds = vec![of("secrets", "Secret"), of("blobs.example.com", "Blob")];
    there_and_back(&Server::new(scaled(25, 4), kinds), BOUND).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_namespaces_of_a_few_objects_each() {
    let _alone = ALONE.lock().await;
    let namespaces = scaled(10_000, 2_000);
    let kinds = vec![
        Served::namespaced("configmaps", "ConfigMap", namespaces * 2, 2),
        Served::namespaced("secrets", "Secret", namespaces, 1),
    ];
    let server = Server::new(namespaces, kinds);
    there_and_back(&server, small(namespaces * 4)).await;
}

/// One list of each namespace only where nobody may list all of them at once, or that fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_namespaces_but_a_few_are_listed_at_once_and_the_few_left_out() {
    let _alone = ALONE.lock().await;
    let asked = all_but_a_few("none").await;
    assert!(asked < 100, "{asked} requests");
    for refused in ["selfsubjectaccessreviews", "/api/v1/secrets"] {
        let asked = all_but_a_few(refused).await;
        assert!(asked > 499, "{refused}: {asked} requests");
    }
}

/// Backs up all namespaces but two where requests to a path are refused; tells how many there were.
async fn all_but_a_few(refused: &'static str) -> u64 {
    let kind = |resource, kind| Served::namespaced(resource, kind, 1000, 2);
    let kinds = vec![kind("configmaps", "ConfigMap"), kind("secrets", "Secret")];
    let decide = |is_refused| if is_refused { Fate::Refused(403, None) } else { Fate::Answered };
    let server =
        Server::new(500, kinds).deciding(move |asked| decide(asked.path.ends_with(refused)));
    let location = Location::new();
    let excluded_namespaces = vec!["kube-system".to_owned(), namespace(0)];
    let spec = BackupSpec { excluded_namespaces, ..BackupSpec::default() };
    let (report, _) = location.back_up_some(server.connect(IN_FLIGHT, None), spec).await;
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    let left_out = format!("/{}/", namespace(0));
    let mut expected = server.archived();
    expected.retain(|path| !path.replace(".json", "/").contains(&left_out));
    assert_eq!(location.archived(), expected);
    server.asked()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_custom_kinds_of_a_few_objects_each() {
    let _alone = ALONE.lock().await;
    let definitions = "customresourcedefinitions.apiextensions.k8s.io";
    let mut kinds = vec![Served::cluster(definitions, "CustomResourceDefinition", 500)];
    kinds.extend((0..500).map(|number| Served {
        count: 6,
        per_namespace: Some(2),
        ..custom(number)
    }));
    there_and_back(&Server::new(3, kinds), small(3500)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_secrets_in_one_namespace() {
    let _alone = ALONE.lock().await;
    let count = scaled(100_000, 10_000);
    let kind = Served::namespaced("secrets", "Secret", count, count);
    there_and_back(&Server::new(1, vec![kind]), small(count)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_over_what_is_all_there_asks_once_for_each_kind_and_changes_nothing() {
    let _alone = ALONE.lock().await;
    let asked = restored_over("none", 1000, scaled(20_000, 4_000)).await;
    assert!(asked < 200, "{asked} requests");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_there_is_asked_for_by_namespace_where_a_whole_list_fails() {
    let _alone = ALONE.lock().await;
    let asked = restored_over("/api/v1/secrets", 100, 400).await;
    assert!((100..300).contains(&asked), "{asked} requests");
}

/// Restores over what is all there, where requests to a path are refused; tells how many there were.
async fn restored_over(refused: &'static str, namespaces: usize, count: usize) -> u64 {
    let each = count / 2 / namespaces;
    let kind = |resource, kind| Served::namespaced(resource, kind, count / 2, each);
    let kinds = || vec![kind("configmaps", "ConfigMap"), kind("secrets", "Secret")];
    let location = Location::new();
    let source = Server::new(namespaces, kinds());
    location.back_up_whole(&source, source.connect(IN_FLIGHT, None)).await;

    let decide = |is_refused| if is_refused { Fate::Refused(403, None) } else { Fate::Answered };
    let server = Server::new(namespaces, kinds())
        .deciding(move |asked| decide(asked.path.ends_with(refused)));
    let (report, peak) = location.restore(server.connect(IN_FLIGHT, None)).await;
    assert_eq!(report.items.unchanged, (count + namespaces) as u64, "{:?}", report.items);
    assert_eq!((server.made(), report.errors.len()), (0, 0));
    assert!(peak < small(count), "the restore held {peak} bytes");
    server.asked()
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_seconds_for_each_reply_is_waited_for() {
    let _alone = ALONE.lock().await;
    let kind = Served::namespaced("secrets", "Secret", 1000, 100);
    let server = Server::new(10, vec![kind]).slow(Duration::from_secs(20));
    let location = Location::new();
    location.back_up_whole(&server, server.connect(IN_FLIGHT, None)).await;
    let target = server.empty().slow(Duration::from_secs(20));
    location.restore_whole(&target, target.connect(IN_FLIGHT, None)).await;
}
