//! What policies look at: a claim and the volume behind it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::quantity::Quantity;
use super::volume_type::VolumeType;
use crate::engine::model::Object;
use crate::engine::model::fields::text_at;

/// A claim and the volume behind it, as far as policies look at them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeFacts {
    /// The claim's labels.
    pub claim_labels: BTreeMap<String, String>,
    /// The claim's phase: `Pending`, `Bound`, `Lost`.
    pub claim_phase: String,
    /// The volume; none if the claim has none.
    pub volume: Option<Backing>,
}

/// A persistent volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backing {
    /// How large it is.
    pub capacity: Quantity,
    /// Its storage class; empty if it has none.
    pub storage_class: String,
    /// What kind of volume it is.
    pub volume_type: Option<VolumeType>,
    /// Server and path, of one in NFS.
    pub nfs: Option<(String, String)>,
    /// Driver and attributes, of one of CSI.
    pub csi: Option<(String, BTreeMap<String, String>)>,
}

impl Backing {
    /// Reads what matters from a persistent volume. Of one whose size is not known none can tell
    /// which policies hold.
    pub fn read(volume: &Value) -> Result<Self, String> {
        let text = |pointer: &str| volume.pointer(pointer).and_then(Value::as_str);
        let capacity = text("/spec/capacity/storage").unwrap_or_default();
        let capacity = capacity.parse().map_err(|error| {
            format!("no policy can be applied to its volume: the capacity {error}")
        })?;
        let owned = |pointer: &str| text(pointer).unwrap_or_default().to_owned();
        let nfs = volume.pointer("/spec/nfs").is_some_and(Value::is_object);
        let csi = volume.pointer("/spec/csi").and_then(Value::as_object);
        Ok(Self {
            capacity,
            storage_class: owned("/spec/storageClassName"),
            volume_type: VolumeType::of(volume),
            nfs: nfs.then(|| (owned("/spec/nfs/server"), owned("/spec/nfs/path"))),
            csi: csi.map(of_csi),
        })
    }
}

fn of_csi(csi: &Object) -> (String, BTreeMap<String, String>) {
    let attributes = csi.get("volumeAttributes").and_then(Value::as_object);
    let text = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
    let driver = text_at(csi, &["driver"]).unwrap_or_default();
    (driver.to_owned(), attributes.into_iter().flatten().filter_map(text).collect())
}
