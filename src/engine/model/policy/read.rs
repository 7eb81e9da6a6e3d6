//! Velero's YAML, read strictly.

use super::condition::{CapacityRange, Condition};
use super::error::Fault;
use super::node::{Node, document};
use super::policies::{Action, Policy};
use super::quantity::Quantity;
use super::volume_type::{VolumeType, names};
use crate::engine::model::filter::closest;

const VERSION: &str = "v1";
const FORM: &str = "the form is that of Velero's resource policies: bowline backup create --help";
const PHASES: [&str; 3] = ["Pending", "Bound", "Lost"];
const CONDITIONS: [&str; 7] =
    ["capacity", "storageClass", "nfs", "csi", "volumeTypes", "pvcLabels", "pvcPhase"];

pub(super) fn policies(yaml: &str) -> Result<Vec<Policy>, Fault> {
    let document = document(yaml)?;
    let root = Node::root(&document, FORM);
    let fields = root.fields(&["version", "volumePolicies", "includeExcludePolicy"])?;
    check_version(&root, fields.get("version"))?;
    if let Some(filters) = fields.get("includeExcludePolicy") {
        return Err(filters.fault(
            "bowline takes filters from its flags only",
            "leave it out and say --include-resources, --exclude-resources, --include-namespaces, \
             --exclude-namespaces or --include-cluster-resources",
        ));
    }
    let Some(policies) = fields.get("volumePolicies").filter(|it| !it.is_empty()) else {
        return Err(
            root.fault("it holds no volumePolicies", "leave the flag out if there are no policies")
        );
    };
    policies.all(policy)
}

/// Checks that a document is of the version that is known here.
pub(in crate::engine::model) fn check_version(
    root: &Node<'_>,
    version: Option<&Node<'_>>,
) -> Result<(), Fault> {
    let hint = "write version: v1";
    let Some(version) = version else { return Err(root.fault("it has no version", hint)) };
    match version.text()? {
        VERSION => Ok(()),
        other => Err(version.fault(format!("\"{other}\" is not a version known here"), hint)),
    }
}

fn policy(node: &Node<'_>) -> Result<Policy, Fault> {
    let fields = node.fields(&["conditions", "action"])?;
    let Some(action) = fields.get("action") else {
        return Err(node.fault("it has no action", "write action: {type: skip}, or snapshot"));
    };
    let conditions = match fields.get("conditions") {
        Some(conditions) => self::conditions(conditions)?,
        None => Vec::new(),
    };
    Ok(Policy { conditions, action: self::action(action)? })
}

fn action(node: &Node<'_>) -> Result<Action, Fault> {
    const KNOWN: [&str; 5] = ["skip", "snapshot", "reattach", "fs-backup", "custom"];
    let fields = node.fields(&["type", "parameters"])?;
    let Some(kind) = fields.get("type") else {
        return Err(node.fault("it has no type", "write type: skip, or snapshot"));
    };
    let action = match kind.text()? {
        "skip" => Action::Skip,
        "snapshot" => Action::Snapshot,
        "reattach" => Action::Reattach,
        "fs-backup" => {
            return Err(kind.fault(
                "bowline copies no files out of volumes",
                "use snapshot for volumes that have snapshots, reattach for shared file systems, \
                 or skip",
            ));
        }
        "custom" => {
            return Err(kind.fault(
                "bowline has no plugins that would take care of the volume",
                "use snapshot, reattach or skip",
            ));
        }
        other => {
            let hint = closest(other, KNOWN).map_or_else(
                || "use skip, snapshot or reattach".to_owned(),
                |similar| format!("did you mean \"{similar}\"?"),
            );
            return Err(kind.fault(format!("there is no action \"{other}\""), hint));
        }
    };
    match fields.get("parameters") {
        Some(parameters) if !parameters.is_empty() => Err(parameters
            .fault(format!("action {action} takes no parameters"), "leave the parameters out")),
        _ => Ok(action),
    }
}

fn conditions(node: &Node<'_>) -> Result<Vec<Condition>, Fault> {
    let mut conditions = Vec::new();
    for (name, node) in node.fields(&CONDITIONS)? {
        conditions.push(match name {
            "capacity" => Condition::Capacity(capacity(&node)?),
            "storageClass" => Condition::StorageClass(node.all(owned)?),
            "nfs" => nfs(&node)?,
            "csi" => csi(&node)?,
            "volumeTypes" => Condition::VolumeTypes(node.all(volume_type)?),
            "pvcLabels" => Condition::ClaimLabels(node.texts_by_key()?),
            _ => Condition::ClaimPhase(node.all(phase)?),
        });
    }
    Ok(conditions)
}

fn owned(node: &Node<'_>) -> Result<String, Fault> {
    node.text().map(ToOwned::to_owned)
}

/// Reads `lower,upper`, either of which may be left out. As in Velero, an upper bound of 0 is none.
fn capacity(node: &Node<'_>) -> Result<CapacityRange, Fault> {
    const HINT: &str = "write \"10Gi,100Gi\", \"10Gi,\" (or more) or \",100Gi\" (or less)";
    let text = node.text()?;
    let Some((lower, upper)) = text.split_once(',').filter(|(_, upper)| !upper.contains(','))
    else {
        return Err(node.fault(format!("\"{text}\" is not of the form \"lower,upper\""), HINT));
    };
    let bound = |text: &str| match text.trim() {
        "" => Ok(None),
        text => {
            text.parse::<Quantity>().map(Some).map_err(|error| node.fault(error.to_string(), HINT))
        }
    };
    let lower = bound(lower)?;
    let upper = bound(upper)?.filter(|upper| !upper.is_zero());
    match (&lower, &upper) {
        (None, None) => Err(node.fault(format!("\"{text}\" bounds nothing"), HINT)),
        (Some(low), Some(high)) if low > high => {
            Err(node.fault(format!("the lower bound {low} is above the upper one, {high}"), HINT))
        }
        _ => Ok(CapacityRange { lower, upper }),
    }
}

/// `{}` is any volume in NFS.
fn nfs(node: &Node<'_>) -> Result<Condition, Fault> {
    let fields = node.fields(&["server", "path"])?;
    let text = |name: &str| fields.get(name).map(owned).transpose();
    Ok(Condition::Nfs { server: text("server")?, path: text("path")? })
}

/// `{}` is any volume of CSI.
fn csi(node: &Node<'_>) -> Result<Condition, Fault> {
    let fields = node.fields(&["driver", "volumeAttributes"])?;
    let driver = fields.get("driver").map(owned).transpose()?;
    let attributes = fields.get("volumeAttributes").map(Node::texts_by_key).transpose()?;
    if driver.is_none() && attributes.is_some() {
        return Err(node.fault(
            "it has volumeAttributes and no driver",
            "name the driver: attributes of one driver mean nothing to another",
        ));
    }
    Ok(Condition::Csi { driver, attributes: attributes.unwrap_or_default() })
}

fn volume_type(node: &Node<'_>) -> Result<VolumeType, Fault> {
    let name = node.text()?;
    VolumeType::named(name).ok_or_else(|| {
        let hint = match VolumeType::suggestion(name) {
            Some(similar) => format!("did you mean \"{similar}\"? Velero would never match it"),
            None => format!("there is: {}", names()),
        };
        node.fault(format!("there is no type of volume \"{name}\""), hint)
    })
}

fn phase(node: &Node<'_>) -> Result<String, Fault> {
    let name = node.text()?;
    if PHASES.contains(&name) {
        return Ok(name.to_owned());
    }
    let hint = match PHASES.into_iter().find(|it| it.eq_ignore_ascii_case(name)) {
        Some(similar) => format!("did you mean \"{similar}\"?"),
        None => format!("there is: {}", PHASES.join(", ")),
    };
    Err(node.fault(format!("there is no phase \"{name}\" of a claim"), hint))
}
