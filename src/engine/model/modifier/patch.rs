use std::{fmt, io};

use bowline_api::GroupResource;
use json_patch::{PatchErrorKind, PatchOperation};
use serde_json::Value;

use super::strategic;
use crate::engine::model::kinds;

/// A change to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patch {
    /// Operations of RFC 6902, all or none of which are done.
    Json(Vec<PatchOperation>),
    /// A merge patch of RFC 7386.
    Merge(Value),
    /// A merge patch that knows which lists of Kubernetes are maps in disguise.
    Strategic(Value),
}

/// Why a patch cannot be applied to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Which patch of its rule: `patches[1]`.
    pub(super) place: String,
    /// Which operation, if it is one of several.
    pub(super) index: Option<usize>,
    /// What is wrong.
    pub(super) reason: String,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

impl Patch {
    /// The field of a rule that patches of this sort are in.
    pub(super) fn field(&self) -> &'static str {
        match self {
            Self::Json(_) => "patches",
            Self::Merge(_) => "mergePatches",
            Self::Strategic(_) => "strategicPatches",
        }
    }

    /// Changes an object; tells whether all tests hold. Nothing is changed otherwise.
    pub(super) fn apply(
        &self,
        resource: &GroupResource,
        object: &mut Value,
    ) -> Result<bool, Unfit> {
        let unfit = |reason: String| Unfit { place: String::new(), index: None, reason };
        match self {
            Self::Json(operations) => json(operations, object),
            Self::Merge(patch) => {
                json_patch::merge(object, patch);
                excess(object).map_or(Ok(true), |excess| Err(unfit(excess.to_owned())))
            }
            Self::Strategic(_) if kinds::built_in(resource).is_none() => Err(unfit(format!(
                "only the API server's own kinds can be merged strategically, and {resource} is none: \
                 use mergePatches"
            ))),
            Self::Strategic(patch) => {
                strategic::merge(object, patch).map_err(unfit)?;
                excess(object).map_or(Ok(true), |excess| Err(unfit(excess.to_owned())))
            }
        }
    }
}

/// How many bytes of JSON an object may have: more than any server takes.
const LARGEST: usize = 3 << 20;
/// How deep an object may be nested: more than anybody writes.
const DEEPEST: usize = 100;

/// Does one operation after the other, as copies of copies grow without bounds.
fn json(operations: &[PatchOperation], object: &mut Value) -> Result<bool, Unfit> {
    let mut changed = object.clone();
    for (index, operation) in operations.iter().enumerate() {
        let is_test = matches!(operation, PatchOperation::Test(_));
        let done = json_patch::patch(&mut changed, std::slice::from_ref(operation));
        let why = match done {
            // What is not there is not what a test asks for.
            Err(_) if is_test => return Ok(false),
            Err(error) => match error.kind {
                PatchErrorKind::InvalidPointer => "there is no such place".to_owned(),
                PatchErrorKind::InvalidFromPointer => {
                    "there is no such place to take it from".to_owned()
                }
                other => other.to_string(),
            },
            Ok(()) if is_test => continue,
            Ok(()) => match excess(&changed) {
                Some(excess) => excess.to_owned(),
                None => continue,
            },
        };
        let reason = format!("{}: {why}", describe(operation));
        return Err(Unfit { place: String::new(), index: Some(index), reason });
    }
    *object = changed;
    Ok(true)
}

/// What an object has too much of, if so.
fn excess(object: &Value) -> Option<&'static str> {
    if depth(object) > DEEPEST {
        return Some("it would be nested more than 100 deep");
    }
    // Writing JSON of values into nothing does not fail.
    let mut size = Size(0);
    serde_json::to_writer(&mut size, object).ok();
    (size.0 > LARGEST).then_some("it would be larger than 3 MiB")
}

/// How deep a value is nested; no deeper than one operation can make what was within bounds.
fn depth(value: &Value) -> usize {
    let within = match value {
        Value::Object(map) => map.values().map(depth).max(),
        Value::Array(list) => list.iter().map(depth).max(),
        _ => return 0,
    };
    within.unwrap_or_default() + 1
}

/// Counts what is written.
struct Size(usize);

impl io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn describe(operation: &PatchOperation) -> String {
    match operation {
        PatchOperation::Add(it) => format!("add {}", it.path),
        PatchOperation::Remove(it) => format!("remove {}", it.path),
        PatchOperation::Replace(it) => format!("replace {}", it.path),
        PatchOperation::Move(it) => format!("move {} to {}", it.from, it.path),
        PatchOperation::Copy(it) => format!("copy {} to {}", it.from, it.path),
        PatchOperation::Test(it) => format!("test {}", it.path),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(operation: Value, times: usize) -> Unfit {
        let operations: Vec<PatchOperation> =
            serde_json::from_value(vec![operation; times].into()).unwrap();
        let mut object = json!({"a": {"text": "x".repeat(1000), "list": []}});
        let before = object.clone();
        let unfit = json(&operations, &mut object).unwrap_err();
        assert_eq!(object, before);
        unfit
    }

    #[test]
    fn copies_of_copies_end_before_they_are_too_large_or_too_deep() {
        let copy = json!({"op": "copy", "from": "/a/list", "path": "/a/list/-"});
        assert!(refused(copy, 200).reason.contains("larger than 3 MiB"));
        let copy = json!({"op": "copy", "from": "/a", "path": "/a/more"});
        assert!(refused(copy, 200).reason.contains("nested more than 100 deep"));
        let text = json!({"op": "add", "path": "/a/list/-", "value": "y".repeat(1 << 20)});
        let unfit = refused(text, 5);
        assert!(unfit.reason.contains("larger than 3 MiB"), "{}", unfit.reason);
        assert_eq!(unfit.index, Some(2));
    }
}
