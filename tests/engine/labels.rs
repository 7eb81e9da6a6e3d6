//! Labels and annotations of backups and restores.

use std::collections::BTreeMap;

use bowline::engine::backup;
use bowline::engine::restore::{self, Error};
use bowline::engine::store::{BackupState, RestoreKeys};

use crate::application::{backed_up, backup, restore, source, target};

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn annotations_of_a_backup_are_recorded_and_ours_stand_above_them() {
    let world = source();
    let annotations = pairs(&[("ticket", "INC-7: disk full"), ("bowline.io/version", "0.0.0")]);
    world.back_up(&backup::Request { annotations, ..backup() }).await.unwrap();
    let Some(BackupState::Committed(document)) = world.backups().backup("nightly").await.unwrap()
    else {
        panic!("it is no backup")
    };
    assert_eq!(document.annotation("ticket"), Some("INC-7: disk full"));
    assert_eq!(document.annotation("bowline.io/version"), Some(env!("CARGO_PKG_VERSION")));
}

#[tokio::test(start_paused = true)]
async fn labels_of_a_restore_are_recorded_and_it_goes_on_only_under_the_same() {
    let world = target(&backed_up().await);
    let (labels, annotations) = (pairs(&[("team", "shop")]), pairs(&[("ticket", "INC-8")]));
    let asked = restore::Request { labels, annotations, ..restore("r") };
    world.restore(&asked).await.unwrap();
    let record = world.backups().restore("r").await.unwrap().unwrap().record;
    assert_eq!((&record.labels, &record.annotations), (&asked.labels, &asked.annotations));
    world.backups().remove(&RestoreKeys("r").result()).await.unwrap();
    let other = restore::Request { labels: pairs(&[("team", "web")]), ..asked.clone() };
    let error = world.restore(&other).await.unwrap_err();
    assert!(matches!(&error, Error::NameInUse { reason, .. } if reason.contains("something else")));
    let again = world.restore(&asked).await.unwrap();
    assert_eq!(again.uid, record.uid);
}
