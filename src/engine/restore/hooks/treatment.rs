//! What hooks change about a pod before it is made. Pure.

use serde_json::Value;

use crate::engine::model::Object;
use crate::engine::model::fields::{map_at_mut, retain, text_at};
use crate::engine::model::hooks::InitHook;
use crate::engine::restore::actions::Draft;

/// How an object is made that has hooks, or whose pods have.
#[derive(Clone, Debug, Default)]
pub(in crate::engine::restore) struct Treatment {
    /// Containers to run before its own.
    pub init: Vec<InitHook>,
    /// Whether it comes without its owners, so that its controller adopts it.
    pub adopted: bool,
    /// What is run in it later, in words.
    pub notes: Vec<String>,
}

/// Puts the containers of its hooks first, and says what else hooks mean for an object.
pub(in crate::engine::restore) fn apply(draft: &mut Draft<'_>) {
    let Some(treatment) = draft.context.hooks.get(draft.id) else { return };
    let containers: Vec<&Object> = treatment.init.iter().flat_map(|it| &it.containers).collect();
    put_first(&mut draft.object, &containers);
    for hook in &treatment.init {
        for name in hook.containers.iter().filter_map(|it| text_at(it, &["name"])) {
            draft.note(format!("init container {name} put first ({})", hook.source));
        }
    }
    treatment.notes.iter().for_each(|note| draft.note(note.clone()));
}

/// Whether an object comes without its owners: its controller finds it, and makes it its own.
pub(in crate::engine::restore) fn is_adopted(draft: &mut Draft<'_>) -> bool {
    let is_adopted = draft.context.hooks.get(draft.id).is_some_and(|it| it.adopted);
    if is_adopted {
        draft.note("made without its owner, which adopts it");
    }
    is_adopted
}

/// A container that an earlier restore put there under the same name gives way.
fn put_first(pod: &mut Object, containers: &[&Object]) {
    let names: Vec<_> = containers.iter().filter_map(|it| it.get("name")).collect();
    if names.is_empty() {
        return;
    }
    retain(pod, &["spec", "initContainers"], |it| {
        it.get("name").is_none_or(|name| !names.contains(&name))
    });
    let Some(spec) = map_at_mut(pod, &["spec"]) else { return };
    let all = spec.entry("initContainers").or_insert_with(|| Value::Array(Vec::new()));
    if let Some(all) = all.as_array_mut() {
        all.splice(0..0, containers.iter().map(|it| Value::Object((*it).clone())));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: &Value) -> Object {
        value.as_object().cloned().unwrap()
    }

    fn names(pod: &Object) -> Vec<&str> {
        let all = pod["spec"]["initContainers"].as_array().unwrap();
        all.iter().map(|it| it["name"].as_str().unwrap()).collect()
    }

    #[test]
    fn containers_of_hooks_come_first_in_their_order_and_none_twice() {
        let (one, two) = (object(&json!({"name": "one"})), object(&json!({"name": "two"})));
        let mut pod = object(&json!({"spec": {"initContainers": [{"name": "own"}]}}));
        put_first(&mut pod, &[&one, &two]);
        assert_eq!(names(&pod), ["one", "two", "own"]);
        put_first(&mut pod, &[&two]);
        assert_eq!(names(&pod), ["two", "one", "own"]);
        let mut bare = object(&json!({"spec": {"containers": []}}));
        put_first(&mut bare, &[&one]);
        assert_eq!(names(&bare), ["one"]);
        let mut other = object(&json!({"spec": {}}));
        put_first(&mut other, &[]);
        assert_eq!(other, object(&json!({"spec": {}})));
    }
}
