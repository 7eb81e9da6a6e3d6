//! Every fault of S3 and EC2 at every kind of call that a run makes.
//!
//! The kinds are those of a run without faults, so that none is forgotten. Each fault meets a run of
//! its own, with an account's two proxies of its own; several runs go on at once.

mod backups;
mod case;
mod deletions;
mod fates;
mod machine;
mod message;
mod restores;
mod site;

use site::Site;

#[tokio::test]
async fn a_run_that_meets_a_fault_survives_it_or_says_so_and_leaves_nothing_behind() {
    let site = Site::start().await;
    tokio::join!(
        backups::meet_faults(&site),
        backups::of_much_meet_faults(&site),
        restores::meet_faults(&site),
        deletions::meet_faults(&site),
        fates::snapshots_fail(&site),
        fates::volumes_fail(&site),
    );
}
