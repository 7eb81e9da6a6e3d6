//! Paths into objects whose shape nobody has checked.
//!
//! A path is a list of keys, as annotations and labels hold slashes and dots. What is absent or of
//! another type than asked for is simply not there: objects come from archives and foreign clusters.

use serde_json::Value;

/// An object as it was recorded; unknown fields and all.
pub type Object = serde_json::Map<String, Value>;

/// The value at this path.
pub fn at<'a>(object: &'a Object, path: &[&str]) -> Option<&'a Value> {
    let (last, parents) = path.split_last()?;
    map_at(object, parents)?.get(*last)
}

/// The map at this path; the object itself for no path.
pub fn map_at<'a>(object: &'a Object, path: &[&str]) -> Option<&'a Object> {
    path.iter().try_fold(object, |map, key| map.get(*key)?.as_object())
}

/// The map at this path, to be changed.
pub fn map_at_mut<'a>(object: &'a mut Object, path: &[&str]) -> Option<&'a mut Object> {
    path.iter().try_fold(object, |map, key| map.get_mut(*key)?.as_object_mut())
}

/// The text at this path, unless it is empty.
pub fn text_at<'a>(object: &'a Object, path: &[&str]) -> Option<&'a str> {
    at(object, path)?.as_str().filter(|text| !text.is_empty())
}

/// The maps in the list at this path.
pub fn maps_at<'a>(
    object: &'a Object,
    path: &[&str],
) -> impl Iterator<Item = &'a Object> + use<'a> {
    at(object, path).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

/// The maps in the list at this path, to be changed.
pub fn maps_at_mut<'a>(
    object: &'a mut Object,
    path: &[&str],
) -> impl Iterator<Item = &'a mut Object> + use<'a> {
    let list = path
        .split_last()
        .and_then(|(last, parents)| map_at_mut(object, parents)?.get_mut(*last)?.as_array_mut());
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

/// Takes out what is at this path, and the parents that this leaves empty.
pub fn remove(object: &mut Object, path: &[&str]) -> Option<Value> {
    match path {
        [] => None,
        [key] => object.remove(*key),
        [key, rest @ ..] => {
            let child = object.get_mut(*key)?.as_object_mut()?;
            let removed = remove(child, rest)?;
            if child.is_empty() {
                object.remove(*key);
            }
            Some(removed)
        }
    }
}

/// Keeps those entries of the list at this path that `keep` wants; an empty list goes with its key.
///
/// Returns the entries that were dropped.
pub fn retain(
    object: &mut Object,
    path: &[&str],
    mut keep: impl FnMut(&Value) -> bool,
) -> Vec<Value> {
    let Some((last, parents)) = path.split_last() else { return Vec::new() };
    let Some(parent) = map_at_mut(object, parents) else { return Vec::new() };
    let Some(entries) = parent.get_mut(*last).and_then(Value::as_array_mut) else {
        return Vec::new();
    };
    let dropped: Vec<Value> = entries.extract_if(.., |entry| !keep(entry)).collect();
    if entries.is_empty() && !dropped.is_empty() {
        parent.remove(*last);
    }
    dropped
}

/// Sets the text at this path and makes its parents where they are absent.
pub fn set_text(object: &mut Object, path: &[&str], text: &str) {
    let Some((last, parents)) = path.split_last() else { return };
    let mut map = object;
    for key in parents {
        let child = map.entry(*key).or_insert_with(|| Value::Object(Object::new()));
        if !child.is_object() {
            *child = Value::Object(Object::new());
        }
        let Some(next) = child.as_object_mut() else { return };
        map = next;
    }
    map.insert((*last).to_owned(), Value::from(text));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_is_absent_or_of_another_type_is_not_there() {
        let sample = object(json!({"a": {"b": "text", "empty": ""}, "list": [{"n": 1}, 2]}));
        assert_eq!(text_at(&sample, &["a", "b"]), Some("text"));
        assert_eq!(text_at(&sample, &["a", "empty"]), None);
        assert_eq!(text_at(&sample, &["a", "b", "c"]), None);
        assert_eq!(at(&sample, &[]), None);
        assert_eq!(maps_at(&sample, &["list"]).count(), 1);
        assert_eq!(maps_at(&sample, &["a"]).count(), 0);
    }

    #[test]
    fn removing_the_last_entry_removes_its_empty_parents() {
        let mut sample = object(json!({"a": {"b": {"c": 1}}, "d": {"e": 1, "f": {}}}));
        assert_eq!(remove(&mut sample, &["a", "b", "c"]), Some(json!(1)));
        assert_eq!(remove(&mut sample, &["d", "absent"]), None);
        assert_eq!(Value::Object(sample), json!({"d": {"e": 1, "f": {}}}));
    }

    #[test]
    fn a_list_goes_with_its_last_entry_but_an_empty_one_stays() {
        let mut sample = object(json!({"a": [1, 2], "b": [1], "c": []}));
        assert_eq!(retain(&mut sample, &["a"], |entry| *entry != json!(1)), vec![json!(1)]);
        assert_eq!(retain(&mut sample, &["b"], |_| false).len(), 1);
        assert!(retain(&mut sample, &["c"], |_| false).is_empty());
        assert_eq!(Value::Object(sample), json!({"a": [2], "c": []}));
    }

    #[test]
    fn setting_a_text_makes_its_parents() {
        let mut sample = object(json!({"metadata": {"labels": null}}));
        set_text(&mut sample, &["metadata", "labels", "a"], "b");
        assert_eq!(Value::Object(sample), json!({"metadata": {"labels": {"a": "b"}}}));
    }
}
