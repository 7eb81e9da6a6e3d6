//! The policies in the guide allow what bowline calls, role by role, and nothing else.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use bowline_testkit::control_plane::Options;
use bowline_testkit::faults::{Call, Fate, Fault, Rule};
use bowline_testkit::{Bowline, Cloud, ControlPlane, lab};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::bucket;
use super::finish::waiting;

const GUIDE: &str = include_str!("../../../docs/guides/aws.md");

/// A bucket that keeps objects from being removed, but only those that somebody names.
const LOCKED: &str = "locked";

/// Calls that only roles which remove something may make.
const REMOVALS: [&str; 3] = ["DeleteObject", "DeleteSnapshot", "DeleteVolume"];

/// Calls that are about a bucket, and not about something in it.
const ABOUT_BUCKETS: [&str; 6] = [
    "GetBucketEncryption",
    "GetBucketVersioning",
    "GetObjectLockConfiguration",
    "HeadBucket",
    "ListMultipartUploads",
    "ListObjectsV2",
];

#[tokio::test]
async fn the_policies_of_the_guide_allow_what_is_called_and_no_more() {
    let cloud = Cloud::start().await.unwrap();
    cloud.s3().create_locked_bucket(LOCKED, None).await.unwrap();
    let options = Options { storage: cloud.storage(), ..Options::new("east") };
    let east = ControlPlane::start_with(options).await.unwrap();
    lab::deploy(&east).await.unwrap();
    fill(&east).await;
    let bowline = Bowline::new(env!("CARGO_BIN_EXE_bowline")).unwrap();
    let user = User { bowline: bowline.with_cloud(&cloud).on(&east), cloud: &cloud };
    let [backup, restore, delete] = ["backup", "restore", "delete"].map(Policy::of);
    let drill = Policy::of("drill");

    user.backs_up().await;
    // What a backup that breaks off has written stays, for whoever may remove it.
    let backed_up = user.needed_just(&backup, &["s3:DeleteObject"]);
    user.restores().await;
    let restored = user.needed_just(&restore, &[]);
    restore.may_remove_what_was_made(&restored);
    user.drills().await;
    user.needed_beside(&restore, &drill);
    user.deletes().await;
    user.needed_just(&delete, &[]);
    delete.may_remove_what_was_made(&backed_up);
    user.replaces().await;
    user.needed_at_most(&[&backup, &delete]);
}

/// Makes a namespace whose objects do not fit into one part of an upload.
async fn fill(east: &ControlPlane) {
    let item = |number: usize| {
        let blocks = (0..11_000).map(|block| Sha256::digest(format!("{number} {block}")));
        let hex = blocks.flatten().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        });
        let metadata = json!({ "name": format!("bulk-{number}"), "namespace": "bulk" });
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": { "hex": hex } })
    };
    let namespace =
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "bulk" } });
    let items: Vec<Value> = std::iter::once(namespace).chain((0..32).map(item)).collect();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    let manifest = east.directory().join("bulk.json");
    fs::write(&manifest, list.to_string()).unwrap();
    let create = ["create", "--filename", manifest.to_str().unwrap()];
    east.kubectl(&create).await.unwrap().success();
}

/// Somebody who does all that the guide says a role is for.
struct User<'a> {
    bowline: Bowline,
    cloud: &'a Cloud,
}

impl User<'_> {
    /// Runs a command that must end with this exit code.
    async fn run(&self, arguments: &[&str], code: i32) -> String {
        let output = self.bowline.run(arguments).await.unwrap();
        let text = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(output.code, Some(code), "{arguments:?}: {text}");
        text
    }

    async fn back_up(&self, name: &str, more: &[&str], code: i32) -> String {
        let create = ["backup", "create", name, "--include-namespaces=shop,bulk"];
        self.run(&[&create[..], more].concat(), code).await
    }

    async fn backs_up(&self) {
        let (s3, ec2) = (self.cloud.s3_faults(), self.cloud.ec2_faults());
        for kind in REMOVALS {
            s3.inject(Rule::new(kind, Fault::Refuse));
            ec2.inject(Rule::new(kind, Fault::Refuse));
        }
        self.back_up("good", &["--dry-run"], 0).await;
        self.back_up("good", &[], 0).await;
        let slow = waiting(&self.bowline, self.cloud, "slow").await;
        slow.kill().await.unwrap();
        ec2.finish_all();
        self.run(&["backup", "finish", "slow"], 0).await;
        ec2.let_snapshots_be(Fate::Failed);
        self.back_up("partly", &[], 3).await;
        ec2.finish_all();
        s3.inject(Rule::new("UploadPart", Fault::Refuse).with_key("broken"));
        let told = self.back_up("broken", &[], 1).await;
        assert!(told.contains("--replace-incomplete"), "{told}");
        self.run(&["backup", "get"], 0).await;
        self.run(&["backup", "describe", "good"], 0).await;
        s3.heal();
        ec2.heal();
    }

    async fn restores(&self) {
        let create = ["restore", "create"];
        let good = ["good", "--from-backup=good", "--namespace-mappings=shop:copy,bulk:more"];
        let good = [&create[..], &good].concat();
        self.run(&[&good[..], &["--dry-run"]].concat(), 0).await;
        self.run(&good, 0).await;
        self.cloud.ec2_faults().let_volumes_be(Fate::Failed);
        let bad = ["bad", "--from-backup=good", "--namespace-mappings=shop:bad,bulk:worse"];
        let told = self.run(&[&create[..], &bad, &["--ready-timeout=0"]].concat(), 3).await;
        assert!(!told.contains("is left over"), "{told}");
        self.cloud.ec2_faults().heal();
        self.run(&["restore", "get"], 0).await;
        self.run(&["restore", "describe", "good"], 0).await;
    }

    async fn drills(&self) {
        let drill = ["restore", "drill", "--from-backup=good", "--include-namespaces=shop"];
        self.run(&drill, 0).await;
        let removals = self.cloud.ec2_faults().calls_of("DeleteVolume");
        let removed = removals.iter().filter(|call| !call.is_dry_run()).count();
        assert_eq!((removed, removals.len()), (lab::CLAIMS.len(), lab::CLAIMS.len() + 1));
    }

    async fn deletes(&self) {
        self.is_killed_in_an_upload().await;
        let locked = self.locked();
        locked.back_up("kept", &["--snapshot-volumes=false"], 0).await;
        self.forget();
        self.run(&["location", "check"], 0).await;
        self.run(&["restore", "delete", "good", "bad", "--confirm"], 0).await;
        self.run(&["backup", "delete", "good", "partly", "half", "--confirm"], 0).await;
        locked.run(&["backup", "delete", "kept", "--confirm"], 0).await;
    }

    /// Leaves a backup whose archive was never completed.
    async fn is_killed_in_an_upload(&self) {
        let part = Rule::new("UploadPart", Fault::HoldReply).with_key("half");
        let part = self.cloud.s3_faults().inject(part);
        let create = ["backup", "create", "half", "--include-namespaces=shop,bulk"];
        let running = self.bowline.spawn(&create).unwrap();
        part.wait_for_hit().await.unwrap();
        running.kill().await.unwrap();
        part.release();
    }

    async fn replaces(&self) {
        self.back_up("broken", &["--replace-incomplete"], 0).await;
        self.only_these_are_left(["broken", "slow"]).await;
    }

    /// Nothing of the others is left, in S3 or in EC2.
    async fn only_these_are_left(&self, backups: [&str; 2]) {
        let snapshots = self.cloud.ec2().snapshots().await.unwrap();
        let of = |name| snapshots.iter().filter(|it| it.tags["velero.io/backup"] == name).count();
        assert_eq!((backups.map(of), snapshots.len()), ([3, 3], 6));
        let keys = bucket::keys(self.cloud, "").await;
        let names = keys.iter().filter_map(|key| key.strip_prefix("backups/")?.split('/').next());
        assert_eq!(names.collect::<BTreeSet<_>>(), BTreeSet::from(backups));
        assert_eq!(keys.iter().find(|key| !key.starts_with("backups/")), None);
    }

    fn locked(&self) -> Self {
        let location = format!("s3://{LOCKED}/lab");
        let bowline = self.bowline.clone().env("BOWLINE_LOCATION", &location);
        Self { bowline, cloud: self.cloud }
    }

    fn forget(&self) {
        self.cloud.s3_faults().forget_calls();
        self.cloud.ec2_faults().forget_calls();
    }

    /// Takes note of all calls since the last time, but those for logs of what runs: they are made
    /// only where something takes long, and nothing fails without them.
    fn calls(&self) -> Vec<Call> {
        let mut calls = [self.cloud.s3_faults().calls(), self.cloud.ec2_faults().calls()].concat();
        calls.retain(|call| !call.subject.contains("/metadata/bowline/logs/"));
        self.forget();
        calls
    }

    /// Checks that a policy allows all calls since the last time, but those for actions that are
    /// refused, and that it allows nothing else. Gives the calls.
    #[track_caller]
    fn needed_just(&self, policy: &Policy, refused: &[&str]) -> Vec<Call> {
        let calls = self.calls();
        let refused: BTreeSet<String> = refused.iter().map(|action| (*action).to_owned()).collect();
        assert_eq!(not_allowed(&[policy], &calls), refused, "not allowed by role {}", policy.role);
        policy.is_needed_for(&calls);
        calls
    }

    /// Checks that two policies together allow all calls since the last time, and that the second one
    /// allows nothing else.
    #[track_caller]
    fn needed_beside(&self, policy: &Policy, more: &Policy) {
        let calls = self.calls();
        assert_eq!(not_allowed(&[policy, more], &calls), BTreeSet::new());
        more.is_needed_for(&calls);
    }

    #[track_caller]
    fn needed_at_most(&self, policies: &[&Policy]) {
        assert_eq!(not_allowed(policies, &self.calls()), BTreeSet::new());
    }
}

/// The actions of calls that no policy allows.
fn not_allowed(policies: &[&Policy], calls: &[Call]) -> BTreeSet<String> {
    let needs = calls.iter().flat_map(|call| call.actions.iter().map(move |action| (call, action)));
    let allowed = |call: &Call, action: &String| {
        let mut grants = policies.iter().flat_map(|policy| policy.grants());
        grants.any(|grant| grant.action == action && grant.covers(call))
    };
    needs
        .filter(|(call, action)| !allowed(call, action))
        .map(|(_, action)| action.clone())
        .collect()
}

/// A policy of the guide.
struct Policy {
    role: &'static str,
    statements: Vec<Value>,
}

/// One action that a statement allows.
#[derive(Debug)]
struct Grant<'a> {
    action: &'a str,
    resource: &'a str,
    condition: &'a Value,
}

impl Policy {
    fn of(role: &'static str) -> Self {
        let (_, section) = GUIDE.split_once(&format!("### Role: {role}\n")).unwrap();
        let (_, block) = section.split_once("```json\n").unwrap();
        let document: Value = serde_json::from_str(block.split_once("```").unwrap().0).unwrap();
        let statements = document["Statement"].as_array().unwrap().clone();
        Self { role, statements }
    }

    fn grants(&self) -> impl Iterator<Item = Grant<'_>> {
        self.statements.iter().flat_map(|statement| {
            assert_eq!(statement["Effect"], "Allow");
            let actions = statement["Action"].as_array().unwrap().iter();
            actions.map(|action| Grant {
                action: action.as_str().unwrap(),
                resource: statement["Resource"].as_str().unwrap(),
                condition: &statement["Condition"],
            })
        })
    }

    /// Checks that it allows nothing but what these calls need.
    #[track_caller]
    fn is_needed_for(&self, calls: &[Call]) {
        let never: Vec<_> =
            self.grants().filter(|grant| !calls.iter().any(|call| grant.covers(call))).collect();
        assert!(never.is_empty(), "never needed by role {}: {never:?}", self.role);
    }

    /// Checks that all that was made carries the tag without which the policy lets it not be removed.
    #[track_caller]
    fn may_remove_what_was_made(&self, calls: &[Call]) {
        let removals = self.grants().filter(|grant| grant.action.starts_with("ec2:Delete"));
        for grant in removals {
            let tags = grant.condition["StringLike"].as_object().unwrap();
            let tag = tags.keys().next().unwrap().strip_prefix("aws:ResourceTag/").unwrap();
            let kind = grant.action.replace("ec2:Delete", "Create");
            let made: Vec<_> =
                calls.iter().filter(|call| call.kind == kind && !call.is_dry_run()).collect();
            assert!(!made.is_empty(), "{kind}");
            for call in made {
                assert!(call.parameters.values().any(|value| value == tag), "{call:?}");
            }
        }
    }
}

impl Grant<'_> {
    /// Whether a call needs this, and may have it.
    fn covers(&self, call: &Call) -> bool {
        call.actions.iter().any(|action| action == self.action)
            && self.is_of_the_resource(call)
            && self.is_in_condition(call)
    }

    fn is_of_the_resource(&self, call: &Call) -> bool {
        let about_bucket = ABOUT_BUCKETS.contains(&call.kind.as_str());
        match self.resource.strip_prefix("arn:aws:s3:::acme-backups") {
            Some("") => about_bucket,
            Some(path) => {
                let path = path.strip_prefix("/prod/").unwrap().strip_suffix('*').unwrap();
                let (_, key) = call.subject.split_once('/').unwrap_or_default();
                !about_bucket && key.strip_prefix("lab/").is_some_and(|key| key.starts_with(path))
            }
            None if self.resource == "*" => true,
            None => {
                let (_, kind) = self.resource.rsplit_once(':').unwrap();
                call.kind.to_lowercase().ends_with(kind.strip_suffix("/*").unwrap())
            }
        }
    }

    fn is_in_condition(&self, call: &Call) -> bool {
        let creation = &self.condition["StringEquals"]["ec2:CreateAction"];
        creation.is_null() || *creation == call.kind
    }
}
