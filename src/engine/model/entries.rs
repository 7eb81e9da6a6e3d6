//! Lists whose entries are known by a field, and the paths that name them so. Pure.
//!
//! A path is a JSON pointer (RFC 6901) but for such entries: `/spec/containers[name=web]/image`. What
//! is inserted before an entry does not change its path, and two objects that have it have it there.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde_json::Value;

/// The fields that entries may be known by: merge keys of the API of Kubernetes.
///
/// A mount has the name of its volume, which is not its own.
const KEYS: &[&str] = &["mountPath", "devicePath", "name", "containerPort", "port", "ip"];

/// How many bytes a name may have: a text that is longer is no name.
const LONGEST_NAME: usize = 1 << 10;

/// Which entries of two lists are held against each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pairing {
    /// Those that are called the same by this field.
    By(&'static str),
    /// Those that are called the same, too, but they come in another order: that may be meant, as with
    /// init containers.
    Reordered(&'static str),
    /// Those in the same place: no field tells all of them apart.
    ByPlace,
}

/// Decides how the entries of two lists are paired: by the field by which most of them are in both.
pub(super) fn pairing(ours: &[Value], theirs: &[Value]) -> Pairing {
    let in_both = |key: &'static str| {
        let (ours, theirs) = (names(ours, key)?, names(theirs, key)?);
        let [known, there] = [&ours, &theirs].map(|names| names.iter().collect::<HashSet<_>>());
        let ours: Vec<_> = ours.iter().filter(|name| there.contains(name)).collect();
        let theirs: Vec<_> = theirs.iter().filter(|name| known.contains(name)).collect();
        Some(((ours.len(), ours == theirs), key))
    };
    // Of equals the last counts as the greatest, and the first is meant.
    match KEYS.iter().rev().filter_map(|key| in_both(key)).max_by_key(|(rank, _)| *rank) {
        Some(((_, true), key)) => Pairing::By(key),
        Some(((_, false), key)) => Pairing::Reordered(key),
        None => Pairing::ByPlace,
    }
}

/// The place in `ours` of what each entry of `theirs` is held against.
pub fn counterparts(ours: &[Value], theirs: &[Value]) -> Vec<Option<usize>> {
    let (Pairing::By(key) | Pairing::Reordered(key)) = pairing(ours, theirs) else {
        return (0..theirs.len()).map(|place| (place < ours.len()).then_some(place)).collect();
    };
    let places = ours.iter().enumerate().filter_map(|(place, it)| Some((name(it, key)?, place)));
    let places: HashMap<_, _> = places.collect();
    theirs.iter().map(|it| places.get(&name(it, key)?).copied()).collect()
}

/// What the entries of a list are called, if this field tells all of them apart.
fn names<'a>(list: &'a [Value], key: &str) -> Option<Vec<Cow<'a, str>>> {
    let names: Vec<_> = list.iter().map(|entry| name(entry, key)).collect::<Option<_>>()?;
    (names.iter().collect::<HashSet<_>>().len() == names.len()).then_some(names)
}

/// What an entry is called by this field.
pub(super) fn name<'a>(entry: &'a Value, key: &str) -> Option<Cow<'a, str>> {
    match entry.get(key)? {
        Value::String(text) if text.len() <= LONGEST_NAME => Some(text.into()),
        Value::Number(number) => Some(number.to_string().into()),
        _ => None,
    }
}

/// The part of a path that leads to the entry of this name.
pub(super) fn part(key: &str, name: &str) -> String {
    format!("[{key}={}]", escaped(name))
}

/// A key as a part of a path.
pub fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Whether a path leads to `parent` or below it, or to an entry of it.
pub fn is_within(path: &str, parent: &str) -> bool {
    path.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '[']))
}

fn parts(path: &str) -> impl Iterator<Item = String> {
    path.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~"))
}

/// An entry that a part of a path names, and the list that it is in: `containers[name=web]`.
#[derive(Clone, Copy)]
struct Named<'a> {
    list: &'a str,
    key: &'a str,
    name: &'a str,
}

impl<'a> Named<'a> {
    fn read(part: &'a str) -> Option<Self> {
        let part = part.strip_suffix(']')?;
        // What a list or an entry is called may have brackets, too.
        let keys = KEYS.iter().filter_map(|key| Some((part.find(&format!("[{key}="))?, *key)));
        let (at, key) = keys.min()?;
        Some(Self { list: &part[..at], key, name: &part[at + key.len() + "[=".len()..] })
    }

    fn position(self, list: &[Value]) -> Option<usize> {
        list.iter().position(|entry| name(entry, self.key).as_deref() == Some(self.name))
    }
}

fn child<'a>(value: &'a Value, part: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) => map.get(part),
        Value::Array(list) => list.get(part.parse::<usize>().ok()?),
        _ => None,
    }
}

fn child_mut<'a>(value: &'a mut Value, part: &str) -> Option<&'a mut Value> {
    match value {
        Value::Object(map) => map.get_mut(part),
        Value::Array(list) => list.get_mut(part.parse::<usize>().ok()?),
        _ => None,
    }
}

fn list<'a>(value: &'a Value, named: Named<'_>) -> Option<&'a [Value]> {
    child(value, named.list)?.as_array().map(Vec::as_slice)
}

/// What is at a path.
fn at_path<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    parts(path).try_fold(value, |value, part| {
        child(value, &part).or_else(|| {
            let named = Named::read(&part)?;
            let list = list(value, named)?;
            list.get(named.position(list)?)
        })
    })
}

/// What is at a path, to be changed.
fn at_path_mut<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    parts(path).try_fold(value, |value, part| {
        if child(value, &part).is_some() {
            return child_mut(value, &part);
        }
        let named = Named::read(&part)?;
        let list = child_mut(value, named.list)?.as_array_mut()?;
        let position = named.position(list)?;
        list.get_mut(position)
    })
}

/// A path into an object as a JSON pointer; none if the object lacks an entry that it names.
///
/// The object itself may lack what is at its end.
pub fn pointer(object: &Value, path: &str) -> Option<String> {
    let mut pointer = String::new();
    let mut value = Some(object);
    for part in parts(path) {
        let named =
            Named::read(&part).filter(|_| value.is_none_or(|it| child(it, &part).is_none()));
        pointer.push('/');
        value = if let Some(named) = named {
            let list = list(value?, named)?;
            let position = named.position(list)?;
            pointer.extend([&escaped(named.list), "/", &position.to_string()]);
            list.get(position)
        } else {
            pointer.push_str(&escaped(&part));
            value.and_then(|value| child(value, &part))
        };
    }
    Some(pointer)
}

/// Makes a value what `source` is at a path: what that lacks is taken out. Tells whether it could.
///
/// Both must have the parent of what is there. An entry of a list that is new comes after the one that
/// it comes after in `source`.
#[must_use]
pub fn copy(value: &mut Value, source: &Value, path: &str) -> bool {
    let Some((parent, _)) = path.rsplit_once('/') else { return false };
    let Some(part) = parts(path).last() else { return false };
    let (Some(value), Some(source)) = (at_path_mut(value, parent), at_path(source, parent)) else {
        return false;
    };
    let is_plain = child(value, &part).or_else(|| child(source, &part)).is_some();
    match Named::read(&part).filter(|_| !is_plain) {
        Some(named) => copy_entry(value, source, named),
        None => copy_child(value, source, &part),
    }
}

fn copy_child(value: &mut Value, source: &Value, part: &str) -> bool {
    match (child(source, part), value) {
        (Some(new), Value::Object(map)) => drop(map.insert(part.to_owned(), new.clone())),
        (None, Value::Object(map)) => drop(map.remove(part)),
        (Some(new), list) => {
            let Some(entry) = child_mut(list, part) else { return false };
            *entry = new.clone();
        }
        (None, _) => return false,
    }
    true
}

fn copy_entry(value: &mut Value, source: &Value, named: Named<'_>) -> bool {
    let source = list(source, named).unwrap_or_default();
    let Some(list) = child_mut(value, named.list).and_then(Value::as_array_mut) else {
        return false;
    };
    match (named.position(list), named.position(source)) {
        (Some(old), Some(new)) => list[old] = source[new].clone(),
        (Some(old), None) => drop(list.remove(old)),
        (None, Some(new)) => {
            let before = source[..new].iter().rev().find_map(|entry| {
                let name = name(entry, named.key)?;
                Named { name: &name, ..named }.position(list)
            });
            list.insert(before.map_or(0, |before| before + 1), source[new].clone());
        }
        (None, None) => {}
    }
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "reads better with json! as the argument")]
    fn pairing_of(ours: Value, theirs: Value) -> Pairing {
        pairing(ours.as_array().unwrap(), theirs.as_array().unwrap())
    }

    #[test]
    fn entries_are_known_by_the_field_by_which_most_of_them_are_on_both_sides() {
        let (web, proxy) = (json!({"name": "web"}), json!({"name": "proxy"}));
        assert_eq!(pairing_of(json!([web]), json!([proxy, web])), Pairing::By("name"));
        let port = |name: &str, port: u16| json!({"name": name, "port": port});
        assert_eq!(pairing_of(json!([port("a", 80)]), json!([port("b", 80)])), Pairing::By("port"));
        assert_eq!(pairing_of(json!([port("a", 80)]), json!([port("a", 81)])), Pairing::By("name"));
        let mount = |path: &str| json!({"name": "data", "mountPath": path});
        assert_eq!(
            pairing_of(json!([mount("/a")]), json!([mount("/a"), mount("/b")])),
            Pairing::By("mountPath")
        );
    }

    #[test]
    fn entries_are_not_known_by_what_does_not_tell_them_apart() {
        let a = json!({"name": "a"});
        assert_eq!(pairing_of(json!([a, a]), json!([a])), Pairing::ByPlace);
        assert_eq!(pairing_of(json!([a, "b"]), json!([a])), Pairing::ByPlace);
        assert_eq!(pairing_of(json!([{"name": {}}]), json!([a])), Pairing::ByPlace);
        let long = json!([{"name": "n".repeat(LONGEST_NAME + 1)}]);
        assert_eq!(pairing_of(long.clone(), long), Pairing::ByPlace);
    }

    #[test]
    fn entries_in_another_order_are_not_told_apart_by_their_places_nor_by_a_lesser_field() {
        let port = |name: &str, port: u16| json!({"name": name, "port": port});
        let ours = json!([port("a", 80), port("b", 443)]);
        let swapped = json!([port("b", 443), port("a", 80)]);
        assert_eq!(pairing_of(ours.clone(), swapped.clone()), Pairing::Reordered("name"));
        let ours = ours.as_array().unwrap();
        assert_eq!(counterparts(ours, swapped.as_array().unwrap()), [Some(1), Some(0)]);
        let lesser = json!([port("b", 80), port("a", 8443)]);
        assert_eq!(pairing_of(ours.clone().into(), lesser), Pairing::Reordered("name"));
    }

    #[test]
    fn a_path_leads_to_the_entry_of_its_name_wherever_that_is() {
        let object = json!({"c": [{"name": "a"}, {"name": "x/y", "v": {"p[q=r]": 1}}], "n": [[{"name": "z"}]]});
        let path = format!("/c{}/v/p[q=r]", part("name", "x/y"));
        assert_eq!(path, "/c[name=x~1y]/v/p[q=r]");
        assert_eq!(at_path(&object, &path), Some(&json!(1)));
        assert_eq!(pointer(&object, &path).unwrap(), "/c/1/v/p[q=r]");
        assert_eq!(pointer(&object, "/c[name=a]/gone/further").unwrap(), "/c/0/gone/further");
        assert_eq!(pointer(&object, "/c[name=b]/v"), None);
        assert_eq!(at_path(&object, "/n/0[name=z]/name"), Some(&json!("z")));
        assert_eq!(at_path(&object, "/c[name=b]"), None);
    }

    #[test]
    fn what_is_copied_comes_where_the_source_has_it() {
        let source = json!({"c": [{"name": "a"}, {"name": "b", "v": 2}, {"name": "c"}]});
        let mut value =
            json!({"c": [{"name": "own"}, {"name": "a"}, {"name": "old"}, {"name": "c", "v": 1}]});
        for path in ["/c[name=b]", "/c[name=own]", "/c[name=old]", "/c[name=c]/v", "/d"] {
            assert!(copy(&mut value, &source, path));
        }
        assert_eq!(value, source);
        let source = json!({"c": [{"name": "new"}, {"name": "a"}]});
        assert!(copy(&mut value, &source, "/c[name=new]"));
        assert_eq!(value["c"][0], json!({"name": "new"}));
    }

    #[test]
    fn brackets_in_what_a_list_or_an_entry_is_called_do_not_mislead() {
        let of = |v: u8| json!({"a[0]": [{"name": "x[port=1]", "v": v}]});
        let (mut value, source) = (of(1), of(2));
        let path = format!("/a[0]{}/v", part("name", "x[port=1]"));
        assert_eq!(at_path(&source, &path), Some(&json!(2)));
        assert!(copy(&mut value, &source, &path));
        assert_eq!(value, source);
    }

    #[test]
    fn what_cannot_be_copied_is_told() {
        let (there, other) = (json!({"c": [{"name": "a"}], "t": "x"}), json!({"c": "none"}));
        for path in ["/c[name=a]/v", "/c[name=a]", "/gone/further", "/t/0", "no path"] {
            let mut value = other.clone();
            assert!(!copy(&mut value, &there, path), "{path}");
            assert_eq!(value, other);
        }
    }
}
