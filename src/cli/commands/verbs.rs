//! The commands with the verb first, `bowline get backups`, as Velero and kubectl have them.
//!
//! The table of that: each is the command with the noun first, word for word.

use clap::Subcommand;

use super::{backup, location, restore, schedule};
use crate::cli::args::Command;

/// Makes a verb of the nouns that it can have, in plural and singular, and says which command each
/// of them is.
macro_rules! verb {
    ($(#[$doc:meta])* $verb:ident {
        $($noun:ident($plural:literal, $aliases:expr, $module:ident, $args:ty),)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Subcommand)]
        pub enum $verb {
            $(#[command(name = $plural, visible_aliases = $aliases)] $noun($args),)*
        }

        impl From<$verb> for Command {
            fn from(verb: $verb) -> Self {
                match verb {
                    $($verb::$noun(args) => Self::$noun($module::Command::$verb(args)),)*
                }
            }
        }
    };
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    #[command(subcommand, hide = true)]
    Get(Get),
    #[command(subcommand, hide = true)]
    Describe(Describe),
    #[command(subcommand, hide = true)]
    Create(Create),
    #[command(subcommand, hide = true)]
    Resume(Resume),
    #[command(subcommand, hide = true)]
    Pause(Pause),
    #[command(subcommand, hide = true)]
    Unpause(Unpause),
    #[command(subcommand, hide = true)]
    Delete(Delete),
}

impl From<Verb> for Command {
    fn from(verb: Verb) -> Self {
        match verb {
            Verb::Get(verb) => verb.into(),
            Verb::Describe(verb) => verb.into(),
            Verb::Create(verb) => verb.into(),
            Verb::Resume(verb) => verb.into(),
            Verb::Pause(verb) => verb.into(),
            Verb::Unpause(verb) => verb.into(),
            Verb::Delete(verb) => verb.into(),
        }
    }
}

const BACKUPS: [&str; 1] = ["backup"];
const RESTORES: [&str; 1] = ["restore"];
const SCHEDULES: [&str; 1] = ["schedule"];
const LOCATIONS: [&str; 3] = ["location", "backup-locations", "backup-location"];

verb! {
    /// List things: the same as with the noun first
    Get {
        Backup("backups", BACKUPS, backup, backup::GetArgs),
        Restore("restores", RESTORES, restore, restore::GetArgs),
        Schedule("schedules", SCHEDULES, schedule, schedule::GetArgs),
        Location("locations", LOCATIONS, location, location::GetArgs),
    }
}

verb! {
    /// Show all that is known of things: the same as with the noun first
    Describe {
        Backup("backups", BACKUPS, backup, backup::DescribeArgs),
        Restore("restores", RESTORES, restore, restore::DescribeArgs),
        Schedule("schedules", SCHEDULES, schedule, schedule::DescribeArgs),
    }
}

verb! {
    /// Make things: the same as with the noun first
    Create {
        Backup("backup", ["backups"], backup, Box<backup::CreateArgs>),
        Restore("restore", ["restores"], restore, Box<restore::CreateArgs>),
        Schedule("schedule", ["schedules"], schedule, Box<schedule::CreateArgs>),
        Location(
            "location",
            ["locations", "backup-location", "backup-locations"],
            location,
            location::CreateArgs
        ),
    }
}

verb! {
    /// Go on with things: the same as with the noun first
    Resume {
        Restore("restores", RESTORES, restore, restore::ResumeArgs),
    }
}

verb! {
    /// Pause things: the same as with the noun first
    Pause {
        Schedule("schedules", SCHEDULES, schedule, schedule::PauseArgs),
    }
}

verb! {
    /// Unpause things: the same as with the noun first
    Unpause {
        Schedule("schedules", SCHEDULES, schedule, schedule::UnpauseArgs),
    }
}

verb! {
    /// Delete things: the same as with the noun first
    Delete {
        Backup("backups", BACKUPS, backup, backup::DeleteArgs),
        Restore("restores", RESTORES, restore, restore::DeleteArgs),
        Schedule("schedules", SCHEDULES, schedule, schedule::DeleteArgs),
        Location("locations", LOCATIONS, location, location::DeleteArgs),
    }
}
