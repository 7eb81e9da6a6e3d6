use serde_json::{Map, Value};

use crate::engine::model::entries::escaped;

/// The places at which two values differ, as JSON pointers to the smallest parts that do.
pub fn changed_paths(before: &Value, after: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    collect(before, after, "", &mut paths);
    paths
}

fn collect(before: &Value, after: &Value, path: &str, paths: &mut Vec<String>) {
    let nothing = Map::new();
    let maps = match (before, after) {
        (Value::Object(before), Value::Object(after)) => (before, after),
        // What a map holds is told one by one, be it new or gone.
        (Value::Null, Value::Object(after)) if !after.is_empty() => (&nothing, after),
        (Value::Object(before), Value::Null) if !before.is_empty() => (before, &nothing),
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                collect(before, after, &format!("{path}/{index}"), paths);
            }
            return;
        }
        _ if before == after => return,
        _ => return paths.push(path.to_owned()),
    };
    let (before, after) = maps;
    let gone = before.keys().filter(|key| !after.contains_key(*key));
    for key in after.keys().chain(gone) {
        let path = format!("{path}/{}", escaped(key));
        match (before.get(key), after.get(key)) {
            (None, Some(Value::Null)) | (Some(Value::Null), None) => paths.push(path),
            (before, after) => {
                let (before, after) =
                    (before.unwrap_or(&Value::Null), after.unwrap_or(&Value::Null));
                collect(before, after, &path, paths);
            }
        }
    }
}
