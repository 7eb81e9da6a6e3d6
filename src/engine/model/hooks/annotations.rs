//! Hooks in the annotations of a pod.
//!
//! See <https://velero.io/docs/main/backup-hooks/> and <https://velero.io/docs/main/restore-hooks/>.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::hook::{ExecHook, InitHook, OnError, RestoreExec, TIMEOUT, When};
use crate::engine::model::duration::GoDuration;

/// The annotation of a restored pod that names the restore whose hooks ran in it.
pub const RESTORED: &str = "bowline.io/hooks-of";

const PRE: &str = "pre.hook.backup.velero.io";
const POST: &str = "post.hook.backup.velero.io";
/// The older name of the first.
const LEGACY: &str = "hook.backup.velero.io";
const EXEC: &str = "post.hook.restore.velero.io";
const INIT: &str = "init.hook.restore.velero.io";
/// The name of an init container where none is said. Velero's ends in random letters.
const INIT_NAME: &str = "velero-restore-init";

type Annotations = BTreeMap<String, String>;

/// The hook of a pod around its backup, which stands above all that are specified.
pub(super) fn backup_hooks(annotations: &Annotations, when: When) -> Option<ExecHook> {
    let prefixes: &[&str] = match when {
        When::Pre => &[PRE, LEGACY],
        When::Post => &[POST],
    };
    let prefix = prefixes.iter().find(|prefix| value(annotations, prefix, "command").is_some())?;
    exec(annotations, prefix, "timeout", OnError::Fail)
}

/// The hook of a pod after its restore, and the containers to run before its own.
pub(super) fn restore_hooks(annotations: &Annotations) -> (Option<RestoreExec>, Option<InitHook>) {
    let exec = exec(annotations, EXEC, "exec-timeout", OnError::Continue).map(|exec| {
        let mut exec = exec;
        let wait = duration(annotations, EXEC, "wait-timeout", &mut exec.fault);
        let wait_for_ready = flag(annotations, "wait-for-ready", &mut exec.fault);
        RestoreExec { exec, wait, wait_for_ready }
    });
    (exec, init(annotations))
}

fn init(annotations: &Annotations) -> Option<InitHook> {
    let image = value(annotations, INIT, "container-image")?;
    let words = command(value(annotations, INIT, "command")?);
    let name = value(annotations, INIT, "container-name").unwrap_or(INIT_NAME);
    let container = json!({"name": name, "image": image, "command": words});
    let containers = container.as_object().cloned().into_iter().collect();
    Some(InitHook { source: format!("annotation {INIT}/command"), containers })
}

fn exec(
    annotations: &Annotations,
    prefix: &str,
    timeout: &str,
    default: OnError,
) -> Option<ExecHook> {
    let command = command(value(annotations, prefix, "command")?);
    let mut fault = None;
    let timeout = duration(annotations, prefix, timeout, &mut fault).unwrap_or(TIMEOUT);
    let on_error = match value(annotations, prefix, "on-error") {
        None => default,
        Some("Continue") => OnError::Continue,
        Some("Fail") => OnError::Fail,
        Some(other) => {
            fault =
                Some(format!("annotation {prefix}/on-error is \"{other}\", not Continue or Fail"));
            default
        }
    };
    let container = value(annotations, prefix, "container").map(str::to_owned);
    let source = format!("annotation {prefix}/command");
    Some(ExecHook { source, is_own: true, container, command, on_error, timeout, fault })
}

fn value<'a>(annotations: &'a Annotations, prefix: &str, key: &str) -> Option<&'a str> {
    let value = annotations.get(&format!("{prefix}/{key}"))?;
    Some(value.as_str()).filter(|value| !value.is_empty())
}

fn duration(
    annotations: &Annotations,
    prefix: &str,
    key: &str,
    fault: &mut Option<String>,
) -> Option<Duration> {
    let text = value(annotations, prefix, key)?;
    let read = text.parse::<GoDuration>().ok().and_then(GoDuration::to_std);
    if read.is_none() {
        *fault = Some(format!("annotation {prefix}/{key} is \"{text}\", which is no time to wait"));
    }
    // Zero is how tools write that none was given.
    read.filter(|it| !it.is_zero())
}

fn flag(annotations: &Annotations, key: &str, fault: &mut Option<String>) -> bool {
    match value(annotations, EXEC, key) {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            *fault = Some(format!("annotation {EXEC}/{key} is \"{other}\", not true or false"));
            false
        }
    }
}

/// A JSON array of words, or one word: there is no shell that would split it.
fn command(text: &str) -> Vec<String> {
    let words = text.starts_with('[').then(|| serde_json::from_str::<Vec<String>>(text).ok());
    words.flatten().filter(|words| !words.is_empty()).unwrap_or_else(|| vec![text.to_owned()])
}

/// Whether an object is a container that can be added to a pod.
pub(super) fn is_container(container: &Value) -> bool {
    let has =
        |key: &str| container.get(key).and_then(Value::as_str).is_some_and(|it| !it.is_empty());
    has("name") && has("image")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotations(prefix: &str, pairs: &[(&str, &str)]) -> Annotations {
        pairs.iter().map(|(key, value)| (format!("{prefix}/{key}"), (*value).to_owned())).collect()
    }

    #[test]
    fn a_command_is_one_word_or_an_array_of_them() {
        let hook = |command| backup_hooks(&annotations(PRE, &[("command", command)]), When::Pre);
        assert_eq!(hook("/freeze now").unwrap().command, ["/freeze now"]);
        assert_eq!(hook(r#"["sh", "-c", "sync"]"#).unwrap().command, ["sh", "-c", "sync"]);
        assert_eq!(hook("[ -f x ]").unwrap().command, ["[ -f x ]"]);
        assert_eq!(hook(""), None);
    }

    #[test]
    fn a_backup_hook_fails_its_pod_after_30_seconds_unless_it_says_otherwise() {
        let pairs = annotations(POST, &[("command", "thaw")]);
        let hook = backup_hooks(&pairs, When::Post).unwrap();
        assert_eq!((hook.on_error, hook.timeout), (OnError::Fail, Duration::from_secs(30)));
        assert_eq!((hook.container, hook.fault), (None, None));
        assert_eq!(backup_hooks(&pairs, When::Pre), None);
        let pairs = annotations(
            PRE,
            &[("command", "x"), ("on-error", "Continue"), ("timeout", "1m"), ("container", "db")],
        );
        let hook = backup_hooks(&pairs, When::Pre).unwrap();
        assert_eq!((hook.on_error, hook.timeout), (OnError::Continue, Duration::from_mins(1)));
        assert_eq!(hook.container.as_deref(), Some("db"));
    }

    #[test]
    fn the_older_name_is_that_of_a_hook_before_the_backup() {
        let mut pairs = annotations(LEGACY, &[("command", "old"), ("timeout", "1s")]);
        let hook = backup_hooks(&pairs, When::Pre).unwrap();
        assert_eq!((hook.command, hook.timeout), (vec!["old".to_owned()], Duration::from_secs(1)));
        pairs.extend(annotations(PRE, &[("command", "new")]));
        let hook = backup_hooks(&pairs, When::Pre).unwrap();
        assert_eq!((hook.command, hook.timeout), (vec!["new".to_owned()], TIMEOUT));
    }

    #[test]
    fn what_cannot_be_read_makes_a_hook_that_cannot_be_run() {
        for (key, value) in [("timeout", "soon"), ("timeout", "-1s"), ("on-error", "fail")] {
            let pairs = annotations(PRE, &[("command", "x"), (key, value)]);
            let fault = backup_hooks(&pairs, When::Pre).unwrap().fault.unwrap();
            assert!(fault.contains(key) && fault.contains(value), "{fault}");
        }
        let pairs = annotations(EXEC, &[("command", "x"), ("wait-for-ready", "yes")]);
        assert!(restore_hooks(&pairs).0.unwrap().exec.fault.unwrap().contains("wait-for-ready"));
    }

    #[test]
    fn a_restore_hook_goes_on_after_a_failure_unless_it_says_otherwise() {
        let pairs = annotations(
            EXEC,
            &[("command", "x"), ("wait-timeout", "5s"), ("wait-for-ready", "true")],
        );
        let (exec, init) = restore_hooks(&pairs);
        let exec = exec.unwrap();
        assert_eq!(exec.exec.on_error, OnError::Continue);
        assert_eq!((exec.wait, exec.wait_for_ready), (Some(Duration::from_secs(5)), true));
        assert_eq!(init, None);
    }

    #[test]
    fn an_init_container_needs_an_image_and_a_command() {
        let mut pairs = annotations(INIT, &[("container-image", "busybox")]);
        assert_eq!(restore_hooks(&pairs).1, None);
        pairs.extend(annotations(INIT, &[("command", r#"["sh", "-c", "x"]"#)]));
        let init = restore_hooks(&pairs).1.unwrap();
        let expected = json!({"name": INIT_NAME, "image": "busybox", "command": ["sh", "-c", "x"]});
        assert_eq!(Value::Object(init.containers[0].clone()), expected);
    }
}
