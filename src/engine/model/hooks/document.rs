//! Hooks as specifications have them: below `spec.hooks` of Velero's backups and restores.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::annotations::{backup_hooks, is_container, restore_hooks};
use super::error::Error;
use super::hook::{ExecHook, InitHook, OnError, RestoreExec, TIMEOUT, When};
use crate::engine::model::Meta;
use crate::engine::model::duration::GoDuration;
use crate::engine::model::filter::NamespaceFilter;
use crate::engine::model::selector::Selector;

/// The words for pods, the only kind that has hooks.
const PODS: [&str; 5] = ["*", "pods", "pod", "po", "Pod"];

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Document {
    resources: Option<Vec<Resource>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Resource {
    name: String,
    included_namespaces: Option<Vec<String>>,
    excluded_namespaces: Option<Vec<String>>,
    included_resources: Option<Vec<String>>,
    excluded_resources: Option<Vec<String>>,
    label_selector: Option<Selector>,
    pre: Option<Vec<BackupHook>>,
    post: Option<Vec<BackupHook>>,
    post_hooks: Option<Vec<RestoreHook>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BackupHook {
    exec: Exec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RestoreHook {
    exec: Option<Exec>,
    init: Option<Init>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Exec {
    container: Option<String>,
    command: Vec<String>,
    on_error: Option<OnError>,
    /// Of a backup's hook.
    timeout: Option<GoDuration>,
    /// Of a restore's.
    #[serde(rename = "execTimeout")]
    timeout_of_restore: Option<GoDuration>,
    wait_timeout: Option<GoDuration>,
    wait_for_ready: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Init {
    init_containers: Vec<Map<String, Value>>,
    /// Velero reads and ignores it.
    #[serde(rename = "timeout")]
    _timeout: Option<GoDuration>,
}

/// Reads the YAML of a file with hooks: what Velero has below `spec.hooks`.
pub fn parse(yaml: &str) -> Result<Map<String, Value>, Error> {
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(yaml, options).map_err(|error| {
        let reason = error.to_string().lines().collect::<Vec<_>>().join(" ");
        Error::Malformed { reason }
    })
}

/// Which pods a hook is for.
#[derive(Clone, Debug)]
struct Pods {
    name: String,
    namespaces: NamespaceFilter,
    any: bool,
    selector: Selector,
}

/// The hooks that a backup is asked to run.
#[derive(Clone, Debug, Default)]
pub struct BackupHooks(Vec<(Pods, Vec<ExecHook>, Vec<ExecHook>)>);

/// The hooks that a restore is asked to run.
#[derive(Clone, Debug, Default)]
pub struct RestoreHooks(Vec<(Pods, Vec<RestoreExec>, Vec<InitHook>)>);

/// Which of several hooks have matched a pod.
#[derive(Clone, Debug, Default)]
pub struct Matched(Vec<bool>);

impl BackupHooks {
    /// Reads what a backup's `spec.hooks` holds.
    pub fn read(hooks: &Map<String, Value>) -> Result<Self, Error> {
        let read = |resource: Resource| {
            let pods = pods(&resource)?;
            if resource.post_hooks.is_some() {
                return Err(pods.invalid("postHooks are for restores; a backup has pre and post"));
            }
            let all = |hooks: Option<Vec<BackupHook>>| -> Result<Vec<_>, Error> {
                hooks
                    .unwrap_or_default()
                    .into_iter()
                    .map(|it| before_or_after(&pods, it.exec))
                    .collect()
            };
            let (pre, post) = (all(resource.pre)?, all(resource.post)?);
            if pre.is_empty() && post.is_empty() {
                return Err(pods.invalid("it has neither pre nor post"));
            }
            Ok((pods, pre, post))
        };
        resources(hooks)?.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// What is to be run in a pod before and after its snapshots, in this order.
    ///
    /// What the pod's annotations say stands in place of all that is specified for the same moment.
    pub fn of_pod(&self, pod: &Meta, matched: &mut Matched) -> (Vec<ExecHook>, Vec<ExecHook>) {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (index, (pods, pre, post)) in self.0.iter().enumerate() {
            if pods.includes(pod.namespace.as_deref().unwrap_or_default(), &pod.labels) {
                matched.note(index);
                before.extend(pre.iter().cloned());
                after.extend(post.iter().cloned());
            }
        }
        let own = |when| backup_hooks(&pod.annotations, when).map(|own| vec![own]);
        (own(When::Pre).unwrap_or(before), own(When::Post).unwrap_or(after))
    }

    /// Fails if one of them has matched no pod.
    pub fn check(&self, matched: &Matched) -> Result<(), Error> {
        check(self.0.iter().map(|(pods, ..)| pods), matched)
    }
}

impl RestoreHooks {
    /// Reads what a restore's `spec.hooks` holds.
    pub fn read(hooks: &Map<String, Value>) -> Result<Self, Error> {
        let read = |resource: Resource| {
            let pods = pods(&resource)?;
            if resource.pre.is_some() || resource.post.is_some() {
                return Err(pods.invalid("pre and post are for backups; a restore has postHooks"));
            }
            let (mut execs, mut inits) = (Vec::new(), Vec::new());
            for hook in resource.post_hooks.unwrap_or_default() {
                match (hook.exec, hook.init) {
                    (Some(exec), None) => execs.push(after_restore(&pods, exec)?),
                    (None, Some(init)) => inits.push(containers(&pods, init)?),
                    _ => return Err(pods.invalid("each of postHooks has either exec or init")),
                }
            }
            if execs.is_empty() && inits.is_empty() {
                return Err(pods.invalid("it has no postHooks"));
            }
            Ok((pods, execs, inits))
        };
        resources(hooks)?.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// What is to be run in a pod of the target, and before its containers, in this order.
    ///
    /// What the pod's annotations say stands in place of all that is specified of the same sort.
    pub fn of_pod(
        &self,
        namespace: &str,
        pod: &Meta,
        matched: &mut Matched,
    ) -> (Vec<RestoreExec>, Vec<InitHook>) {
        let (mut execs, mut inits) = (Vec::new(), Vec::new());
        for (index, (pods, exec, init)) in self.0.iter().enumerate() {
            if pods.includes(namespace, &pod.labels) {
                matched.note(index);
                execs.extend(exec.iter().cloned());
                inits.extend(init.iter().cloned());
            }
        }
        let (exec, init) = restore_hooks(&pod.annotations);
        let (exec, init) = (exec.map(|it| vec![it]), init.map(|it| vec![it]));
        (exec.unwrap_or(execs), init.unwrap_or(inits))
    }

    /// Fails if one of them has matched no pod.
    pub fn check(&self, matched: &Matched) -> Result<(), Error> {
        check(self.0.iter().map(|(pods, ..)| pods), matched)
    }
}

impl Matched {
    fn note(&mut self, index: usize) {
        if self.0.len() <= index {
            self.0.resize(index + 1, false);
        }
        self.0[index] = true;
    }
}

impl Pods {
    fn includes(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        self.any && self.namespaces.includes(namespace) && self.selector.matches(labels)
    }

    fn invalid(&self, reason: impl Into<String>) -> Error {
        Error::Invalid { name: self.name.clone(), reason: reason.into() }
    }
}

fn resources(hooks: &Map<String, Value>) -> Result<Vec<Resource>, Error> {
    let document: Document = serde_json::from_value(Value::Object(hooks.clone()))
        .map_err(|error| Error::Malformed { reason: error.to_string() })?;
    Ok(document.resources.unwrap_or_default())
}

fn pods(resource: &Resource) -> Result<Pods, Error> {
    let name = resource.name.clone();
    let invalid = |reason: String| Error::Invalid { name: name.clone(), reason };
    if name.is_empty() {
        return Err(invalid("it has no name".to_owned()));
    }
    let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
    let namespaces = NamespaceFilter::new(
        &list(&resource.included_namespaces),
        &list(&resource.excluded_namespaces),
    )
    .map_err(|error| invalid(error.to_string()))?;
    let names_pods = |list: &[String]| list.iter().any(|it| PODS.contains(&it.as_str()));
    let (included, excluded) =
        (list(&resource.included_resources), list(&resource.excluded_resources));
    let any = (included.is_empty() || names_pods(&included)) && !names_pods(&excluded);
    let selector = resource.label_selector.clone().unwrap_or_default();
    Ok(Pods { name, namespaces, any, selector })
}

fn before_or_after(pods: &Pods, exec: Exec) -> Result<ExecHook, Error> {
    let Exec { timeout_of_restore, wait_timeout, wait_for_ready, timeout, .. } = exec;
    if timeout_of_restore.is_some() || wait_timeout.is_some() || wait_for_ready.is_some() {
        return Err(pods.invalid(
            "execTimeout, waitTimeout and waitForReady are for restores; a backup's has timeout",
        ));
    }
    hook(pods, exec.container, exec.command, exec.on_error.unwrap_or(OnError::Fail), timeout)
}

fn after_restore(pods: &Pods, exec: Exec) -> Result<RestoreExec, Error> {
    if exec.timeout.is_some() {
        return Err(pods.invalid("timeout is for backups; a restore's has execTimeout"));
    }
    let wait = time(pods, exec.wait_timeout)?;
    let on_error = exec.on_error.unwrap_or(OnError::Continue);
    let wait_for_ready = exec.wait_for_ready == Some(true);
    let exec = hook(pods, exec.container, exec.command, on_error, exec.timeout_of_restore)?;
    Ok(RestoreExec { exec, wait, wait_for_ready })
}

fn hook(
    pods: &Pods,
    container: Option<String>,
    command: Vec<String>,
    on_error: OnError,
    timeout: Option<GoDuration>,
) -> Result<ExecHook, Error> {
    if command.is_empty() {
        return Err(pods.invalid("its command is empty"));
    }
    let timeout = time(pods, timeout)?.unwrap_or(TIMEOUT);
    let container = container.filter(|name| !name.is_empty());
    let source = format!("hook \"{}\"", pods.name);
    Ok(ExecHook { source, is_own: false, container, command, on_error, timeout, fault: None })
}

/// A time that was given; Velero writes zero where none was.
fn time(pods: &Pods, given: Option<GoDuration>) -> Result<Option<Duration>, Error> {
    let Some(given) = given else { return Ok(None) };
    match given.to_std() {
        Some(time) => Ok(Some(time).filter(|it| !it.is_zero())),
        None => Err(pods.invalid(format!("{given} is no time to wait"))),
    }
}

fn containers(pods: &Pods, init: Init) -> Result<InitHook, Error> {
    let containers = init.init_containers;
    if containers.is_empty() {
        return Err(pods.invalid("it has no initContainers"));
    }
    if containers.iter().any(|it| !is_container(&Value::Object(it.clone()))) {
        return Err(pods.invalid("each of its initContainers needs a name and an image"));
    }
    Ok(InitHook { source: format!("hook \"{}\"", pods.name), containers })
}

fn check<'a>(all: impl Iterator<Item = &'a Pods>, matched: &Matched) -> Result<(), Error> {
    let mut unmatched =
        all.enumerate().filter(|(index, _)| !matched.0.get(*index).copied().unwrap_or(false));
    match unmatched.next() {
        Some((_, pods)) => Err(Error::MatchesNothing { name: pods.name.clone() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    fn backup(resource: &Value) -> Result<BackupHooks, Error> {
        BackupHooks::read(&map(&json!({"resources": [resource]})))
    }

    fn restore(resource: &Value) -> Result<RestoreHooks, Error> {
        RestoreHooks::read(&map(&json!({"resources": [resource]})))
    }

    fn pod(namespace: &str, label: &str, annotations: &Value) -> Meta {
        let meta = json!({"name": "db-0", "namespace": namespace, "labels": {"app": label},
            "annotations": annotations});
        serde_json::from_value(meta).unwrap()
    }

    fn exec(command: &str) -> Value {
        json!({"exec": {"command": [command]}})
    }

    fn commands(hooks: &[ExecHook]) -> Vec<&str> {
        hooks.iter().map(|hook| hook.command[0].as_str()).collect()
    }

    #[test]
    fn a_hook_is_for_the_pods_that_its_namespaces_and_labels_name() {
        let hooks = backup(&json!({"name": "freeze", "includedNamespaces": ["shop*"],
            "labelSelector": {"matchLabels": {"app": "db"}}, "pre": [exec("a"), exec("b")],
            "post": [exec("c")]}));
        let (hooks, mut matched) = (hooks.unwrap(), Matched::default());
        for other in [pod("other", "db", &json!({})), pod("shop", "web", &json!({}))] {
            assert_eq!(hooks.of_pod(&other, &mut matched), (vec![], vec![]));
        }
        let unmatched = hooks.check(&matched).unwrap_err();
        assert_eq!(unmatched.to_string(), "hook \"freeze\" matches no pod");
        let (pre, post) = hooks.of_pod(&pod("shop-1", "db", &json!({})), &mut matched);
        assert_eq!((commands(&pre), commands(&post)), (vec!["a", "b"], vec!["c"]));
        assert_eq!((pre[0].on_error, pre[0].timeout), (OnError::Fail, TIMEOUT));
        assert!(hooks.check(&matched).is_ok());
    }

    #[test]
    fn a_pods_own_hook_stands_in_place_of_those_specified_for_the_same_moment() {
        let hooks = backup(&json!({"name": "x", "pre": [exec("a")], "post": [exec("c")]}));
        let own = json!({"pre.hook.backup.velero.io/command": "own"});
        let mut matched = Matched::default();
        let (pre, post) = hooks.unwrap().of_pod(&pod("shop", "db", &own), &mut matched);
        assert_eq!((commands(&pre), commands(&post)), (vec!["own"], vec!["c"]));
    }

    #[test]
    fn a_hook_that_is_for_no_pods_matches_nothing() {
        for (key, value) in [("includedResources", "deployments"), ("excludedResources", "pods")] {
            let hooks = backup(&json!({"name": "x", key: [value], "pre": [exec("a")]})).unwrap();
            let mut matched = Matched::default();
            assert!(hooks.of_pod(&pod("shop", "db", &json!({})), &mut matched).0.is_empty());
            assert!(hooks.check(&matched).is_err(), "{key}");
        }
    }

    #[test]
    fn a_restore_has_commands_and_containers() {
        let init = json!({"init": {"timeout": "2m",
            "initContainers": [{"name": "a", "image": "b", "volumeMounts": []}]}});
        let run = json!({"exec": {"command": ["x"], "waitTimeout": "5m", "execTimeout": "1m",
            "waitForReady": true, "onError": "Fail", "container": "db"}});
        let hooks = restore(&json!({"name": "x", "postHooks": [run, init]})).unwrap();
        let mut matched = Matched::default();
        let (execs, inits) = hooks.of_pod("copy", &pod("shop", "db", &json!({})), &mut matched);
        let expected = (Some(Duration::from_mins(5)), true, OnError::Fail);
        assert_eq!((execs[0].wait, execs[0].wait_for_ready, execs[0].exec.on_error), expected);
        assert_eq!(inits[0].containers[0]["image"], "b");
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        for bad in [
            json!({"pre": [exec("a")]}),
            json!({"name": "x"}),
            json!({"name": "x", "pre": [{"exec": {"command": []}}]}),
            json!({"name": "x", "pre": [{"exec": {"command": ["a"], "timeout": "-1s"}}]}),
            json!({"name": "x", "pre": [{"exec": {"command": ["a"], "onError": "fail"}}]}),
            json!({"name": "x", "pre": [{"exec": {"command": ["a"], "waitTimeout": "1s"}}]}),
            json!({"name": "x", "pre": [{"exec": {"command": ["a"], "shell": true}}]}),
            json!({"name": "x", "pre": [exec("a")], "excludedNamespaces": ["*"]}),
            json!({"name": "x", "postHooks": [exec("a")]}),
        ] {
            assert!(backup(&bad).is_err(), "{bad}");
        }
        for bad in [
            json!({"name": "x", "pre": [exec("a")]}),
            json!({"name": "x", "postHooks": [{}]}),
            json!({"name": "x", "postHooks": [{"exec": {"command": ["a"], "timeout": "1s"}}]}),
            json!({"name": "x", "postHooks": [{"init": {"initContainers": [{"name": "a"}]}}]}),
        ] {
            assert!(restore(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_time_of_zero_is_none() {
        let zero = json!({"exec": {"command": ["x"], "timeout": "0s"}});
        let hooks = backup(&json!({"name": "x", "pre": [zero]})).unwrap();
        let pre = |annotations| {
            hooks.of_pod(&pod("s", "db", &annotations), &mut Matched::default()).0.remove(0)
        };
        assert_eq!(pre(json!({})).timeout, TIMEOUT);
        let own = pre(json!({"pre.hook.backup.velero.io/command": "own",
            "pre.hook.backup.velero.io/timeout": "0s"}));
        assert_eq!((own.timeout, own.fault), (TIMEOUT, None));
        let zero = json!({"exec": {"command": ["x"], "execTimeout": "0s", "waitTimeout": "0s"}});
        let hooks = restore(&json!({"name": "x", "postHooks": [zero]})).unwrap();
        let (execs, _) = hooks.of_pod("s", &pod("s", "db", &json!({})), &mut Matched::default());
        assert_eq!((execs[0].exec.timeout, execs[0].wait), (TIMEOUT, None));
    }

    #[test]
    fn what_velero_writes_where_there_are_none_is_none() {
        for none in [json!({}), json!({"resources": null}), json!({"resources": []})] {
            assert!(BackupHooks::read(&map(&none)).unwrap().0.is_empty());
            assert!(RestoreHooks::read(&map(&none)).unwrap().0.is_empty());
        }
    }
}
