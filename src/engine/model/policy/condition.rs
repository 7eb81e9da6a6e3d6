//! What a policy asks of a volume.

use std::collections::BTreeMap;
use std::fmt;

use super::facts::{Backing, VolumeFacts};
use super::quantity::Quantity;
use super::volume_type::VolumeType;

/// One condition of a policy.
///
/// Those that speak of the volume hold for no claim that has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Its size is within these bounds.
    Capacity(CapacityRange),
    /// It is of one of these storage classes.
    StorageClass(Vec<String>),
    /// It is in NFS: on this server, in this directory, where they are given.
    Nfs {
        /// The server.
        server: Option<String>,
        /// The directory.
        path: Option<String>,
    },
    /// It is of CSI: of this driver and with these attributes, where they are given.
    Csi {
        /// The driver.
        driver: Option<String>,
        /// Attributes; the volume may have others besides.
        attributes: BTreeMap<String, String>,
    },
    /// It is of one of these types.
    VolumeTypes(Vec<VolumeType>),
    /// Its claim has all of these labels.
    ClaimLabels(BTreeMap<String, String>),
    /// Its claim is in one of these phases.
    ClaimPhase(Vec<String>),
}

/// Bounds that are themselves within.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapacityRange {
    /// The smallest size.
    pub lower: Option<Quantity>,
    /// The largest size.
    pub upper: Option<Quantity>,
}

impl CapacityRange {
    fn contains(&self, size: &Quantity) -> bool {
        self.lower.as_ref().is_none_or(|lower| lower <= size)
            && self.upper.as_ref().is_none_or(|upper| size <= upper)
    }
}

impl Condition {
    /// Whether it holds.
    pub fn holds(&self, facts: &VolumeFacts) -> bool {
        match self {
            Self::ClaimLabels(labels) => is_part(labels, &facts.claim_labels),
            Self::ClaimPhase(phases) => phases.contains(&facts.claim_phase),
            _ => facts.volume.as_ref().is_some_and(|volume| self.holds_for(volume)),
        }
    }

    fn holds_for(&self, volume: &Backing) -> bool {
        let asked =
            |wish: &Option<String>, found: &String| wish.as_ref().is_none_or(|it| it == found);
        match self {
            Self::Capacity(range) => range.contains(&volume.capacity),
            Self::StorageClass(classes) => classes.contains(&volume.storage_class),
            Self::Nfs { server, path } => {
                volume.nfs.as_ref().is_some_and(|(s, p)| asked(server, s) && asked(path, p))
            }
            Self::Csi { driver, attributes } => volume
                .csi
                .as_ref()
                .is_some_and(|(name, found)| asked(driver, name) && is_part(attributes, found)),
            Self::VolumeTypes(types) => volume.volume_type.is_some_and(|it| types.contains(&it)),
            Self::ClaimLabels(_) | Self::ClaimPhase(_) => false,
        }
    }
}

/// Whether all of one map is in the other.
fn is_part(part: &BTreeMap<String, String>, whole: &BTreeMap<String, String>) -> bool {
    part.iter().all(|(key, value)| whole.get(key) == Some(value))
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capacity(range) => write!(f, "capacity {range}"),
            Self::StorageClass(classes) => write!(f, "storageClass {}", classes.join(" or ")),
            Self::Nfs { server, path } => {
                f.write_str("nfs")?;
                server.iter().try_for_each(|server| write!(f, " server {server}"))?;
                path.iter().try_for_each(|path| write!(f, " path {path}"))
            }
            Self::Csi { driver, attributes } => {
                f.write_str("csi")?;
                driver.iter().try_for_each(|driver| write!(f, " driver {driver}"))?;
                attributes.iter().try_for_each(|(key, value)| write!(f, " {key}={value}"))
            }
            Self::VolumeTypes(types) => {
                let names: Vec<_> = types.iter().map(|it| it.name()).collect();
                write!(f, "volumeTypes {}", names.join(" or "))
            }
            Self::ClaimLabels(labels) => {
                f.write_str("pvcLabels")?;
                labels.iter().try_for_each(|(key, value)| write!(f, " {key}={value}"))
            }
            Self::ClaimPhase(phases) => write!(f, "pvcPhase {}", phases.join(" or ")),
        }
    }
}

impl fmt::Display for CapacityRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.lower, &self.upper) {
            (Some(lower), Some(upper)) => write!(f, "{lower} to {upper}"),
            (Some(lower), None) => write!(f, "{lower} or more"),
            (None, Some(upper)) => write!(f, "{upper} or less"),
            (None, None) => f.write_str("any"),
        }
    }
}
