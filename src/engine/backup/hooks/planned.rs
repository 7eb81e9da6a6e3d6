//! The hooks of a backup as its plan shows them.

use serde::Serialize;

use super::HookedPod;
use crate::engine::model::duration::GoDuration;
use crate::engine::model::hooks::{ExecHook, OnError, When};

/// A command that is run in a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlannedHook {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: Option<String>,
    /// `pre`: before the snapshots of the pod's volumes; `post`: after them.
    pub when: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// `Fail` or `Continue`.
    pub on_error: String,
    /// How long it is waited for.
    pub timeout: String,
    /// Who asks for it.
    pub source: String,
    /// Why it is not run, if it is not.
    pub reason: Option<String>,
}

/// The hooks of these pods.
pub(in crate::engine::backup) fn planned(pods: &[HookedPod]) -> Vec<PlannedHook> {
    let of_pod = |pod: &HookedPod| {
        let pre = pod.pre.iter().map(|hook| (When::Pre, hook));
        let post = pod.post.iter().map(|hook| (When::Post, hook));
        pre.chain(post).map(|(when, hook)| of_hook(pod, when, hook)).collect::<Vec<_>>()
    };
    pods.iter().flat_map(of_pod).collect()
}

fn of_hook(pod: &HookedPod, when: When, hook: &ExecHook) -> PlannedHook {
    let on_error = match hook.on_error {
        OnError::Fail => "Fail",
        OnError::Continue => "Continue",
    };
    PlannedHook {
        namespace: pod.id.namespace.clone().unwrap_or_default(),
        pod: pod.id.name.clone(),
        container: hook.container.clone(),
        when: when.to_string(),
        command: hook.command.clone(),
        on_error: on_error.to_owned(),
        timeout: GoDuration::from_std(hook.timeout).to_string(),
        source: hook.source.clone(),
        reason: pod.idle.as_ref().map(|it| it.reason.clone()).or_else(|| hook.fault.clone()),
    }
}
