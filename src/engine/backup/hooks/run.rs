//! Runs the hooks of pods around the snapshots of their volumes.

use std::collections::BTreeMap;

use bowline_api::ItemId;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::super::claim::Claim;
use super::super::error::Cause;
use super::super::outcome::{Fault, Outcome, fail};
use super::super::start::{Prepared, Work};
use super::HookedPod;
use super::find::again;
use super::group::Group;
use crate::engine::context::{Hold, hooks};
use crate::engine::model::hooks::{ExecHook, OnError, When};
use crate::engine::report::Problem;

/// Why no snapshot is taken of some claims, by namespace and name.
type Blocked = BTreeMap<(String, String), String>;

impl Work<'_> {
    /// Takes the snapshots of these claims while their pods are held still.
    ///
    /// All that needs no pod held is done before. Once a pre hook was tried the post hooks are,
    /// whatever came in between.
    pub(in crate::engine::backup) async fn take_held(
        &self,
        group: &Group,
        claims: &[Claim],
    ) -> Result<Vec<Outcome>, Cause> {
        let at_once = self.context.limits.volumes;
        let prepared = stream::iter(claims.iter().map(|claim| self.prepare(claim)));
        let prepared: Vec<Prepared<'_>> = prepared.buffered(at_once).try_collect().await?;
        if self.halt.is_called() {
            return Ok(prepared.into_iter().map(Prepared::left).collect());
        }
        let pods = group.pods.iter().map(|pod| again(self.context, self.ready, pod));
        let mut pods: Vec<_> = stream::iter(pods).buffered(at_once).collect().await;
        pods.retain(|pod| self.can_run(pod));
        let hold = self.context.holds.begin().ok_or(Cause::Interrupted)?;
        let blocked = stream::iter(pods.iter().map(|pod| self.before(&hold, pod)));
        let blocked: Vec<_> = blocked.buffer_unordered(at_once).collect().await;
        let blocked: Blocked = blocked.into_iter().flatten().collect();
        let is_ending = self.is_ending();
        let taken = prepared.into_iter().zip(claims).map(|(prepared, claim)| {
            let reason = blocked.get(&(claim.namespace.clone(), claim.name.clone()));
            self.unless_blocked(prepared, reason)
        });
        let outcomes = stream::iter(taken).buffered(at_once).collect().await;
        let is_begun = |pod: &&HookedPod| !is_ending || hold.holds(&pod.id);
        let after = pods.iter().filter(is_begun).map(|pod| self.after(&hold, pod));
        stream::iter(after).buffer_unordered(at_once).collect::<()>().await;
        if self.context.holds.is_closed() { Err(Cause::Interrupted) } else { Ok(outcomes) }
    }

    /// Whether anything can be run in a pod.
    fn can_run(&self, pod: &HookedPod) -> bool {
        let Some(idle) = &pod.idle else { return true };
        let text = format!("its hooks are not run: {}", idle.reason);
        if idle.is_over {
            self.journal.about(&pod.id, &text);
        } else {
            let problem = Problem::of_item(&pod.id, "run hooks", text);
            self.journal.warn(problem.with_hint(
                "the snapshots of its volumes may have been taken while something wrote to them",
            ));
        }
        false
    }

    /// Runs the pre hooks; tells which claims are left out if one says that its failure is one.
    async fn before(&self, hold: &Hold, pod: &HookedPod) -> Blocked {
        for hook in &pod.pre {
            if self.is_ending() {
                break;
            }
            hold.freeze(&pod.id);
            let is_done = self.hook(&pod.id, When::Pre, hook).await;
            if !is_done && hook.on_error == OnError::Fail {
                let reason = format!(
                    "no snapshot was taken: the pre hook ({}) of pod {} failed, and its onError is \
                     Fail",
                    hook.source, pod.id.name
                );
                return pod.claims.iter().map(|claim| (claim.clone(), reason.clone())).collect();
            }
        }
        Blocked::new()
    }

    /// Runs all post hooks: one that fails does not keep the next from releasing what it can.
    async fn after(&self, hold: &Hold, pod: &HookedPod) {
        for hook in &pod.post {
            self.hook(&pod.id, When::Post, hook).await;
        }
        hold.release(&pod.id);
    }

    async fn hook(&self, pod: &ItemId, when: When, hook: &ExecHook) -> bool {
        let result = hooks::run(self.context, self.journal, pod, when, hook).await;
        self.tally.note(result.is_ok());
        let Err(message) = result else { return true };
        let problem = Problem::of_item(pod, &format!("run {when} hook"), message);
        self.journal.error(problem.with_hint(match when {
            When::Pre if hook.on_error == OnError::Continue => {
                "correct the hook; its onError is Continue: snapshots were taken all the same"
            }
            When::Pre => "correct the hook; onError Continue takes the snapshots all the same",
            When::Post => "see whether the application goes on; what the pre hook began may last",
        }));
        false
    }

    async fn unless_blocked(&self, prepared: Prepared<'_>, reason: Option<&String>) -> Outcome {
        match reason {
            Some(reason) if prepared.is_wanted() => {
                let mut outcome = prepared.left();
                fail(self.journal, &mut outcome.report, Fault::of_hook(reason));
                outcome
            }
            _ => self.take(prepared).await,
        }
    }
}
