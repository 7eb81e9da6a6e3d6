//! Two clusters, one location, and a schedule that goes from one to the other.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::api_server::{ApiServer, HERE, site_of};
use crate::schedules::add;
use crate::site::Site;

/// The backups that are there, by the cluster that was backed up.
fn backups(site: &Site, cluster: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(site.path("backups")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let document = fs::read(site.path(&format!("backups/{name}/velero-backup.json"))).unwrap();
        let document: Value = serde_json::from_slice(&document).unwrap();
        if document["metadata"]["annotations"]["bowline.io/cluster-uid"] == cluster {
            found.insert(name);
        }
    }
    found
}

async fn make(site: &Site) {
    let shown = site.run("backup create --from-schedule nightly --expire -q").await;
    assert!(shown.starts_with("exit code: 0\n"), "{shown}");
}

#[tokio::test]
async fn ten_runs_in_one_cluster_leave_all_backups_of_the_one_that_had_the_schedule() {
    let shop = json!({"kind": "Namespace", "metadata": {"name": "shop", "uid": "uid-of-shop"}});
    let (east, _east) = site_of(ApiServer::new().with(shop.clone())).await;
    add(&east, "nightly", |it| it["bowline"]["keep"] = json!({"last": 2}));
    for _ in 0..2 {
        make(&east).await;
    }
    let of_east = backups(&east, HERE);
    assert_eq!(of_east.len(), 2);

    let (west, _west) = ApiServer::of("west").with(shop).lead(&east).await;
    let refused = west.run("backup create --from-schedule nightly --expire").await;
    assert!(refused.contains("belongs to the cluster"), "{refused}");
    let adopted = west.run("schedule adopt nightly --confirm").await;
    assert!(adopted.starts_with("exit code: 0\n"), "{adopted}");
    for _ in 0..10 {
        make(&west).await;
    }
    assert_eq!(backups(&west, HERE), of_east);
    assert_eq!(backups(&west, "west").len(), 2);
    let told = west.run("backup expire --dry-run").await;
    assert!(told.contains("not of the cluster whose schedule it is"), "{told}");
}
