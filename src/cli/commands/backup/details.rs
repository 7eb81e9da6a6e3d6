//! What `backup describe --details` shows besides.

use serde::Serialize;
use serde_json::Value;

use crate::cli::commands::records::{Reader, ResourceList, describe_resources, text_of};
use crate::cli::commands::volumes;
use crate::cli::description::Description;
use crate::cli::error::CliError;
use crate::cli::table::Table;
use crate::engine::model::backup::ProviderRecord;
use crate::engine::store::{BackupKeys, BackupStore, Digests};

/// The other records of a backup, each as it is; absent ones are empty.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Details {
    /// Our attempt: its UID, its cluster, the version of bowline.
    attempt: Value,
    /// Our report, which has the claims without a volume, too.
    report: Value,
    /// The providers that were asked for snapshots, and where.
    providers: Vec<ProviderRecord>,
    snapshots: Vec<Value>,
    item_operations: Vec<Value>,
    pod_volume_backups: Vec<Value>,
    digests: Digests,
    resource_list: ResourceList,
}

impl Details {
    pub(super) async fn read(
        store: &BackupStore,
        reader: &mut Reader<'_>,
        keys: BackupKeys<'_>,
    ) -> Result<Self, CliError> {
        Ok(Self {
            attempt: reader.plain(&keys.attempt()).await?,
            report: reader.plain(&keys.report()).await?,
            providers: reader.unless_damaged(store.providers(keys.0).await)?,
            snapshots: reader.packed(&keys.volume_snapshots()).await?,
            item_operations: reader.packed(&keys.item_operations()).await?,
            pod_volume_backups: reader.packed(&keys.pod_volume_backups()).await?,
            digests: reader.plain(&keys.digests()).await?,
            resource_list: reader.packed(&keys.resource_list()).await?,
        })
    }

    /// Adds them to the text about a backup with this document and these volumes.
    pub(super) fn describe(&self, text: &mut Description, document: &Value, volumes: &[Value]) {
        text.group("Identity", &self.identity(document));
        let annotations = document["metadata"]["annotations"].as_object().into_iter().flatten();
        text.list("Annotations", annotations.map(|(key, it)| format!("{key}={}", string(it))));
        let places = self.providers.iter().map(|ProviderRecord { provider, place }| {
            (provider.as_str(), place.clone().unwrap_or_else(|| "asked for snapshots".to_owned()))
        });
        text.group("Providers", &places.collect::<Vec<_>>());
        let sections = [
            ("Volumes", volumes::blocks(volumes, &self.snapshots, &self.report)),
            ("Pod volume backups", self.pod_volumes()),
            ("Item operations", self.operations()),
            ("Files", self.files()),
        ];
        for (title, lines) in sections.iter().filter(|(_, lines)| !lines.is_empty()) {
            text.section(title, lines);
        }
        describe_resources(text, &self.resource_list);
    }

    fn identity(&self, document: &Value) -> [(&'static str, String); 4] {
        let version = text_of(&self.attempt, "/version");
        [
            ("UID", text_of(document, "/metadata/uid")),
            ("Attempt UID", text_of(&self.attempt, "/uid")),
            ("Cluster UID", text_of(&self.attempt, "/clusterUID")),
            ("Written by", if version.is_empty() { version } else { format!("bowline {version}") }),
        ]
    }

    /// The data that Velero copied file by file.
    fn pod_volumes(&self) -> String {
        let mut table = Table::new(["NAMESPACE", "POD", "VOLUME", "UPLOADER", "PHASE", "SNAPSHOT"]);
        table.extend(self.pod_volume_backups.iter().map(|backup| {
            [
                "/spec/pod/namespace",
                "/spec/pod/name",
                "/spec/volume",
                "/spec/uploaderType",
                "/status/phase",
                "/status/snapshotID",
            ]
            .map(|path| text_of(backup, path))
        }));
        shown(&table)
    }

    /// What Velero's plugins went on with after the objects were written.
    fn operations(&self) -> String {
        let mut table = Table::new(["ACTION", "RESOURCE", "NAMESPACE", "NAME", "PHASE", "ERROR"]);
        table.extend(self.item_operations.iter().map(|operation| {
            [
                "/spec/backupItemAction",
                "/spec/resourceIdentifier/Resource",
                "/spec/resourceIdentifier/Namespace",
                "/spec/resourceIdentifier/Name",
                "/status/phase",
                "/status/error",
            ]
            .map(|path| text_of(operation, path))
        }));
        shown(&table)
    }

    fn files(&self) -> String {
        let mut table = Table::new(["FILE", "BYTES", "SHA-256"]);
        for (name, digest) in &self.digests.files {
            table.push([name.clone(), digest.size.to_string(), digest.sha256.clone()]);
        }
        shown(&table)
    }
}

fn shown<const N: usize>(table: &Table<N>) -> String {
    if table.is_empty() { String::new() } else { table.to_string() }
}

fn string(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}
