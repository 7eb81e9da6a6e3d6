//! Velero's YAML, read strictly.

use json_patch::PatchOperation;
use regex::Regex;
use serde_json::{Value, json};

use super::conditions::{Conditions, Resources, glob};
use super::patch::Patch;
use super::rules::Rule;
use super::strategic;
use super::value::value;
use crate::engine::model::filter::closest;
use crate::engine::model::policy::{Fault, Node, check_version, document};
use crate::engine::model::selector::Selector;

const FORM: &str = "the form is that of Velero's resource modifiers: bowline restore create --help";
const SORTS: [&str; 3] = ["patches", "mergePatches", "strategicPatches"];
const OPERATIONS: [&str; 6] = ["add", "remove", "replace", "move", "copy", "test"];

pub(super) fn rules(yaml: &str) -> Result<Vec<Rule>, Fault> {
    let document = document(yaml)?;
    let root = Node::root(&document, FORM);
    let fields = root.fields(&["version", "resourceModifierRules"])?;
    check_version(&root, fields.get("version"))?;
    let Some(rules) = fields.get("resourceModifierRules").filter(|it| !it.is_empty()) else {
        let hint = "leave the flag out if there are no rules";
        return Err(root.fault("it holds no resourceModifierRules", hint));
    };
    rules.all(rule)
}

fn rule(node: &Node<'_>) -> Result<Rule, Fault> {
    let fields = node.fields(&["conditions", SORTS[0], SORTS[1], SORTS[2]])?;
    let Some(conditions) = fields.get("conditions") else {
        return Err(node.fault("it has no conditions", "write conditions: {groupResource: ...}"));
    };
    let mut sorts = SORTS.iter().filter_map(|sort| Some((*sort, fields.get(sort)?)));
    let Some((sort, patches)) = sorts.next() else {
        return Err(node.fault("it changes nothing", format!("give it {}", SORTS.join(", or "))));
    };
    if let Some((other, node)) = sorts.next() {
        let reason = format!("a rule has either {sort} or {other}");
        return Err(node.fault(reason, "make two rules of it; Velero would do one of them only"));
    }
    let patches = match sort {
        "patches" => vec![Patch::Json(patches.all(operation)?)],
        "mergePatches" => patches.all(patch_data)?.into_iter().map(Patch::Merge).collect(),
        _ => patches.all(strategic)?,
    };
    Ok(Rule { conditions: self::conditions(conditions)?, patches })
}

fn conditions(node: &Node<'_>) -> Result<Conditions, Fault> {
    const KNOWN: [&str; 5] =
        ["groupResource", "namespaces", "resourceNameRegex", "labelSelector", "matches"];
    let fields = node.fields(&KNOWN)?;
    let Some(resources) = fields.get("groupResource") else {
        let hint = "write groupResource: deployments.apps, or \"*.*\" for all kinds";
        return Err(node.fault("it has no groupResource", hint));
    };
    let pattern = |node: &Node<'_>, reason| node.fault(reason, "write a name, or a pattern with *");
    let namespaces = match fields.get("namespaces") {
        Some(namespaces) => {
            namespaces.all(|it| glob(it.text()?).map_err(|reason| pattern(it, reason)))?
        }
        None => Vec::new(),
    };
    Ok(Conditions {
        resources: Resources::new(resources.text()?).map_err(|it| pattern(resources, it))?,
        namespaces,
        name: fields.get("resourceNameRegex").map(name).transpose()?,
        labels: fields.get("labelSelector").map(labels).transpose()?,
        matches: match fields.get("matches") {
            Some(matches) => matches.all(equality)?,
            None => Vec::new(),
        },
    })
}

fn name(node: &Node<'_>) -> Result<Regex, Fault> {
    Regex::new(node.text()?).map_err(|error| {
        let reason = error.to_string().lines().last().unwrap_or_default().to_owned();
        node.fault(reason, "it must be a regular expression, such as ^web-.*$")
    })
}

fn labels(node: &Node<'_>) -> Result<Selector, Fault> {
    node.fields(&["matchLabels", "matchExpressions"])?;
    serde_json::from_value(node.value().clone())
        .map_err(|error| node.fault(error.to_string(), "it must be a selector of Kubernetes"))
}

fn equality(node: &Node<'_>) -> Result<(String, Value), Fault> {
    let fields = node.fields(&["path", "value"])?;
    let (Some(path), Some(found)) = (fields.get("path"), fields.get("value")) else {
        return Err(node.fault("it has no path, or no value", "write {path: /a/b, value: ...}"));
    };
    Ok((pointer(path)?.to_owned(), value(found)?))
}

fn pointer<'a>(node: &Node<'a>) -> Result<&'a str, Fault> {
    let text = node.text()?;
    let bad = text.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1']));
    if !text.starts_with('/') || bad {
        let hint = "it must be a JSON pointer, such as /metadata/labels/app.kubernetes.io~1name";
        return Err(node.fault(format!("\"{text}\" is not a path"), hint));
    }
    Ok(text)
}

fn operation(node: &Node<'_>) -> Result<PatchOperation, Fault> {
    let fields = node.fields(&["operation", "path", "from", "value"])?;
    let required = |name: &str| {
        let hint = format!("write {name}: ...");
        fields.get(name).ok_or_else(|| node.fault(format!("it has no {name}"), hint))
    };
    let kind = required("operation")?;
    let kind = match kind.text()? {
        known if OPERATIONS.contains(&known) => known,
        other => {
            let hint = closest(other, OPERATIONS).map_or_else(
                || format!("there is: {}", OPERATIONS.join(", ")),
                |similar| format!("did you mean \"{similar}\"?"),
            );
            return Err(node.fault(format!("there is no operation \"{other}\""), hint));
        }
    };
    let mut operation = json!({"op": kind, "path": pointer(required("path")?)?});
    match kind {
        "add" | "replace" | "test" => operation["value"] = value(required("value")?)?,
        "move" | "copy" => operation["from"] = pointer(required("from")?)?.into(),
        _ => {}
    }
    serde_json::from_value(operation)
        .map_err(|error| node.fault(error.to_string(), "it must be an operation of a JSON patch"))
}

/// A merge patch: text that holds YAML, or JSON.
fn patch_data(node: &Node<'_>) -> Result<Value, Fault> {
    let fields = node.fields(&["patchData"])?;
    let Some(data) = fields.get("patchData") else {
        return Err(node.fault("it has no patchData", "write patchData: '{\"spec\": {...}}'"));
    };
    let patch = document(data.text()?).map_err(|fault| data.fault(fault.reason, fault.hint))?;
    match patch {
        Value::Object(_) => Ok(patch),
        _ => Err(data.fault("it must hold a map", "write patchData: '{\"spec\": {...}}'")),
    }
}

fn strategic(node: &Node<'_>) -> Result<Patch, Fault> {
    let patch = patch_data(node)?;
    match strategic::fault(&patch) {
        Some(reason) => Err(node.fault(
            reason,
            "there is $patch: delete, replace or merge, and $deleteFromPrimitiveList",
        )),
        None => Ok(Patch::Strategic(patch)),
    }
}
