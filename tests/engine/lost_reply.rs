//! One call fails, or its reply is lost, or it never ends: the result is the same, nothing is doubled.

use bowline::engine::backup;
use bowline::engine::report::Phase;

use crate::application::{self, backed_up, faults_of, restore, source, target};
use crate::crash_backup::{faults_of_backup, keys_of_a_backup, replacing};
use crate::fake_world::World;
use crate::faults::Script;

/// Lets one call of a backup go wrong, for each call; tells which ones ended the run.
async fn disturb_backups(script: fn(usize) -> Script) -> (usize, Vec<String>) {
    let (keys, mut ended) = (keys_of_a_backup().await, Vec::new());
    for call in 0.. {
        let world = source();
        let process = world.start(script(call));
        let result = process.back_up(&application::backup()).await.unwrap();
        if !process.faults.struck() {
            return (call, ended);
        }
        let place = format!("{:?}, {}", script(call), process.faults.victim());
        let report = match result {
            Ok(report) => report,
            Err(backup::Error::Unfinished { .. }) => {
                ended.push(process.faults.victim());
                world.finish().await.unwrap().report
            }
            Err(_) => {
                ended.push(process.faults.victim());
                world.back_up(&replacing()).await.unwrap()
            }
        };
        assert_eq!(report.phase, Phase::Completed, "{place}: {:?}", report.errors);
        assert_eq!(faults_of_backup(&world, &keys).await, [""; 0], "{place}");
    }
    (0, ended)
}

#[tokio::test(start_paused = true)]
async fn a_backup_whose_reply_is_lost_goes_on_and_only_an_upload_is_begun_anew() {
    let (calls, ended) = disturb_backups(Script::LosesReply).await;
    assert!(calls >= 18, "{calls} calls");
    let uploads = ["store: start the upload", "store: write a part", "store: finish"];
    let others = |call: &&String| !uploads.iter().any(|upload| call.starts_with(upload));
    assert_eq!(ended.iter().filter(others).collect::<Vec<_>>(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_backup_of_which_a_write_fails_leaves_nothing_in_the_way() {
    let (calls, ended) = disturb_backups(Script::Fails).await;
    assert!(calls >= 18, "{calls} calls");
    assert!(ended.iter().all(|call| call.starts_with("store: ")), "{ended:?}");
}

/// Lets one call of a restore go wrong, for each call.
async fn disturb_restores(script: fn(usize) -> Script) -> usize {
    let source = backed_up().await;
    let mut call = 0;
    while is_restored_despite(script(call), &source, &target(&source.copy().await)).await {
        call += 1;
    }
    call
}

#[tokio::test(start_paused = true)]
async fn a_restore_goes_on_after_a_lost_reply_at_any_call() {
    let calls = disturb_restores(Script::LosesReply).await;
    assert!(calls >= 27, "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn a_restore_goes_on_after_a_failure_at_any_call() {
    let calls = disturb_restores(Script::Fails).await;
    assert!(calls >= 27, "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn a_restore_goes_on_after_a_request_that_the_api_server_never_answers() {
    let source = backed_up().await;
    let sound = target(&source.copy().await).start(Script::Sound);
    sound.restore(&restore("rescue")).await.unwrap().unwrap();
    let calls = sound.faults.calls().into_iter().enumerate();
    let requests = calls.filter(|(_, call)| call.starts_with("POST") || call.starts_with("PATCH"));
    let requests: Vec<usize> = requests.map(|(number, _)| number).collect();
    assert!(requests.len() >= 20, "{requests:?}");
    for call in requests {
        let world = target(&source.copy().await);
        assert!(is_restored_despite(Script::Hangs(call), &source, &world).await);
    }
}

/// Restores while one call goes wrong; whether it came to that.
async fn is_restored_despite(script: Script, source: &World, world: &World) -> bool {
    let process = world.start(script);
    let report = process.restore(&restore("rescue")).await.unwrap();
    let place = format!("{script:?}, {}", process.faults.victim());
    let report = report.unwrap_or_else(|error| panic!("{place}: {error:?}"));
    assert_eq!(report.phase, Phase::Completed, "{place}: {:?}", report.errors);
    assert_eq!(faults_of(source, world, "shop"), [""; 0], "{place}");
    process.faults.struck()
}
