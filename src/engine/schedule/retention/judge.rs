//! Which of all backups stay.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::buckets::{Kept, apply};
use super::candidate::{Candidate, Policy};
use super::reason::{Reason, Verdict};
use crate::engine::model::schedule::HoldRecord;
use crate::engine::report::Phase;

/// What is to become of a backup, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What is to become of it.
    pub verdict: Verdict,
    /// Why; more than one rule may keep it.
    pub reasons: Vec<Reason>,
}

/// The backups of one schedule and one cluster, by their places, the newest first.
struct Group<'a> {
    all: &'a [Candidate],
    members: Vec<usize>,
    /// What the schedule says about them, if its rules are for this cluster.
    policy: Option<&'a Policy>,
    has_foreign_rules: bool,
    now: Timestamp,
}

/// By the place of a backup, the rules that keep it.
type Ruled = BTreeMap<usize, Vec<Kept>>;

/// Tells what is to become of each of these backups.
///
/// `policies` are by the name of the schedule, `held` by that of the backup.
pub fn judge(
    all: &[Candidate],
    policies: &BTreeMap<String, Policy>,
    held: &BTreeMap<String, HoldRecord>,
    now: Timestamp,
) -> Vec<Judgement> {
    let mut judgements: Vec<_> = all.iter().map(|it| of_time(it, now)).collect();
    for (group, members) in groups(all) {
        let policy = policies.get(group.0).filter(|policy| !policy.keep.is_empty());
        let own = policy.filter(|policy| Some(policy.cluster_uid.as_str()) == group.1);
        let has_foreign_rules = policy.is_some() && own.is_none();
        let group = Group { all, members, policy: own, has_foreign_rules, now };
        for (place, judgement) in group.judgements() {
            judgements[place] = judgement;
        }
    }
    for (candidate, judgement) in all.iter().zip(&mut judgements) {
        if let Some(hold) = held.get(&candidate.name).filter(|hold| hold.uid == candidate.uid) {
            let held = Reason::Held { since: hold.since, why: hold.reason.clone() };
            judgement.hold(held);
        }
    }
    judgements
}

/// The backups of ours by schedule and cluster, the newest first.
fn groups(all: &[Candidate]) -> BTreeMap<(&str, Option<&str>), Vec<usize>> {
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (place, candidate) in all.iter().enumerate().filter(|(_, it)| it.is_ours) {
        if let Some(schedule) = &candidate.schedule {
            let group = (schedule.as_str(), candidate.cluster_uid.as_deref());
            groups.entry(group).or_default().push(place);
        }
    }
    for members in groups.values_mut() {
        members.sort_by_key(|place| Reverse((all[*place].time, &all[*place].name)));
    }
    groups
}

/// What is to become of a backup by nothing but its own time.
fn of_time(candidate: &Candidate, now: Timestamp) -> Judgement {
    match candidate.expiration {
        _ if !candidate.is_ours => Judgement::keep(Reason::OfVelero),
        None => Judgement::keep(Reason::Unlimited),
        Some(time) if time <= now => Judgement::remove(Reason::Expired(time)),
        Some(time) => Judgement::keep(Reason::Unexpired(time)),
    }
}

impl Group<'_> {
    fn judgements(&self) -> Vec<(usize, Judgement)> {
        let ruled = self.policy.map(|policy| self.ruled(policy));
        let last_good = self.last_good();
        let judge = |place: &usize| {
            let mut judgement = match &ruled {
                None => self.of_time(*place),
                Some(ruled) => self.of_rules(*place, ruled),
            };
            if judgement.verdict == Verdict::Remove && last_good == Some(*place) {
                judgement = Judgement::keep(Reason::LastGood);
            }
            (*place, judgement)
        };
        self.members.iter().map(judge).collect()
    }

    /// Those that ended so, and whose time has come; a clock that was wrong is no reason to let others
    /// go.
    fn ended(&self, phase: Phase) -> Vec<(usize, Timestamp)> {
        let member = |place: &usize| {
            let candidate = &self.all[*place];
            let time = candidate.time.filter(|time| *time <= self.now)?;
            (candidate.phase == phase).then_some((*place, time))
        };
        self.members.iter().filter_map(member).collect()
    }

    /// The newest that is whole, else the newest that failed in part.
    fn last_good(&self) -> Option<usize> {
        let newest = |phase| self.ended(phase).first().map(|(place, _)| *place);
        newest(Phase::Completed).or_else(|| newest(Phase::PartiallyFailed))
    }

    /// Applies the rules to those that are whole and, on their own, to those that failed in part, as
    /// far as they are newer than the oldest whole one that stays: they take the place of none.
    fn ruled(&self, policy: &Policy) -> Ruled {
        let rule = |members: &[(usize, Timestamp)]| {
            let times: Vec<_> = members.iter().map(|(_, time)| *time).collect();
            let kept = apply(&policy.keep, &times, &policy.zone, self.now);
            members.iter().map(|(place, _)| *place).zip(kept).collect::<Ruled>()
        };
        let whole = self.ended(Phase::Completed);
        let mut ruled = rule(&whole);
        let stays = |place: &usize| ruled.get(place).is_some_and(|kept| !kept.is_empty());
        let oldest = whole.iter().rfind(|(place, _)| stays(place)).map(|(_, time)| *time);
        let mut partial = self.ended(Phase::PartiallyFailed);
        partial.retain(|(_, time)| oldest.is_none_or(|oldest| *time > oldest));
        ruled.extend(rule(&partial));
        ruled
    }

    fn of_rules(&self, place: usize, ruled: &Ruled) -> Judgement {
        let candidate = &self.all[place];
        match (ruled.get(&place), candidate.time) {
            (_, None) => Judgement::keep(Reason::Undated),
            (_, Some(time)) if time > self.now => Judgement::keep(Reason::Future(time)),
            (Some(kept), _) if kept.is_empty() => Judgement::remove(Reason::NoRule),
            (Some(kept), _) => Judgement {
                verdict: Verdict::Keep,
                reasons: kept.iter().copied().map(Reason::Rule).collect(),
            },
            (None, _) if candidate.phase == Phase::PartiallyFailed => {
                Judgement::remove(Reason::Superseded)
            }
            (None, _) => Judgement::keep(Reason::Ended(candidate.phase)),
        }
    }

    fn of_time(&self, place: usize) -> Judgement {
        let judgement = of_time(&self.all[place], self.now);
        if self.has_foreign_rules && judgement.reasons == [Reason::Unlimited] {
            return Judgement::keep(Reason::OfOtherCluster);
        }
        judgement
    }
}

impl Judgement {
    fn keep(reason: Reason) -> Self {
        Self { verdict: Verdict::Keep, reasons: vec![reason] }
    }

    fn remove(reason: Reason) -> Self {
        Self { verdict: Verdict::Remove, reasons: vec![reason] }
    }

    /// The rest of the reasons stays: what would keep it without the hold, or have it go.
    fn hold(&mut self, held: Reason) {
        self.verdict = Verdict::Hold;
        self.reasons.insert(0, held);
    }
}
