//! Backups that a real Velero made, brought into the cloud on this machine.
//!
//! Their snapshots were in an EC2 that is no more: they are made anew, tagged as Velero tags them,
//! and a copy of the files, with the new ids, is put where Velero lays them out.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use http::Method;
use serde_json::Value;

use crate::Cloud;
use crate::cloud::{NewVolume, Snapshot, Tags};

/// A backup of Velero's in a location, with the snapshots that it names.
#[derive(Debug, Clone)]
pub struct VeleroBackup {
    /// Its name.
    pub name: String,
    /// What its records and its archive are, unpacked, by file name.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Its snapshots, by the name of the persistent volume.
    pub snapshots: BTreeMap<String, Snapshot>,
}

impl VeleroBackup {
    /// Makes the snapshots of the backup in a directory, and puts it into the cloud's location.
    ///
    /// The directory is named after the backup, and holds its files as they lie in a bucket.
    pub async fn install(cloud: &Cloud, directory: &Path) -> Result<Self> {
        let name = directory.file_name().context("it has no name")?.to_string_lossy().into_owned();
        let files = read_files(directory)?;
        let mut backup = Self { name, files, snapshots: BTreeMap::new() };
        for record in backup.records()? {
            backup.make_snapshot(cloud, &record).await?;
        }
        for (file, content) in &backup.files {
            let key = format!("backups/{}/{file}", backup.name);
            put(cloud, &key, pack(file, content)?).await?;
        }
        Ok(backup)
    }

    /// A document of the backup; the name may hold `NAME` for the backup's.
    pub fn document(&self, file: &str) -> Result<Value> {
        let file = file.replace("NAME", &self.name);
        let content = self.files.get(&file).with_context(|| format!("there is no {file}"))?;
        Ok(serde_json::from_slice(content)?)
    }

    /// The records of its snapshots, which are `null` where there is none.
    fn records(&self) -> Result<Vec<Value>> {
        let records = self.document("NAME-volumesnapshots.json.gz")?;
        Ok(records.as_array().cloned().unwrap_or_default())
    }

    /// Makes a volume as the record describes it, and its snapshot, and notes their ids everywhere.
    async fn make_snapshot(&mut self, cloud: &Cloud, record: &Value) -> Result<()> {
        let text = |pointer: &str| {
            let text = record.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            text.with_context(|| format!("no {pointer} in {record}"))
        };
        let persistent_volume = text("/spec/persistentVolumeName")?;
        let own = [("ebs.csi.aws.com/cluster", "true"), ("CSIVolumeName", &persistent_volume)];
        let own = Tags::from(own.map(|(key, value)| (key.to_owned(), value.to_owned())));
        let volume = NewVolume {
            kind: text("/spec/volumeType")?,
            zone: text("/spec/volumeAZ")?,
            size: self.size_of(&persistent_volume)?,
            tags: own.clone(),
            ..NewVolume::default()
        };
        let volume = cloud.ec2().create_volume(&volume).await?;
        let tags = self.tags(&persistent_volume, own)?;
        let snapshot = cloud.ec2().create_snapshot(&volume.id, &tags).await?;
        self.replace(&text("/spec/providerVolumeID")?, &volume.id)?;
        self.replace(&text("/status/providerSnapshotID")?, &snapshot.id)?;
        self.snapshots.insert(persistent_volume, snapshot);
        Ok(())
    }

    /// The tags that Velero's plugin gives a snapshot: the volume's, the backup's labels, its own.
    fn tags(&self, persistent_volume: &str, mut tags: Tags) -> Result<Tags> {
        let document = self.document("velero-backup.json")?;
        let labels = document["metadata"]["labels"].as_object().into_iter().flatten();
        tags.extend(labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.into()))));
        tags.insert("velero.io/backup".to_owned(), self.name.clone());
        tags.insert("velero.io/pv".to_owned(), persistent_volume.to_owned());
        Ok(tags)
    }

    /// The size of a volume in GiB, which only its object in the archive tells.
    fn size_of(&self, persistent_volume: &str) -> Result<u32> {
        let archive = &self.files[&format!("{}.tar.gz", self.name)];
        let path = format!("resources/persistentvolumes/cluster/{persistent_volume}.json");
        for entry in tar::Archive::new(archive.as_slice()).entries()? {
            let entry = entry?;
            if entry.path()?.to_str() == Some(&path) {
                let object: Value = serde_json::from_reader(entry)?;
                let size = object["spec"]["capacity"]["storage"].as_str().unwrap_or_default();
                let size = size.strip_suffix("Gi").with_context(|| format!("{size} is no size"))?;
                return Ok(size.parse()?);
            }
        }
        anyhow::bail!("the archive has no {path}")
    }

    /// Replaces an id in all files. Only where it is as long as the old one an archive stays whole.
    fn replace(&mut self, old: &str, new: &str) -> Result<()> {
        ensure!(old.len() == new.len(), "{new} is not as long as {old}");
        for content in self.files.values_mut() {
            let mut from = 0;
            while let Some(found) = find(&content[from..], old.as_bytes()) {
                let start = from + found;
                content[start..start + old.len()].copy_from_slice(new.as_bytes());
                from = start + old.len();
            }
        }
        Ok(())
    }
}

fn find(content: &[u8], text: &[u8]) -> Option<usize> {
    content.windows(text.len()).position(|window| window == text)
}

fn read_files(directory: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let entries = fs::read_dir(directory)
        .with_context(|| format!("failed to read {}", directory.display()))?;
    let file = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let content = unpack(&name, fs::read(entry.path())?)?;
        Ok((name, content))
    };
    entries.map(file).collect()
}

fn unpack(file: &str, content: Vec<u8>) -> Result<Vec<u8>> {
    if file.strip_suffix(".gz").is_none() {
        return Ok(content);
    }
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(content.as_slice()).read_to_end(&mut unpacked)?;
    Ok(unpacked)
}

fn pack(file: &str, content: &[u8]) -> Result<Vec<u8>> {
    if file.strip_suffix(".gz").is_none() {
        return Ok(content.to_owned());
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(content)?;
    Ok(packed.finish()?)
}

/// Puts an object below the location, without any headers, as Velero does.
async fn put(cloud: &Cloud, key: &str, content: Vec<u8>) -> Result<()> {
    let prefix = cloud.location().trim_start_matches("s3://").to_owned();
    let response =
        cloud.s3().request(&Method::PUT, &format!("/{prefix}/{key}"), &[], content).await?;
    ensure!(response.status().is_success(), "{key} was refused: {response:?}");
    Ok(())
}
