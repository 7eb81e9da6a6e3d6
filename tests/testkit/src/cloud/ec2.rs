//! What lies in EC2: a client of its own, so that the tests do not believe the code they test.

use std::collections::BTreeMap;
use std::fmt::Display;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use roxmltree::{Document, Node};
use url::form_urlencoded;

use super::ACCOUNT;
use crate::http_client;

/// The version of the API, which says what its XML looks like.
const VERSION: &str = "2016-11-15";

/// Tags, by key.
pub type Tags = BTreeMap<String, String>;

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// `vol-...`.
    pub id: String,
    /// Its type: `gp3` and so on.
    pub kind: String,
    /// In GiB.
    pub size: u32,
    /// Per second, where the type has them.
    pub iops: Option<u32>,
    /// In MiB per second, where the type has it.
    pub throughput: Option<u32>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The ARN of the key that it is encrypted with.
    pub kms_key: Option<String>,
    /// Whether several instances may attach it.
    pub multi_attach: bool,
    /// The availability zone.
    pub zone: String,
    /// `available` and so on.
    pub state: String,
    /// The snapshot that it was made from.
    pub snapshot: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// `snap-...`.
    pub id: String,
    /// The volume that it was taken of.
    pub volume: String,
    /// `pending`, `completed` or `error`.
    pub state: String,
    /// As in `100%`.
    pub progress: String,
    /// The volume's size in GiB.
    pub size: u32,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// What it is said to be.
    pub description: String,
    /// Its tags.
    pub tags: Tags,
}

/// A volume to be made.
#[derive(Debug, Clone)]
pub struct NewVolume {
    /// Its type: `gp3` and so on.
    pub kind: String,
    /// In GiB.
    pub size: u32,
    /// Per second, if not the type's own.
    pub iops: Option<u32>,
    /// In MiB per second, if not the type's own.
    pub throughput: Option<u32>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The key that it is encrypted with, if not the account's own.
    pub kms_key: Option<String>,
    /// The availability zone.
    pub zone: String,
    /// Its tags.
    pub tags: Tags,
}

impl Default for NewVolume {
    fn default() -> Self {
        Self {
            kind: "gp3".to_owned(),
            size: 1,
            iops: None,
            throughput: None,
            encrypted: false,
            kms_key: None,
            zone: "us-east-1a".to_owned(),
            tags: Tags::new(),
        }
    }
}

/// A client of an EC2 server that checks no signatures.
#[derive(Debug, Clone)]
pub struct Ec2 {
    authority: String,
    region: String,
}

impl Ec2 {
    /// A client for a region of the server at this endpoint.
    pub fn new(endpoint: &str, region: &str) -> Self {
        let authority = endpoint.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Self { authority, region: region.to_owned() }
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Makes a volume.
    pub async fn create_volume(&self, volume: &NewVolume) -> Result<Volume> {
        let mut form = Form::new("CreateVolume");
        form.set("VolumeType", &volume.kind);
        form.set("Size", volume.size);
        form.set("AvailabilityZone", &volume.zone);
        form.set("Encrypted", volume.encrypted);
        form.set_some("Iops", volume.iops);
        form.set_some("Throughput", volume.throughput);
        form.set_some("KmsKeyId", volume.kms_key.as_ref());
        form.specify_tags("volume", &volume.tags);
        self.ask(form, read_volume).await
    }

    /// All volumes of the region, in the order of their ids.
    pub async fn volumes(&self) -> Result<Vec<Volume>> {
        let form = Form::new("DescribeVolumes");
        let mut volumes = self.ask(form, |reply| list(reply, "volumeSet", read_volume)).await?;
        volumes.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(volumes)
    }

    /// One volume.
    pub async fn volume(&self, id: &str) -> Result<Volume> {
        let volumes = self.volumes().await?;
        volumes.into_iter().find(|one| one.id == id).with_context(|| format!("no volume {id}"))
    }

    /// Deletes a volume.
    pub async fn delete_volume(&self, id: &str) -> Result<()> {
        let mut form = Form::new("DeleteVolume");
        form.set("VolumeId", id);
        self.ask(form, |_| Ok(())).await
    }

    /// Takes a snapshot, as another backup or a person would.
    pub async fn create_snapshot(&self, volume: &str, tags: &Tags) -> Result<Snapshot> {
        let mut form = Form::new("CreateSnapshot");
        form.set("VolumeId", volume);
        form.specify_tags("snapshot", tags);
        self.ask(form, read_snapshot).await
    }

    /// All snapshots of the account in the region, in the order of their ids.
    pub async fn snapshots(&self) -> Result<Vec<Snapshot>> {
        let mut form = Form::new("DescribeSnapshots");
        form.set("Owner.1", "self");
        let snapshots = self.ask(form, |reply| {
            // The server ignores the owner that it is asked for.
            let own = |one: &Node<'_, '_>| text(*one, "ownerId").is_some_and(|id| id == ACCOUNT);
            items(reply, "snapshotSet").filter(own).map(read_snapshot).collect::<Result<Vec<_>>>()
        });
        let mut snapshots = snapshots.await?;
        snapshots.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(snapshots)
    }

    /// Deletes a snapshot.
    pub async fn delete_snapshot(&self, id: &str) -> Result<()> {
        let mut form = Form::new("DeleteSnapshot");
        form.set("SnapshotId", id);
        self.ask(form, |_| Ok(())).await
    }

    /// Adds or replaces tags of a volume or snapshot.
    pub async fn create_tags(&self, id: &str, tags: &Tags) -> Result<()> {
        let mut form = Form::new("CreateTags");
        form.set("ResourceId.1", id);
        form.tags("Tag", tags);
        self.ask(form, |_| Ok(())).await
    }

    /// Removes tags of a volume or snapshot, whatever their values.
    pub async fn delete_tags(&self, id: &str, keys: &[&str]) -> Result<()> {
        let mut form = Form::new("DeleteTags");
        form.set("ResourceId.1", id);
        for (index, key) in keys.iter().enumerate() {
            form.set(&format!("Tag.{}.Key", index + 1), key);
        }
        self.ask(form, |_| Ok(())).await
    }

    async fn ask<T>(&self, form: Form, read: impl FnOnce(Node<'_, '_>) -> Result<T>) -> Result<T> {
        let action = form.action;
        let request = Request::post("/")
            .header("host", &self.authority)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", self.authorization())
            .body(Full::new(Bytes::from(form.encode())))?;
        let response = http_client::send(&self.authority, request).await?;
        let (status, body) = (response.status(), response.into_body());
        let body = String::from_utf8_lossy(&body);
        if !status.is_success() {
            bail!("{action} failed: {status}: {body}");
        }
        let document = Document::parse(&body).with_context(|| format!("{action}: {body}"))?;
        read(document.root_element()).with_context(|| format!("{action}: {body}"))
    }

    /// Not a signature, but all that tells the server the region.
    fn authorization(&self) -> String {
        let scope = format!("20260101/{}/ec2/aws4_request", self.region);
        format!("AWS4-HMAC-SHA256 Credential=TESTKIT/{scope}, SignedHeaders=host, Signature=none")
    }
}

/// A request of the query protocol.
#[derive(Debug)]
struct Form {
    action: &'static str,
    pairs: Vec<(String, String)>,
}

impl Form {
    fn new(action: &'static str) -> Self {
        let mut form = Self { action, pairs: Vec::new() };
        form.set("Action", action);
        form.set("Version", VERSION);
        form
    }

    fn set(&mut self, name: &str, value: impl Display) {
        self.pairs.push((name.to_owned(), format!("{value}")));
    }

    fn set_some(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    fn specify_tags(&mut self, resource: &str, tags: &Tags) {
        if !tags.is_empty() {
            self.set("TagSpecification.1.ResourceType", resource);
            self.tags("TagSpecification.1.Tag", tags);
        }
    }

    fn tags(&mut self, prefix: &str, tags: &Tags) {
        for (index, (key, value)) in tags.iter().enumerate() {
            self.set(&format!("{prefix}.{}.Key", index + 1), key);
            self.set(&format!("{prefix}.{}.Value", index + 1), value);
        }
    }

    fn encode(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.pairs).finish()
    }
}

fn read_volume(node: Node<'_, '_>) -> Result<Volume> {
    Ok(Volume {
        id: required(node, "volumeId")?.to_owned(),
        kind: required(node, "volumeType")?.to_owned(),
        size: required(node, "size")?.parse()?,
        iops: text(node, "iops").map(str::parse).transpose()?,
        throughput: text(node, "throughput").map(str::parse).transpose()?,
        encrypted: required(node, "encrypted")?.parse()?,
        kms_key: text(node, "kmsKeyId").map(str::to_owned),
        multi_attach: text(node, "multiAttachEnabled") == Some("true"),
        zone: required(node, "availabilityZone")?.to_owned(),
        state: required(node, "status")?.to_owned(),
        snapshot: text(node, "snapshotId").map(str::to_owned),
        tags: read_tags(node)?,
    })
}

fn read_snapshot(node: Node<'_, '_>) -> Result<Snapshot> {
    Ok(Snapshot {
        id: required(node, "snapshotId")?.to_owned(),
        volume: required(node, "volumeId")?.to_owned(),
        state: required(node, "status")?.to_owned(),
        progress: required(node, "progress")?.to_owned(),
        size: required(node, "volumeSize")?.parse()?,
        encrypted: required(node, "encrypted")?.parse()?,
        description: text(node, "description").unwrap_or_default().to_owned(),
        tags: read_tags(node)?,
    })
}

fn read_tags(node: Node<'_, '_>) -> Result<Tags> {
    let read = |tag| {
        let value = text(tag, "value").unwrap_or_default();
        Ok((required(tag, "key")?.to_owned(), value.to_owned()))
    };
    items(node, "tagSet").map(read).collect()
}

fn list<T>(reply: Node<'_, '_>, set: &str, read: fn(Node<'_, '_>) -> Result<T>) -> Result<Vec<T>> {
    items(reply, set).map(read).collect()
}

fn items<'a, 'input: 'a>(
    node: Node<'a, 'input>,
    set: &str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    child(node, set).into_iter().flat_map(|set| set.children().filter(Node::is_element))
}

fn required<'a>(node: Node<'a, '_>, name: &str) -> Result<&'a str> {
    text(node, name).with_context(|| format!("no {name}"))
}

/// The text of a child that has one.
fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    child(node, name)?.text().filter(|text| !text.is_empty())
}

fn child<'a, 'input: 'a>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.tag_name().name() == name)
}
