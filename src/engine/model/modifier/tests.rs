use bowline_api::ItemId;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::engine::model::policy::Origin;

fn read(yaml: &str) -> Result<Modifiers, String> {
    let origin = Origin::File("m.yaml".to_owned());
    Modifiers::read(origin, yaml).map_err(|error| format!("{}; {}", error.fault, error.hint()))
}

fn rule(conditions: &str, change: &str) -> String {
    format!("version: v1\nresourceModifierRules:\n- conditions: {conditions}\n  {change}\n")
}

/// What all rules make of an object, one after the other.
fn applied(modifiers: &Modifiers, id: &str, object: Value) -> Result<Value, String> {
    let id: ItemId = id.parse().map_err(|_| id.to_owned())?;
    let original = object.clone();
    modifiers.rules().iter().filter(|rule| rule.conditions.hold(&id, &original)).try_fold(
        object,
        |object, rule| match rule.apply(&id, &object) {
            Ok(changed) => Ok(changed.unwrap_or(object)),
            Err(unfit) => Err(unfit.to_string()),
        },
    )
}

fn patched(patches: &str, object: Value) -> Result<Value, String> {
    let yaml = rule("{groupResource: deployments.apps}", &format!("patches: {patches}"));
    applied(&read(&yaml)?, "deployments.apps/shop/web", object)
}

fn merged(patch: &Value, object: Value) -> Result<Value, String> {
    let data = Value::from(patch.to_string());
    let change = format!("strategicPatches: [{{patchData: {data}}}]");
    let yaml = rule("{groupResource: deployments.apps}", &change);
    applied(&read(&yaml)?, "deployments.apps/shop/web", object)
}

#[test]
fn the_example_of_veleros_documentation_does_what_it_says() {
    let yaml = r#"
version: v1
resourceModifierRules:
- conditions:
    groupResource: persistentvolumeclaims
    resourceNameRegex: "^mysql.*$"
    namespaces:
    - bar
    - foo
    labelSelector:
      matchLabels:
        foo: bar
  patches:
  - operation: replace
    path: "/spec/storageClassName"
    value: "premium"
  - operation: remove
    path: "/metadata/labels/test"
"#;
    let modifiers = read(yaml).unwrap();
    let claim = json!({"metadata": {"labels": {"foo": "bar", "test": "x"}},
        "spec": {"storageClassName": "standard"}});
    let changed = json!({"metadata": {"labels": {"foo": "bar"}},
        "spec": {"storageClassName": "premium"}});
    let of = |id: &str, claim: &Value| applied(&modifiers, id, claim.clone()).unwrap();
    assert_eq!(of("persistentvolumeclaims/foo/mysql-0", &claim), changed);
    assert_eq!(of("persistentvolumeclaims/other/mysql-0", &claim), claim);
    assert_eq!(of("persistentvolumeclaims/foo/web-mysql", &claim), claim);
    assert_eq!(of("configmaps/foo/mysql-0", &claim), claim);
    let unlabelled = json!({"spec": {"storageClassName": "standard"}});
    assert_eq!(of("persistentvolumeclaims/foo/mysql-0", &unlabelled), unlabelled);
}

#[test]
fn kinds_are_matched_by_patterns_that_stop_at_a_dot() {
    let holds = |pattern: &str, id: &str| {
        let yaml =
            rule(&format!("{{groupResource: {pattern:?}}}"), "mergePatches: [{patchData: '{}'}]");
        read(&yaml).unwrap().rules()[0].conditions.hold(&id.parse().unwrap(), &json!({}))
    };
    assert!(holds("*", "pods/a/b") && !holds("*", "deployments.apps/a/b"));
    assert!(holds("*.apps", "deployments.apps/a/b") && !holds("*.apps", "pods/a/b"));
    assert!(holds("*.*", "pods/a/b") && holds("*.*", "ingresses.networking.k8s.io/a/b"));
    assert!(!holds("pods", "pods.metrics.k8s.io/a/b"));
}

#[test]
fn a_condition_on_namespaces_holds_of_what_is_in_none() {
    let yaml =
        rule("{groupResource: \"*.*\", namespaces: [a]}", "mergePatches: [{patchData: '{}'}]");
    let modifiers = read(&yaml).unwrap();
    let holds = |id: &str| modifiers.rules()[0].conditions.hold(&id.parse().unwrap(), &json!({}));
    assert!(holds("pods/a/x") && !holds("pods/b/x") && holds("persistentvolumes/x"));
}

#[test]
fn all_conditions_look_at_the_object_as_it_was() {
    let yaml = r#"
version: v1
resourceModifierRules:
- conditions: {groupResource: pods, matches: [{path: /spec/a, value: "1"}]}
  patches: [{operation: replace, path: /spec/a, value: "2"}]
- conditions: {groupResource: pods, matches: [{path: /spec/a, value: "2"}]}
  patches: [{operation: replace, path: /spec/a, value: "3"}]
- conditions: {groupResource: pods, matches: [{path: /spec/absent, value: "1"}]}
  patches: [{operation: replace, path: /spec/a, value: "4"}]
"#;
    let changed = applied(&read(yaml).unwrap(), "pods/a/b", json!({"spec": {"a": 1}})).unwrap();
    assert_eq!(changed, json!({"spec": {"a": 2}}));
}

#[test]
fn a_value_is_the_json_that_its_text_holds_or_else_text() {
    let value = |text: &str| {
        let patch = format!("[{{operation: add, path: /v, value: {text}}}]");
        patched(&patch, json!({})).unwrap()["v"].clone()
    };
    assert_eq!(value("premium"), "premium");
    assert_eq!(value("'1'"), json!(1));
    assert_eq!(value("1"), json!(1));
    assert_eq!(value("true"), json!(true));
    assert_eq!(value("'null'"), Value::Null);
    assert_eq!(value(r#"'"1"'"#), "1");
    assert_eq!(value(r#"'{"a": ["b"]}'"#), json!({"a": ["b"]}));
    assert_eq!(value("''"), "");
    assert_eq!(value("1.27-alpine"), "1.27-alpine");
    assert_eq!(value("infinite"), "infinite");
    assert_eq!(value(r"'a\nb'"), "a\nb");
}

#[test]
fn a_test_that_does_not_hold_leaves_the_rule_out_and_a_place_that_is_missing_does_not_fit() {
    let test = "{operation: test, path: /spec/class, value: a}";
    let patches = |more: &str| format!("[{more}, {{operation: add, path: /spec/new, value: x}}]");
    let object = |class: &str| json!({"spec": {"class": class}});
    assert_eq!(patched(&patches(test), object("a")).unwrap()["spec"]["new"], "x");
    assert_eq!(patched(&patches(test), object("b")).unwrap(), object("b"));
    assert_eq!(patched(&patches(test), json!({})).unwrap(), json!({}));
    let remove = "{operation: remove, path: /spec/absent}";
    let error = patched(&patches(remove), object("a")).unwrap_err();
    assert_eq!(error, "patches[0]: remove /spec/absent: there is no such place");
    let moved = "{operation: move, from: /spec/absent, path: /spec/b}";
    let error = patched(&patches(moved), object("a")).unwrap_err();
    assert!(error.starts_with("patches[0]: move /spec/absent to /spec/b: "), "{error}");
}

#[test]
fn merge_patches_add_replace_and_remove() {
    let yaml = rule(
        "{groupResource: widgets.example.com}",
        "mergePatches:\n  - patchData: |\n      spec:\n        a: null\n        list: [2]\n  - patchData: '{\"b\": 1}'",
    );
    let object = json!({"spec": {"a": 1, "list": [1, 3], "c": 2}});
    let changed = applied(&read(&yaml).unwrap(), "widgets.example.com/a/b", object).unwrap();
    assert_eq!(changed, json!({"b": 1, "spec": {"c": 2, "list": [2]}}));
}

fn deployment() -> Value {
    json!({"metadata": {"finalizers": ["a", "b"]}, "spec": {"strategy": {"type": "Recreate"},
        "template": {"spec": {
            "tolerations": [{"key": "a"}],
            "volumes": [{"name": "data", "emptyDir": {}}],
            "containers": [
                {"name": "web", "image": "nginx:1", "env": [{"name": "A", "value": "1"}],
                    "ports": [{"containerPort": 80, "name": "http"}]},
                {"name": "log", "image": "log:1"}]}}}})
}

#[test]
fn strategic_patches_merge_lists_by_the_names_of_their_elements() {
    let patch = json!({"spec": {"template": {"spec": {
        "tolerations": [{"key": "b"}],
        "containers": [
            {"name": "log", "image": "log:2"},
            {"name": "web", "env": [{"name": "B", "value": "2"}, {"name": "A", "value": null}],
                "ports": [{"containerPort": 80, "protocol": "TCP"}]},
            {"name": "new", "image": "new:1"}]}}}});
    let changed = merged(&patch, deployment()).unwrap();
    let spec = &changed["spec"]["template"]["spec"];
    let expected = json!([
        {"name": "log", "image": "log:2"},
        {"name": "web", "image": "nginx:1", "env": [{"name": "B", "value": "2"}, {"name": "A"}],
            "ports": [{"containerPort": 80, "name": "http", "protocol": "TCP"}]},
        {"name": "new", "image": "new:1"}]);
    assert_eq!(spec["containers"], expected);
    assert_eq!(spec["tolerations"], json!([{"key": "b"}]));
    assert_eq!(spec["volumes"], deployment()["spec"]["template"]["spec"]["volumes"]);
}

#[test]
fn elements_that_a_patch_does_not_name_stay_where_they_were_and_new_ones_come_first() {
    let names = |patch: &Value| {
        let pod = json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}});
        let pod = merged(&json!({"spec": {"containers": patch}}), pod).unwrap();
        let names = pod["spec"]["containers"].as_array().unwrap().iter();
        names.map(|it| it["name"].as_str().unwrap().to_owned()).collect::<String>()
    };
    assert_eq!(names(&json!([{"name": "n"}])), "nabc");
    assert_eq!(names(&json!([{"name": "b", "image": "x"}])), "abc");
    assert_eq!(names(&json!([{"name": "c"}, {"name": "a"}])), "bca");
}

#[test]
fn directives_delete_and_replace() {
    let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]},
        "spec": {"strategy": {"$patch": "replace", "rollingUpdate": {}}, "template": {"spec": {
            "volumes": [{"$patch": "replace"}, {"name": "x"}],
            "containers": [{"name": "log", "$patch": "delete"}]}}}});
    let changed = merged(&patch, deployment()).unwrap();
    let finalizers = changed["metadata"]["finalizers"].as_array().unwrap();
    assert!(
        !finalizers.contains(&json!("a")) && finalizers.contains(&json!("c")),
        "{finalizers:?}"
    );
    assert_eq!(changed["spec"]["strategy"], json!({"rollingUpdate": {}}));
    let spec = &changed["spec"]["template"]["spec"];
    assert_eq!(spec["volumes"], json!([{"name": "x"}]));
    assert_eq!(spec["containers"].as_array().unwrap().len(), 1);
    let gone = merged(&json!({"spec": {"strategy": {"$patch": "delete"}}}), deployment()).unwrap();
    assert_eq!(gone["spec"].get("strategy"), None);
}

#[test]
fn a_strategic_patch_needs_names_and_a_kind_of_the_api_servers_own() {
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}});
    let error = merged(&patch, deployment()).unwrap_err();
    assert_eq!(error, "strategicPatches[0]: an element of containers has no name");
    let yaml = rule("{groupResource: \"*.*\"}", "strategicPatches: [{patchData: '{\"a\": 1}'}]");
    let modifiers = read(&yaml).unwrap();
    let error = applied(&modifiers, "widgets.example.com/a/b", json!({})).unwrap_err();
    assert!(error.ends_with("use mergePatches"), "{error}");
    let service = json!({"spec": {"ports": [{"port": 80, "name": "a"}]}});
    let yaml = rule(
        "{groupResource: services}",
        "strategicPatches: [{patchData: '{\"spec\": {\"ports\": [{\"port\": 80, \"nodePort\": 30080}]}}'}]",
    );
    let changed = applied(&read(&yaml).unwrap(), "services/a/b", service).unwrap();
    assert_eq!(changed["spec"]["ports"], json!([{"port": 80, "name": "a", "nodePort": 30080}]));
}

#[test]
fn what_velero_would_ignore_or_stumble_over_is_refused() {
    let on = |change: &str| rule("{groupResource: pods}", change);
    let remove = "patches: [{operation: remove, path: /a}]";
    for (yaml, fault) in [
        ("version: v2\nresourceModifierRules: []".to_owned(), "version: \"v2\" is not a version"),
        ("version: v1".to_owned(), "it holds no resourceModifierRules"),
        (rule("{groupKind: pods}", remove), "conditions.groupKind: there is no such field"),
        (rule("{namespaces: [a]}", remove), "it has no groupResource"),
        (rule("{groupResource: pods, resourceNameRegex: '('}", remove), "resourceNameRegex: "),
        (rule("{groupResource: pods, labelSelector: {app: web}}", remove), "labelSelector.app: "),
        (
            rule("{groupResource: pods, matches: [{path: /a}]}", remove),
            "matches[0]: it has no path",
        ),
        (on(""), "it changes nothing"),
        (on("patches: []"), "patches: it is empty"),
        (
            on(&format!("mergePatches: [{{patchData: '{{}}'}}]\n  {remove}")),
            "either patches or merge",
        ),
        (on("patches: [{operation: Remove, path: /a}]"), "there is no operation \"Remove\""),
        (on("patches: [{operation: remove, path: a}]"), "\"a\" is not a path"),
        (on("patches: [{operation: remove, path: /a~2}]"), "\"/a~2\" is not a path"),
        (on("patches: [{operation: add, path: /a}]"), "it has no value"),
        (on("patches: [{operation: move, path: /a}]"), "it has no from"),
        (on("patches: [{operation: add, path: /a, value: {b: c}}]"), "a value must be text"),
        (on("patches: [{operation: add, path: /a, value: '{b'}]"), "is not JSON"),
        (on("patches: [{operation: add, path: /a, value: '007'}]"), "is not JSON"),
        (on("mergePatches: [{patchBytes: x}]"), "mergePatches[0].patchBytes: there is no such"),
        (on("mergePatches: [{patchData: '[1]'}]"), "it must hold a map"),
        (on("strategicPatches: [{patchData: '{\"$retainKeys\": []}'}]"), "\"$retainKeys\" is not"),
        (on("strategicPatches: [{patchData: '{\"$patch\": \"drop\"}'}]"), "there is no directive"),
    ] {
        let error = read(&yaml).unwrap_err();
        assert!(error.contains(fault), "{error}\n{yaml}");
    }
}

#[test]
fn what_changed_is_told_by_the_smallest_places() {
    let before = json!({"a": {"b": 1, "c": [1, 2]}, "gone": {"x": 1}, "same": {}});
    let after = json!({"a": {"b": 2, "c": [1, 3]}, "new": {"d/e": {"f": 1}}, "same": {}});
    let expected = ["/a/b", "/a/c/1", "/new/d~1e/f", "/gone/x"];
    assert_eq!(changed_paths(&before, &after), expected);
    assert_eq!(changed_paths(&json!({"a": [1]}), &json!({"a": [1, 2]})), ["/a"]);
    assert_eq!(changed_paths(&json!({"a": 1}), &json!({"a": null})), ["/a"]);
    assert_eq!(changed_paths(&json!({}), &json!({"a": null})), ["/a"]);
    assert_eq!(changed_paths(&json!({"a": 1}), &json!(1)), [""]);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i8>().prop_map(Value::from),
        "[a-c]?".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let key = prop::sample::select(vec!["a", "name", "containers", "ports", "$patch"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(key.prop_map(str::to_owned), inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_differs_differs_somewhere(before in any_json(), after in any_json()) {
        prop_assert_eq!(changed_paths(&before, &after).is_empty(), before == after);
    }

    #[test]
    fn a_strategic_patch_takes_any_object_and_once_is_as_good_as_twice(
        mut object in any_json(), patch in any_json(),
    ) {
        if strategic::fault(&patch).is_none() && strategic::merge(&mut object, &patch).is_ok() {
            let once = object.clone();
            prop_assert!(strategic::merge(&mut object, &patch).is_ok());
            prop_assert_eq!(once, object);
        }
    }
}
