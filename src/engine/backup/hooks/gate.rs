//! Holds the claims of pods with hooks back until all of a group are there. Pure.

use std::collections::BTreeMap;
use std::future::ready;

use futures::{Stream, StreamExt as _, stream};

use super::super::claim::Claim;
use super::group::Group;

/// What is to be done about volumes in one go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine::backup) enum Task {
    /// A claim that no hook is about.
    Claim(Box<Claim>),
    /// Pods with hooks, and those of their claims that the backup takes.
    Group(Group, Vec<Claim>),
}

/// Turns claims, as they are found, into tasks.
///
/// Pods whose claims the backup does not take have their hooks run all the same, in the end.
pub(in crate::engine::backup) fn tasks(
    claims: impl Stream<Item = Claim>,
    groups: Vec<Group>,
) -> impl Stream<Item = Task> {
    let (waiting, free): (Vec<_>, Vec<_>) =
        groups.into_iter().partition(|group| !group.claims.is_empty());
    let first = free.into_iter().map(|group| Task::Group(group, Vec::new()));
    let later = claims.map(Some).chain(stream::once(ready(None)));
    let later = later.scan(Gate::new(waiting), |gate, claim| {
        ready(Some(match claim {
            Some(claim) => gate.admit(claim).into_iter().collect(),
            None => gate.rest(),
        }))
    });
    stream::iter(first.collect::<Vec<_>>()).chain(later.flat_map(stream::iter::<Vec<Task>>))
}

#[derive(Debug)]
struct Gate {
    waiting: Vec<Option<(Group, Vec<Claim>)>>,
    by_claim: BTreeMap<(String, String), usize>,
}

impl Gate {
    fn new(groups: Vec<Group>) -> Self {
        let claims = |(index, group): (usize, &Group)| {
            group.claims.iter().map(move |claim| (claim.clone(), index)).collect::<Vec<_>>()
        };
        let by_claim = groups.iter().enumerate().flat_map(claims).collect();
        let waiting = groups.into_iter().map(|group| Some((group, Vec::new()))).collect();
        Self { waiting, by_claim }
    }

    fn admit(&mut self, claim: Claim) -> Option<Task> {
        let index = self.by_claim.get(&(claim.namespace.clone(), claim.name.clone())).copied();
        let waiting = index.and_then(|index| self.waiting.get_mut(index));
        let Some(slot @ Some(_)) = waiting else { return Some(Task::Claim(Box::new(claim))) };
        let (group, claims) = slot.as_mut()?;
        claims.push(claim);
        if claims.len() < group.claims.len() {
            return None;
        }
        slot.take().map(|(group, claims)| Task::Group(group, claims))
    }

    fn rest(&mut self) -> Vec<Task> {
        let left = self.waiting.iter_mut().filter_map(Option::take);
        left.map(|(group, claims)| Task::Group(group, claims)).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::group::pod;
    use super::super::groups;
    use super::*;

    fn claim(name: &str) -> Claim {
        let meta = json!({"name": name, "namespace": "shop"});
        Claim::read(&serde_json::from_value(meta).unwrap(), &serde_json::Map::new())
    }

    /// The tasks that these claims make: names of claims, and of pods with theirs.
    async fn made(claims: &[&str], groups: Vec<Group>) -> Vec<String> {
        let claims = stream::iter(claims.iter().map(|name| claim(name)).collect::<Vec<_>>());
        let tasks: Vec<Task> = tasks(claims, groups).collect().await;
        let name = |task: &Task| match task {
            Task::Claim(claim) => claim.name.clone(),
            Task::Group(group, claims) => {
                let pods: Vec<_> = group.pods.iter().map(|pod| pod.id.name.as_str()).collect();
                let claims: Vec<_> = claims.iter().map(|claim| claim.name.as_str()).collect();
                format!("{}: {}", pods.join(" "), claims.join(" "))
            }
        };
        tasks.iter().map(name).collect()
    }

    #[tokio::test]
    async fn claims_of_pods_with_hooks_wait_for_one_another_and_others_for_nobody() {
        let groups = groups(&[pod("a", &["x", "y"]), pod("b", &[]), pod("c", &["z", "gone"])]);
        assert_eq!(
            made(&["x", "other", "z", "y", "last"], groups).await,
            ["b: ", "other", "a: x y", "last", "c: z"]
        );
    }

    #[tokio::test]
    async fn without_hooks_every_claim_is_a_task_at_once() {
        assert_eq!(made(&["x", "y"], Vec::new()).await, ["x", "y"]);
    }
}
