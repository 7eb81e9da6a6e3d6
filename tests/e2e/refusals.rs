//! What makes no sense, or goes nowhere, is refused before anything is written.

use std::collections::BTreeSet;
use std::fs;

use bowline_api::ItemId;
use bowline_testkit::lab::{self, Tree};
use bowline_testkit::{Bowline, ControlPlane};

use crate::application::completed;
use crate::inventory::{self, is_steady};

/// What is typed, the exit code, the error, and the hint.
type Refusal = (&'static [&'static str], i32, &'static str, &'static str);

const REFUSALS: &[Refusal] = &[
    (
        &["backup", "create", "taken"],
        1,
        "backup \"taken\" exists already",
        "choose another name; bowline backup get lists those in use",
    ),
    (
        &["backup", "create", "No Name"],
        2,
        "the backup's name is not valid",
        "use lower-case letters, digits, \"-\" and \".\"",
    ),
    (
        &["backup", "create", "new", "--include-namespaces=defualt"],
        2,
        "namespace \"defualt\" does not exist",
        "did you mean \"default\"?",
    ),
    (
        &["backup", "create", "new", "--include-resources=deploymens"],
        2,
        "there is no kind named \"deploymens\"",
        "did you mean \"deployments\"?",
    ),
    (
        &["backup", "create", "new", "--exclude-resources=deploymens"],
        2,
        "there is no kind named \"deploymens\"",
        "did you mean \"deployments\"?",
    ),
    (
        &["restore", "create", "done", "--from-backup=taken", "--include-resources=configmaps"],
        1,
        "restore \"done\" exists already",
        "choose another name, or leave it out",
    ),
    (
        &["restore", "create", "new", "--from-backup=takem"],
        4,
        "backup \"takem\" does not exist",
        "did you mean \"taken\"?",
    ),
    (
        &["restore", "create", "new", "--from-backup=taken", "--include-namespaces=shop"],
        2,
        "namespace \"shop\" is not in the backup",
        "bowline backup describe shows what the backup holds",
    ),
    (
        &["restore", "create", "new", "--from-backup=taken", "--include-resources=deploymens"],
        2,
        "there is no kind named \"deploymens\"",
        "did you mean \"deployments\"?",
    ),
];

#[tokio::test]
async fn what_makes_no_sense_or_goes_nowhere_is_refused_and_nothing_is_written() {
    let site = Site::start().await;
    let (location, objects) = site.state().await;
    for refusal in REFUSALS {
        refused(&site.bowline, refusal).await;
    }
    site.a_location_or_cluster_out_of_reach_is_refused().await;
    let (location_after, objects_after) = site.state().await;
    assert_eq!(location_after, location);
    assert_eq!(objects_after, objects);
    assert_eq!(fs::read_to_string(site.file()).unwrap(), "not a directory");
}

/// A cluster and a location with one backup and one restore.
struct Site {
    east: ControlPlane,
    bowline: Bowline,
}

impl Site {
    async fn start() -> Self {
        let east = ControlPlane::start("east").await.unwrap();
        let bowline = Bowline::new(env!("CARGO_BIN_EXE_bowline")).unwrap().on(&east);
        for command in [
            ["backup", "create", "taken", "--include-namespaces=default", "--output=json"],
            ["restore", "create", "done", "--from-backup=taken", "--output=json"],
        ] {
            completed(&bowline.run(&command).await.unwrap());
        }
        let site = Self { east, bowline };
        fs::write(site.file(), "not a directory").unwrap();
        site
    }

    fn file(&self) -> String {
        self.bowline.home().join("file").display().to_string()
    }

    /// All that could have been written to: the location, the home of the user, the cluster.
    async fn state(&self) -> (Tree, BTreeSet<ItemId>) {
        let mut home = lab::read_tree(self.bowline.home()).unwrap();
        home.retain(|path, _| !path.to_string_lossy().starts_with("run-"));
        let objects = inventory::read(&self.east).await;
        (home, objects.into_keys().filter(is_steady).collect())
    }

    async fn a_location_or_cluster_out_of_reach_is_refused(&self) {
        const BACKUP: &[&str] = &["backup", "create", "new"];
        const RESTORE: &[&str] = &["restore", "create", "new", "--from-backup=taken"];
        let in_file =
            self.bowline.clone().env("BOWLINE_LOCATION", &format!("file://{}", self.file()));
        let kubeconfig = fs::read_to_string(self.east.kubeconfig()).unwrap();
        let nowhere = kubeconfig.replace(&self.east.url(), "https://127.0.0.1:1");
        fs::write(self.bowline.home().join("nowhere"), nowhere).unwrap();
        let nowhere = self.bowline.home().join("nowhere").display().to_string();
        let to_nowhere = self.bowline.clone().env("KUBECONFIG", &nowhere);
        let without = self.bowline.clone().env("KUBECONFIG", "/does/not/exist");
        let location = "check --storage-location or $BOWLINE_LOCATION";
        let cluster = "is the cluster up, and is it the one you meant (--kubecontext)?";
        for command in [BACKUP, RESTORE] {
            refused(&in_file, &(command, 5, "the storage location cannot be used", location)).await;
            refused(&to_nowhere, &(command, 5, "the cluster cannot be used", cluster)).await;
            let kubeconfig = "check --kubeconfig or $KUBECONFIG";
            refused(&without, &(command, 5, "the cluster cannot be used", kubeconfig)).await;
        }
        fs::remove_file(nowhere).unwrap();
    }
}

async fn refused(bowline: &Bowline, (arguments, code, message, hint): &Refusal) {
    let output = bowline.run(arguments).await.unwrap();
    let all = format!("bowline {}\n{}{}", arguments.join(" "), output.stdout, output.stderr);
    assert_eq!(output.code, Some(*code), "{all}");
    assert!(output.stdout.is_empty(), "{all}");
    assert!(output.stderr.contains(message), "{all}");
    assert!(output.stderr.contains(&format!("hint: {hint}")), "{all}");
    assert!(!output.stderr.contains("kube_client"), "{all}");
}
