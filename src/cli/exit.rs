//! How the program ends.

use std::process::ExitCode;

use serde::{Serialize, Serializer};

use crate::engine::report::Phase;

/// The exit code, which scripts may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All of it was done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// It was asked in a way that makes no sense; nothing was tried.
    Usage = 2,
    /// Some of it failed; the report lists what.
    PartlyFailed = 3,
    /// What was named does not exist.
    NotFound = 4,
    /// The location or the cluster did not answer or refused; nothing was written.
    Unreachable = 5,
    /// A backup is not what it says.
    VerificationFailed = 6,
    /// The user stopped it.
    Interrupted = 130,
}

/// Every exit and what it means, in the words of `--help` and the manual.
pub const TABLE: [(Exit, &str); 8] = [
    (Exit::Done, "done"),
    (Exit::Failed, "failed"),
    (Exit::Usage, "wrong usage, nothing was tried"),
    (Exit::PartlyFailed, "partly failed, the report lists the items"),
    (Exit::NotFound, "no such backup, restore, schedule or location"),
    (Exit::Unreachable, "location or cluster unreachable or refused, nothing was written"),
    (Exit::VerificationFailed, "verification failed"),
    (Exit::Interrupted, "interrupted"),
];

impl Exit {
    /// The number that the caller sees.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The exit of a run that ended in this phase.
    ///
    /// A phase that is not an end is a failure: the run should have come further.
    pub fn of_phase(phase: Phase) -> Self {
        match phase {
            Phase::Completed => Self::Done,
            Phase::PartiallyFailed => Self::PartlyFailed,
            _ => Self::Failed,
        }
    }
}

/// The table as a section of `--help`.
pub fn help() -> String {
    let lines = TABLE.map(|(exit, meaning)| format!("  {:<4} {meaning}\n", exit.code()));
    format!("Exit codes:\n{}", lines.concat())
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl Serialize for Exit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scripts rely on these: a change is a break.
    #[test]
    fn the_table_has_every_exit_once_in_the_order_of_its_code() {
        assert_eq!(TABLE.map(|(exit, _)| exit.code()), [0, 1, 2, 3, 4, 5, 6, 130]);
        assert_eq!(serde_json::to_string(&Exit::Interrupted).unwrap(), "130");
    }

    #[test]
    fn only_a_completed_run_is_done() {
        assert_eq!(Exit::of_phase(Phase::Completed), Exit::Done);
        assert_eq!(Exit::of_phase(Phase::PartiallyFailed), Exit::PartlyFailed);
        for phase in [Phase::Failed, Phase::FailedValidation, Phase::InProgress, Phase::Incomplete]
        {
            assert_eq!(Exit::of_phase(phase), Exit::Failed);
        }
    }

    #[test]
    fn the_help_lists_one_exit_a_line() {
        let help = help();
        assert!(help.starts_with("Exit codes:\n  0    done\n"), "{help}");
        assert!(help.contains("\n  130  interrupted\n"), "{help}");
    }
}
