//! A user's machine, with a network of its own.

use bowline_testkit::faults::{Call, Service};
use bowline_testkit::{Bowline, FaultProxy, Output};
use serde_json::Value;

use super::message;
use super::site::{NAMESPACE, Site};
use crate::application::completed;

/// A user's machine, with proxies of its own between it and the account that all share.
pub(super) struct Machine<'a> {
    pub(super) site: &'a Site,
    pub(super) s3: FaultProxy,
    pub(super) ec2: FaultProxy,
    bowline: Bowline,
}

impl<'a> Machine<'a> {
    pub(super) fn new(site: &'a Site) -> Self {
        let cloud = &site.cloud;
        let s3 = FaultProxy::start(Service::S3, &cloud.s3_server().endpoint()).unwrap();
        let ec2 = FaultProxy::start(Service::Ec2, &cloud.ec2_server().endpoint()).unwrap();
        let bowline = Bowline::new(env!("CARGO_BIN_EXE_bowline")).unwrap();
        let bowline = bowline.on(&site.cluster).with_cloud(cloud);
        let bowline = bowline
            .env("AWS_ENDPOINT_URL_S3", &s3.endpoint())
            .env("AWS_ENDPOINT_URL_EC2", &ec2.endpoint())
            .env("AWS_ENDPOINT_URL_STS", &ec2.endpoint());
        Self { site, s3, ec2, bowline }
    }

    /// Runs a command; whatever comes of it, it must not tell anything secret.
    pub(super) async fn run(&self, arguments: &[&str]) -> Output {
        let json = [arguments, &["--output=json"]].concat();
        let output = self.bowline.run(&json).await.unwrap();
        message::no_secrets(&output, self.site.cloud.s3_server().secret_key());
        output
    }

    pub(super) async fn back_up(&self, name: &str) -> Output {
        self.back_up_with(name, &[&format!("--include-namespaces={NAMESPACE}")]).await
    }

    pub(super) async fn back_up_with(&self, name: &str, options: &[&str]) -> Output {
        self.run(&[&["backup", "create", name], options].concat()).await
    }

    /// Restores a backup into a namespace.
    pub(super) async fn restore(&self, name: &str, backup: &str, namespace: &str) -> Output {
        let backup = format!("--from-backup={backup}");
        let mapping = format!("--namespace-mappings={NAMESPACE}:{namespace}");
        self.run(&["restore", "create", name, &backup, &mapping]).await
    }

    pub(super) async fn delete(&self, backup: &str) -> Output {
        self.run(&["backup", "delete", backup, "--confirm"]).await
    }

    /// The report of a backup that goes well, before anything is to be watched.
    pub(super) async fn backed_up(&self, name: &str) -> Value {
        let report = completed(&self.back_up(name).await);
        self.s3.forget_calls();
        self.ec2.forget_calls();
        report
    }

    /// Ends all faults.
    pub(super) fn heal(&self) {
        self.s3.heal();
        self.ec2.heal();
    }

    /// Whether anything but a probe was written to the account, as far as the machine was told.
    pub(super) fn has_written(&self) -> bool {
        let writes = ["Put", "Create", "Upload", "Complete", "Copy", "Delete"];
        let wrote = |call: &Call| {
            let writes = writes.iter().any(|verb| call.kind.starts_with(verb));
            let is_trial = call.is_dry_run() || call.subject.contains("/probes/");
            writes && !is_trial && call.succeeded()
        };
        self.s3.calls().iter().chain(&self.ec2.calls()).any(wrote)
    }
}
