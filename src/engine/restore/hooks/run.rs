//! Runs commands in restored pods: those of a pod one after the other, pods side by side.

use std::time::Duration;

use bowline_api::GroupResource;
use futures::{StreamExt as _, stream};
use serde_json::Value;
use tokio::time::Instant;

use super::find::PodHooks;
use super::progress::Done;
use crate::engine::clock::pause;
use crate::engine::cluster::Object;
use crate::engine::context::hooks;
use crate::engine::model::Kind;
use crate::engine::model::fields::{at, text_at};
use crate::engine::model::hooks::{
    ExecHook, OnError, RestoreExec, When, container, is_ready, is_running,
};
use crate::engine::report::{Problem, chain};
use crate::engine::restore::execute::Execution;
use crate::engine::stop::Stop;

/// How often it is looked whether a container runs.
const INTERVAL: Duration = Duration::from_millis(500);
/// How long a container is waited for where neither the hook nor the restore says.
const WAIT: Duration = Duration::from_mins(10);

/// Runs all hooks. What goes wrong is an error of the restore, not the end of it.
pub(in crate::engine::restore) async fn run(execution: &Execution<'_>) {
    let Some(kind) = execution.ready.catalog.get(&GroupResource::core("pods")) else { return };
    stream::iter(&execution.plan.hooks)
        .map(|hooks| InPod { execution, kind, hooks }.run())
        .buffer_unordered(execution.context.limits.volumes)
        .collect::<()>()
        .await;
}

/// The hooks of one pod.
struct InPod<'a> {
    execution: &'a Execution<'a>,
    kind: &'a Kind,
    hooks: &'a PodHooks,
}

impl InPod<'_> {
    async fn run(self) {
        if self.hooks.reason.is_some() {
            // Told with the plan.
            return;
        }
        for (index, exec) in self.hooks.execs.iter().enumerate() {
            let Err(message) = self.step(index, exec).await else { continue };
            self.execution.hooks.note(false);
            let problem = Problem::of_item(&self.hooks.id, "run post hook", message);
            let hint = format!(
                "when the cause is mended, bowline restore resume {} runs it again, also where it \
                 was run by hand meanwhile",
                self.execution.request.name
            );
            self.execution.journal.error(problem.with_hint(hint));
            if exec.exec.on_error == OnError::Fail {
                return;
            }
        }
    }

    /// Runs one of them, unless an interrupted run of this restore did.
    async fn step(&self, index: usize, exec: &RestoreExec) -> Result<(), String> {
        let (pod, container) = self.ready(exec).await?;
        let restore = &self.execution.plan.preparation.restore_uid;
        let mut done = Done::of(&pod, restore);
        if done.has(index) {
            return Ok(());
        }
        let Execution { context, journal, .. } = self.execution;
        let hook = ExecHook { container: Some(container), ..exec.exec.clone() };
        hooks::run(context, journal, &self.hooks.id, When::Post, &hook).await?;
        // Before anything else is awaited: a stop that waited for the command waits for its mark, too.
        let _underway = context.stop.go_on();
        self.execution.hooks.note(true);
        done.note(index);
        self.mark(&done.patch(restore)).await;
        Ok(())
    }

    /// Waits until the container can take a command.
    async fn ready(&self, exec: &RestoreExec) -> Result<(Object, String), String> {
        let asked = self.execution.request.ready_timeout;
        let default = if asked.is_zero() { WAIT } else { asked };
        let wait = exec.wait.unwrap_or(default);
        let started = Instant::now();
        loop {
            let lacking = match self.look().await? {
                Some(pod) => match self.takes(exec, &pod)? {
                    Ok(container) => return Ok((pod, container)),
                    Err(lacking) => lacking,
                },
                None => "the pod does not exist".to_owned(),
            };
            if started.elapsed() >= wait {
                let seconds = wait.as_secs();
                return Err(format!("post hook was not run: {lacking} for {seconds} s"));
            }
            pause(INTERVAL).await;
        }
    }

    async fn look(&self) -> Result<Option<Object>, String> {
        let id = &self.hooks.id;
        let cluster = &self.execution.context.cluster;
        let found = cluster.get(self.kind, id.namespace.as_deref(), &id.name).await;
        found.map_err(|error| format!("post hook was not run: {}", chain(&error)))
    }

    /// The container that takes the command, or what it lacks. Fails if it never will.
    fn takes(&self, exec: &RestoreExec, pod: &Object) -> Result<Result<String, String>, String> {
        let name = container(pod, exec.exec.container.as_deref())?;
        if let Some(phase @ ("Succeeded" | "Failed")) = text_at(pod, &["status", "phase"]) {
            return Err(format!("post hook was not run: the pod is {phase}"));
        }
        if at(pod, &["metadata", "deletionTimestamp"]).is_some() {
            return Ok(Err("the pod is being deleted".to_owned()));
        }
        // As in Velero: if one hook of a container waits for it to be ready, all do.
        let same = |it: &&RestoreExec| {
            container(pod, it.exec.container.as_deref()).is_ok_and(|it| it == name)
        };
        let must_be_ready = self.hooks.execs.iter().filter(same).any(|it| it.wait_for_ready);
        Ok(if must_be_ready && !is_ready(pod, &name) {
            Err(format!("container {name} is not ready"))
        } else if !is_running(pod, &name) {
            Err(format!("container {name} does not run"))
        } else {
            Ok(name)
        })
    }

    /// Notes in the pod what was run, even where a stop was asked for meanwhile.
    async fn mark(&self, patch: &Value) {
        let id = &self.hooks.id;
        let cluster = self.execution.context.cluster.clone().heeding(&Stop::default());
        let marked = cluster.merge_patch(self.kind, id.namespace.as_deref(), &id.name, patch).await;
        if let Err(error) = marked {
            let message = format!("that its hook ran cannot be noted: {}", chain(&error));
            self.execution.journal.warn(Problem::of_item(id, "run post hook", message));
        }
    }
}
