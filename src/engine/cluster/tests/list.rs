use std::sync::Mutex;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use super::super::client::{Cluster, Options};
use super::super::error::Error;
use super::super::fake::{Log, Reply, Request};
use super::super::list::{ListScope, Page};
use super::{lines, nodes, pods, requests};

/// A reply with these objects (`namespace/name`), each with so many bytes of ballast.
fn page(names: &[&str], next: &str, ballast: usize) -> Reply {
    let items: Vec<Value> = names
        .iter()
        .map(|key| {
            let (namespace, name) = key.split_once('/').unwrap();
            json!({"metadata": {"namespace": namespace, "name": name}, "x": "x".repeat(ballast)})
        })
        .collect();
    let list = json!({"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": next}, "items": items});
    Reply::json(200, &list)
}

/// A server that keeps `count` pods of so many bytes, and pages them as a real one does.
fn server(count: usize, ballast: usize) -> impl Fn(&Request) -> Reply {
    move |request| {
        let from: usize = request.query("continue").map_or(0, |token| token.parse().unwrap());
        let limit: usize = request.query("limit").unwrap().parse().unwrap();
        let to = (from + limit).min(count);
        let names: Vec<String> = (from..to).map(|i| format!("shop/{i:06}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        page(&names, &if to < count { to.to_string() } else { String::new() }, ballast)
    }
}

fn gone(resume: &str) -> Reply {
    Reply::json(
        410,
        &json!({"kind": "Status", "reason": "Expired", "message": "too old", "metadata": {"continue": resume}}),
    )
}

fn keys(pages: &[Page]) -> Vec<String> {
    pages.iter().flat_map(|page| &page.items).map(super::super::page::Listed::key).collect()
}

fn limits(log: &Log) -> Vec<String> {
    requests(log).iter().map(|request| request.query("limit").unwrap()).collect()
}

async fn listed(cluster: &Cluster) -> Result<Vec<Page>, Error> {
    let pages = cluster.list(&pods(), &ListScope::default()).try_collect();
    tokio::time::timeout(Duration::from_secs(30), pages).await.expect("the list has no end")
}

#[tokio::test]
async fn small_objects_come_in_large_pages_and_large_ones_in_small() {
    let cases: [(usize, usize, &[&str]); 3] = [
        (1200, 100, &["50", "500", "500", "500"]),
        // Of 20 kB and a little: a page of 2 MiB holds 104 of them.
        (200, 20_000, &["50", "104", "104"]),
        (3, 100, &["50"]),
    ];
    for (count, ballast, expected) in cases {
        let (cluster, log) = Cluster::fake_with(&Options::default(), server(count, ballast));
        let pages = listed(&cluster).await.unwrap();
        assert_eq!(keys(&pages).len(), count);
        assert_eq!(limits(&log), expected);
    }
}

#[tokio::test]
async fn a_page_that_turns_out_too_large_is_asked_for_in_smaller_pieces() {
    let (cluster, log) = Cluster::fake_with(&Options::default(), server(60, 300_000));
    let pages = cluster.list(&pods(), &ListScope::default());
    let pages: Vec<_> = pages.map_ok(|page| page.items).try_collect().await.unwrap();
    assert_eq!(pages.concat().len(), 60);
    assert!(
        limits(&log).starts_with(&["50".into(), "12".into(), "6".into()]),
        "{:?}",
        limits(&log)
    );
}

#[tokio::test]
async fn one_object_larger_than_any_page_is_listed_all_the_same() {
    let (cluster, _) = Cluster::fake_with(&Options::default(), server(2, 5 << 20));
    let pages = cluster.list(&pods(), &ListScope::default());
    let pages: Vec<_> = pages.map_ok(|page| page.items).try_collect().await.unwrap();
    assert_eq!(pages.concat().len(), 2);
}

#[tokio::test]
async fn scope_and_continue_token_are_passed_on() {
    let (cluster, log) = Cluster::scripted(vec![page(&["shop/a"], "t=1&/", 0), page(&[], "", 0)]);
    let scope = ListScope {
        namespace: Some("shop".to_owned()),
        label_selector: Some("app in (a,b),!c".to_owned()),
    };
    let pages: Vec<_> = cluster.list(&pods(), &scope).try_collect().await.unwrap();
    assert_eq!(pages.len(), 1);
    let log = requests(&log);
    assert!(log[0].path.starts_with("/api/v1/namespaces/shop/pods?limit=50&"), "{}", log[0].path);
    assert_eq!(log[1].query("continue").unwrap(), "t=1&/");
    assert!(log.iter().all(|request| request.query("labelSelector").unwrap() == "app in (a,b),!c"));
}

#[tokio::test]
async fn cluster_scoped_objects_are_listed_without_a_namespace() {
    let (cluster, log) = Cluster::scripted(vec![Reply::json(200, &json!({"items": null}))]);
    let scope = ListScope { namespace: Some("shop".to_owned()), label_selector: None };
    assert!(cluster.list(&nodes(), &scope).next().await.is_none());
    assert_eq!(lines(&log), ["GET /api/v1/nodes?limit=50"]);
}

#[tokio::test]
async fn an_expired_list_begins_again_without_repeating_or_missing_anything() {
    // In the server's order, `a-b/` comes before `a/`. `a/2` is deleted and `a/15` is new.
    let (cluster, log) = Cluster::scripted(vec![
        page(&["a-b/1", "a-b/2"], "1", 0),
        page(&["a/1", "a/2"], "2", 0),
        gone(""),
        page(&["a-b/1", "a-b/2", "a-b/3"], "3", 0),
        page(&["a/1", "a/15", "a/3"], "4", 0),
        page(&["b/1"], "", 0),
    ]);
    let pages = listed(&cluster).await.unwrap();
    assert_eq!(keys(&pages), ["a-b/1", "a-b/2", "a/1", "a/2", "a/3", "b/1"]);
    let tokens: Vec<_> = requests(&log).iter().map(|request| request.query("continue")).collect();
    let token = |text: &str| Some(text.to_owned());
    assert_eq!(tokens, [None, token("1"), token("2"), None, token("3"), token("4")]);
}

#[tokio::test]
async fn an_expired_list_goes_on_where_the_server_says() {
    let (cluster, log) =
        Cluster::scripted(vec![page(&["a/1"], "1", 0), gone("later"), page(&["a/2"], "", 0)]);
    assert_eq!(keys(&listed(&cluster).await.unwrap()), ["a/1", "a/2"]);
    assert_eq!(requests(&log)[2].query("continue").unwrap(), "later");
}

#[tokio::test]
async fn a_list_that_expires_but_gets_on_is_read_to_its_end() {
    let script = (0..20).flat_map(|i| [page(&[&format!("a/{i:02}")], "next", 0), gone("next")]);
    let script = script.chain([page(&["b/1"], "", 0)]).collect();
    let (cluster, _) = Cluster::scripted(script);
    assert_eq!(keys(&listed(&cluster).await.unwrap()).len(), 21);
}

#[tokio::test]
async fn a_list_that_gets_no_further_is_given_up() {
    for resume in ["", "again"] {
        let (cluster, log) = Cluster::scripted(vec![page(&["a/1"], "1", 0), gone(resume)]);
        let mut pages = cluster.list(&pods(), &ListScope::default());
        assert!(pages.next().await.unwrap().is_ok());
        let error = pages.next().await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Expired { .. }), "{error}");
        assert!(pages.next().await.is_none());
        assert_eq!(lines(&log).len(), 7);
    }
}

/// As the servers of aggregated APIs may.
#[tokio::test]
async fn items_in_any_order_are_all_given_out() {
    let (cluster, _) = Cluster::scripted(vec![
        page(&["b/2", "b/1"], "1", 0),
        page(&["a/1", "c/1"], "2", 0),
        page(&["a/2"], "", 0),
    ]);
    let pages = listed(&cluster).await.unwrap();
    assert_eq!(keys(&pages), ["b/2", "b/1", "a/1", "c/1", "a/2"]);
}

#[tokio::test]
async fn a_list_in_any_order_that_expires_has_failed() {
    let within_a_page = vec![page(&["b/2", "b/1"], "1", 0), gone("")];
    let between_pages = vec![page(&["b/1"], "1", 0), page(&["a/1"], "2", 0), gone("later")];
    let only_later = vec![page(&["b/1"], "1", 0), gone(""), page(&["c/1", "a/1"], "", 0)];
    let when_begun_again =
        vec![page(&["b/1"], "1", 0), gone(""), page(&["c/1"], "2", 0), page(&["a/1"], "", 0)];
    let after_a_token = vec![page(&["b/1"], "1", 0), gone("later"), page(&["a/1"], "", 0)];
    let scripts = [within_a_page, between_pages, only_later, when_begun_again, after_a_token];
    for script in scripts {
        let (cluster, _) = Cluster::scripted(script);
        let error = listed(&cluster).await.unwrap_err();
        assert!(matches!(error, Error::Unordered { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_kind_that_vanished_is_told_apart() {
    let (cluster, _) = Cluster::scripted(vec![Reply::text(404, "404 page not found")]);
    let error = listed(&cluster).await.unwrap_err();
    assert!(matches!(error, Error::NotServed { .. }), "{error}");
    assert_eq!(error.to_string(), "failed to list pods: the cluster does not serve this kind");
}

/// Pages that are kept, each of 2 MiB, until the next one does not come.
#[tokio::test(start_paused = true)]
async fn pages_that_are_kept_hold_back_further_ones_until_they_are_dropped() {
    let (cluster, _) = Cluster::fake_with(&Options::default(), server(1000, 40_000));
    let mut pages = cluster.list(&pods(), &ListScope::default());
    let kept = Mutex::new(Vec::new());
    let patience = Duration::from_secs(5);
    while let Ok(page) = tokio::time::timeout(patience, pages.next()).await {
        kept.lock().unwrap().push(page.unwrap().unwrap());
    }
    let held = kept.lock().unwrap().len();
    assert!((10..=12).contains(&held), "{held}");

    kept.lock().unwrap().clear();
    let more = tokio::time::timeout(patience, pages.next()).await;
    assert!(more.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_page_holds_no_more_than_it_weighs() {
    let one_by_one = |request: &Request| {
        let from = request.query("continue").map_or(0, |token| token.parse().unwrap());
        page(&[&format!("shop/{from:06}")], &(from + 1).to_string(), 0)
    };
    let (cluster, _) = Cluster::fake_with(&Options::default(), one_by_one);
    let pages = cluster.list(&pods(), &ListScope::default()).take(200).try_collect::<Vec<Page>>();
    let pages = tokio::time::timeout(Duration::from_secs(5), pages).await;
    assert_eq!(pages.expect("there is no room for more").unwrap().len(), 200);
}
