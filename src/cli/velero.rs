//! What hands that know Velero or kubectl type, and bowline does not have: what to use instead. The
//! one table of that.

use std::error::Error;

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};

/// A flag of Velero's.
struct Flag {
    /// As it is typed, `--wait`; a short one besides, `-w`.
    names: &'static [&'static str],
    /// The values that ask for what happens anyway; a flag with such values is accepted with them.
    accepted: &'static [&'static str],
    /// What to use instead.
    hint: &'static str,
}

const NO_SERVER: &str = "there is no server in the cluster; leave it out";
const NO_DATA: &str = "bowline copies no files of volumes, it takes snapshots; leave it out";
const NO_TLS: &str =
    "set it on the location: bowline location create NAME --url 's3://...?caCert=FILE'";
const SCHEDULED: &str = "make a schedule: bowline schedule create NAME --schedule '0 2 * * *' ...";

const FLAGS: &[Flag] = &[
    Flag {
        names: &["--wait", "-w"],
        accepted: &["true"],
        hint: "bowline does the work itself and always waits; to go on meanwhile, let the shell \
               run it in the background",
    },
    Flag {
        names: &["--snapshot-move-data"],
        accepted: &["false"],
        hint: "data stays in the volumes' snapshots, and no data mover is needed; leave it out",
    },
    Flag { names: &["--default-volumes-to-fs-backup"], accepted: &["false"], hint: NO_DATA },
    Flag { names: &["--write-sparse-files"], accepted: &["false"], hint: NO_DATA },
    Flag { names: &["--data-mover"], accepted: &[], hint: NO_DATA },
    Flag { names: &["--parallel-files-upload"], accepted: &[], hint: NO_DATA },
    Flag { names: &["--parallel-files-download"], accepted: &[], hint: NO_DATA },
    Flag {
        names: &["--csi-snapshot-timeout"],
        accepted: &[],
        hint: "snapshots are awaited until they end; leave it out, and should the wait be \
               interrupted, bowline backup finish NAME goes on",
    },
    Flag {
        names: &["--item-operation-timeout"],
        accepted: &[],
        hint: "nothing goes on in the background; leave it out",
    },
    Flag {
        names: &["--use-owner-references-in-backup"],
        accepted: &["false"],
        hint: "neither schedules nor backups are objects of the cluster; backups stay when their \
               schedule is deleted; leave it out",
    },
    Flag {
        names: &["--skip-immediately"],
        accepted: &["true"],
        hint: "a schedule fires nothing before its time; bowline schedule trigger NAME makes a \
               backup at once",
    },
    Flag { names: &["--schedule", "--paused"], accepted: &[], hint: SCHEDULED },
    Flag {
        names: &["--namespace", "-n"],
        accepted: &[],
        hint: "bowline keeps nothing in the cluster; to choose what is taken, use \
               --include-namespaces",
    },
    Flag {
        names: &["--all-namespaces", "-A"],
        accepted: &[],
        hint: "backups are in no namespace: all of the location are listed",
    },
    Flag { names: &["--features"], accepted: &[], hint: NO_SERVER },
    Flag { names: &["--client-only"], accepted: &[], hint: NO_SERVER },
    Flag {
        names: &["--timeout"],
        accepted: &[],
        hint: "--request-timeout bounds what the API server may take",
    },
    Flag {
        names: &["--colorized"],
        accepted: &[],
        hint: "colour is only for terminals; NO_COLOR=1 turns it off",
    },
    Flag { names: &["--cacert"], accepted: &[], hint: NO_TLS },
    Flag {
        names: &["--insecure-skip-tls-verify"],
        accepted: &["false"],
        hint: "name the authority instead: bowline location create NAME --url 's3://...?caCert=FILE'",
    },
    Flag {
        names: &["--credential"],
        accepted: &[],
        hint: "credentials come from AWS's own chain; a location may name a profile or a \
               credentialsFile (--config profile=NAME)",
    },
    Flag {
        names: &["--access-mode"],
        accepted: &[],
        hint: "give read-only credentials instead; restores need no more",
    },
    Flag {
        names: &["--backup-sync-period", "--validation-frequency"],
        accepted: &[],
        hint: "the location is read when it is needed; leave it out",
    },
    Flag {
        names: &["-v", "--v", "--logtostderr", "--alsologtostderr", "--vmodule"],
        accepted: &[],
        hint: "--log-level debug tells more",
    },
];

/// Words that are no command here, and what to use instead.
const WORDS: &[(&[&str], &str)] = &[
    (
        &["install", "uninstall", "server", "node-agent"],
        "there is nothing to install: bowline runs from a kubeconfig, with --storage-location",
    ),
    (
        &["snapshot-location", "snapshot-locations"],
        "who makes a volume's snapshot follows from the volume; there is nothing to set up",
    ),
    (&["plugin", "plugins"], "all providers are built in; there is nothing to add"),
    (&["repo", "repos"], "data is kept in snapshots; there are no repositories to look after"),
    (
        &["debug", "bug"],
        "the backup's log and the output of bowline backup describe NAME --details tell most",
    ),
    (&["client"], "locations have names in config.toml: bowline location create NAME --url URL"),
    (&["set"], "delete the location and create it anew; what is kept there stays"),
];

/// Other words for commands.
const SYNONYMS: &[(&str, &str)] = &[
    ("show", "describe"),
    ("status", "describe"),
    ("inspect", "describe"),
    ("ls", "get"),
    ("rm", "delete"),
    ("remove", "delete"),
    ("make", "create"),
    ("new", "create"),
    ("run", "create"),
    ("resume", "create"),
    ("log", "logs"),
    ("validate", "check"),
];

/// What to use instead of a flag; `typed` may have its value behind it, as the parser shows it.
pub(super) fn instead_of_flag(typed: &str) -> Option<&'static str> {
    let end = typed.find(['=', '[', ' ']).unwrap_or(typed.len());
    let found = FLAGS.iter().find(|flag| flag.names.contains(&&typed[..end]));
    found.map(|flag| flag.hint)
}

/// What to use instead of a word that is no command.
pub(super) fn instead_of_word(typed: &str) -> Option<&'static str> {
    WORDS.iter().find(|(words, _)| words.contains(&typed)).map(|(_, hint)| *hint)
}

/// The command that a word is another one for.
pub(super) fn synonym(typed: &str) -> Option<&'static str> {
    SYNONYMS.iter().find(|(word, _)| *word == typed).map(|(_, command)| *command)
}

/// The flags of Velero's that ask for what happens anyway: taken and not looked at any more.
#[derive(Clone, Copy, Debug)]
pub struct Accepted;

impl clap::Args for Accepted {
    fn augment_args(command: Command) -> Command {
        FLAGS
            .iter()
            .filter(|flag| !flag.accepted.is_empty())
            .fold(command, |command, flag| command.arg(argument(flag)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Accepted {
    fn from_arg_matches(_: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self)
    }

    fn update_from_arg_matches(&mut self, _: &ArgMatches) -> Result<(), clap::Error> {
        Ok(())
    }
}

fn argument(flag: &'static Flag) -> Arg {
    let is_switch = ["true", "false"].contains(&flag.accepted[0]);
    let long = flag.names[0].trim_start_matches('-');
    let arg = Arg::new(long)
        .long(long)
        .action(ArgAction::Set)
        .value_name(if is_switch { "BOOL" } else { "VALUE" })
        .value_parser(move |value: &str| accept(flag, value))
        .hide(true);
    let arg = match flag.names.get(1).and_then(|short| short.chars().nth(1)) {
        Some(short) => arg.short(short),
        None => arg,
    };
    if is_switch {
        arg.num_args(0..=1).require_equals(true).default_missing_value("true")
    } else {
        arg
    }
}

fn accept(flag: &Flag, value: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    if flag.accepted.contains(&value) {
        return Ok(());
    }
    let accepted = flag.accepted.join(" or ");
    Err(format!("\"{value}\" is not supported, only {accepted}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_known_however_it_was_typed() {
        for typed in ["--wait", "-w", "--wait=false", "--wait[=<BOOL>]", "--wait x"] {
            assert!(instead_of_flag(typed).unwrap().contains("always waits"), "{typed}");
        }
        assert_eq!(instead_of_flag("--waiting"), None);
        assert_eq!(instead_of_flag("--paused"), Some(SCHEDULED));
        assert_eq!(synonym("ls"), Some("get"));
    }

    #[test]
    fn no_word_has_two_answers() {
        let flags = FLAGS.iter().flat_map(|flag| flag.names);
        let words = WORDS.iter().flat_map(|(words, _)| *words);
        let mut all: Vec<_> = flags.chain(words).chain(SYNONYMS.iter().map(|(it, _)| it)).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
