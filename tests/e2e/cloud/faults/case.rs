//! One fault at one kind of call.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bowline_testkit::faults::{Fault, Injected, Rule};

use super::machine::Machine;

/// Long enough to change the order of things.
const DELAY: Duration = Duration::from_millis(300);

/// A kind of call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    in_ec2: bool,
    name: String,
    /// Whether it only asks whether it may.
    is_dry_run: bool,
}

/// What befalls the calls of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// The first one takes its time.
    Delayed,
    /// The first ones are too many.
    Throttled,
    /// The first one has its effect, but no reply.
    ReplyLost,
    /// The first one has its effect, but half a reply.
    ReplyTruncated,
    /// All are refused for want of rights.
    Refused,
    /// The first one is granted, all others are refused.
    RefusedLater,
}

/// One fault at one kind of call.
#[derive(Clone, Debug)]
pub(super) struct Case {
    kind: Kind,
    trouble: Trouble,
}

impl Trouble {
    const ALL: [Self; 6] = [
        Self::Delayed,
        Self::Throttled,
        Self::ReplyLost,
        Self::ReplyTruncated,
        Self::Refused,
        Self::RefusedLater,
    ];

    fn rule(self, kind: &str) -> Rule {
        match self {
            Self::Delayed => Rule::new(kind, Fault::Delay(DELAY)).nth(1),
            Self::Throttled => Rule::new(kind, Fault::Throttle { retry_after: None }).nth(1),
            Self::ReplyLost => Rule::new(kind, Fault::LoseReply).nth(1),
            Self::ReplyTruncated => Rule::new(kind, Fault::Truncate).nth(1),
            Self::Refused => Rule::new(kind, Fault::Refuse),
            Self::RefusedLater => Rule::new(kind, Fault::Refuse).after(1),
        }
    }
}

impl Case {
    /// Everything that can befall the calls that a machine has made.
    pub(super) fn all(machine: &Machine<'_>) -> Vec<Self> {
        let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
        for (in_ec2, proxy) in [(false, &machine.s3), (true, &machine.ec2)] {
            for call in proxy.calls() {
                let is_dry_run = call.is_dry_run();
                *kinds.entry(Kind { in_ec2, name: call.kind, is_dry_run }).or_default() += 1;
            }
        }
        let cases = kinds.into_iter().flat_map(|(kind, calls)| {
            let troubles = Trouble::ALL.into_iter();
            let possible = troubles.filter(move |it| *it != Trouble::RefusedLater || calls > 1);
            possible.map(move |trouble| Self { kind: kind.clone(), trouble })
        });
        cases.collect()
    }

    /// Whether a backup or a restore makes such a call however long it takes: they delete nothing but
    /// the pieces of their logs, which are written only by a run of some seconds.
    pub(super) fn is_certain(&self) -> bool {
        self.kind.name != "DeleteObject"
    }

    /// Lets it happen from now on.
    pub(super) fn befall(&self, machine: &Machine<'_>) -> Injected {
        let rule = self.trouble.rule(&self.kind.name);
        let rule = if self.kind.is_dry_run { rule } else { rule.except_dry_runs() };
        let proxy = if self.kind.in_ec2 { &machine.ec2 } else { &machine.s3 };
        proxy.inject(rule)
    }

    /// The exit code of a run that it befell: what passes is survived; what is refused ends the run,
    /// or costs it what EC2 was asked for.
    ///
    /// `optional` are the kinds of call that a run can do without.
    pub(super) fn exit(&self, has_written: bool, optional: &[&str]) -> i32 {
        let refused = matches!(self.trouble, Trouble::Refused | Trouble::RefusedLater);
        match (refused, has_written) {
            (false, _) => 0,
            _ if optional.contains(&self.kind.name.as_str()) => 0,
            _ if optional.contains(&self.to_string().as_str()) => 0,
            (true, false) => 5,
            (true, true) if self.kind.in_ec2 => 3,
            (true, true) => 1,
        }
    }

    /// Whether nobody knows the id of an upload, which has no parts and goes with its backup.
    pub(super) fn loses_an_upload(&self) -> bool {
        let lost = matches!(self.trouble, Trouble::ReplyLost | Trouble::ReplyTruncated);
        lost && self.kind.name == "CreateMultipartUpload"
    }

    /// A name for what is made in this case.
    pub(super) fn name(&self) -> String {
        self.to_string().to_lowercase().replace(' ', "-")
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dry = if self.kind.is_dry_run { " dry" } else { "" };
        write!(f, "{}{dry} {:?}", self.kind.name, self.trouble)
    }
}
