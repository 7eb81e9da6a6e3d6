//! Whether a pod can come back itself, and what must with it. Pure.

use crate::engine::model::Meta;
use crate::engine::model::hooks::restores_itself;
use crate::engine::restore::owners::ByUid;
use crate::engine::restore::plan::Verdict;
use crate::engine::restore::row::Row;

/// What stands above a pod.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chain {
    /// The owners between it and the one that somebody wrote, which come back before that one.
    pub between: Vec<usize>,
    /// The one that somebody wrote.
    pub top: Option<usize>,
}

/// The owners of a pod, up to the one that somebody wrote.
///
/// Says why if the pod is left to its controller: that cannot take it for its own, or is there
/// already and has made its pods.
pub(super) fn owners(rows: &[Row<'_>], by_uid: &ByUid, pod: &Meta) -> Result<Chain, String> {
    restores_itself(pod)?;
    let (mut chain, mut controller) = (Chain::default(), pod.controller());
    while let Some(&index) = controller.and_then(|owner| by_uid.get(&owner.uid)) {
        let owner = &rows[index];
        if owner.verdict != Verdict::Create {
            return Err(format!("its controller {} is not made by this restore", owner.entry.id()));
        }
        controller = owner.controller();
        if controller.is_none() {
            chain.top = Some(index);
            break;
        }
        chain.between.push(index);
        // A pod, its ReplicaSet, its Deployment, and whatever made that: no chain is longer.
        if chain.between.len() > 4 {
            break;
        }
    }
    Ok(chain)
}
