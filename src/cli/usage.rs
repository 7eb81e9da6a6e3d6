//! What the parser answers: help, or what is wrong with what was typed.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory as _, Error, ValueEnum as _};

use super::advice::did_you_mean;
use super::args::Cli;
use super::error::CliError;
use super::exit::Exit;
use super::output::OutputFormat;
use super::style::Style;
use super::velero;

/// Prints the parser's answer. Help is data; all else is wrong usage, told as any error is.
pub(super) fn answer(error: &Error, args: &[OsString], style: Style) -> Exit {
    let exit = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Done,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Exit::Usage,
        _ => return misuse(error, args).tell(format(args), style),
    };
    // Where this fails there is no one left to tell.
    drop(error.print());
    exit
}

fn misuse(error: &Error, args: &[OsString]) -> CliError {
    let arg = word(error, ContextKind::InvalidArg);
    let instead = arg.and_then(velero::instead_of_flag);
    let told = match (error.kind(), error.source(), arg) {
        (ErrorKind::ValueValidation, Some(source), Some(arg)) => {
            CliError::of(source).within(format!("{arg} is not valid"))
        }
        (ErrorKind::UnknownArgument, _, Some(arg)) if instead.is_some() => {
            CliError::new(Exit::Usage, format!("there is no {arg} here"))
        }
        _ => CliError::new(Exit::Usage, message(error)),
    };
    let hint = told.hint.clone().or_else(|| instead.map(ToOwned::to_owned));
    let hint = hint.or_else(|| other_word(error, args)).or_else(|| suggestion(error));
    let known = word(error, ContextKind::InvalidSubcommand).map_or(args, |it| before(it, args));
    let hint = hint.unwrap_or_else(|| format!("see {} --help", command_line(known)));
    told.with_hint(hint).with_exit(Exit::Usage)
}

fn word(error: &Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind)? {
        ContextValue::String(word) => Some(word),
        _ => None,
    }
}

/// What to use instead of a word that is no command, but one elsewhere.
fn other_word(error: &Error, args: &[OsString]) -> Option<String> {
    let typed = word(error, ContextKind::InvalidSubcommand)?;
    let root = Cli::command();
    let here = commands(&root, before(typed, args)).pop()?;
    let synonym = velero::synonym(typed).filter(|word| here.find_subcommand(word).is_some());
    synonym.map(did_you_mean).or_else(|| velero::instead_of_word(typed).map(ToOwned::to_owned))
}

/// The parser's own words, up to its tips and its usage, in one line.
fn message(error: &Error) -> String {
    let text = error.render().to_string();
    let words = text.split("\n\n").next().unwrap_or_default().split_whitespace();
    words.skip_while(|word| *word == "error:").collect::<Vec<_>>().join(" ")
}

/// What was perhaps meant; of several words the parser has the nearest last.
fn suggestion(error: &Error) -> Option<String> {
    use ContextKind::{SuggestedArg, SuggestedSubcommand, SuggestedValue};
    [SuggestedArg, SuggestedSubcommand, SuggestedValue].iter().find_map(|kind| {
        match error.get(*kind)? {
            ContextValue::String(word) => Some(did_you_mean(word)),
            ContextValue::Strings(words) => words.last().map(|word| did_you_mean(word)),
            _ => None,
        }
    })
}

/// The commands among what was typed: `bowline backup create`.
fn command_line(args: &[OsString]) -> String {
    let root = Cli::command();
    commands(&root, args).iter().map(|it| it.get_name()).collect::<Vec<_>>().join(" ")
}

/// What was typed before the word that is no command.
fn before<'a>(unknown: &str, args: &'a [OsString]) -> &'a [OsString] {
    args.split(|arg| arg == unknown).next().unwrap_or_default()
}

/// The commands that were typed, each a sub-command of the one before.
fn commands<'a>(root: &'a Command, args: &[OsString]) -> Vec<&'a Command> {
    let mut commands = vec![root];
    let mut command = root;
    for word in args.iter().skip(1) {
        if let Some(found) = command.find_subcommand(word) {
            commands.push(found);
            command = found;
        }
    }
    commands
}

/// In which form the answer is wanted, as far as that can be made out.
fn format(args: &[OsString]) -> OutputFormat {
    let words: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    let words = words.split(|word| word == "--").next().unwrap_or_default();
    let given = words.iter().enumerate().find_map(|(index, word)| match word.as_ref() {
        "-o" | "--output" => words.get(index + 1).map(AsRef::as_ref),
        word => word.strip_prefix("--output=").or_else(|| {
            let value = word.strip_prefix("-o")?;
            Some(value.strip_prefix('=').unwrap_or(value))
        }),
    });
    given.and_then(|word| OutputFormat::from_str(word, false).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn typed(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn refusal(line: &str) -> (String, String) {
        let args = typed(line);
        let told = misuse(&Cli::try_parse_from(&args).unwrap_err(), &args);
        assert_eq!(told.exit, Exit::Usage, "{line}");
        ([vec![told.message], told.causes].concat().join(": "), told.hint.unwrap())
    }

    #[test]
    fn a_slip_of_the_keyboard_is_answered_with_what_was_meant() {
        for (line, message, hint) in [
            ("bowline backup crate x", "unrecognized subcommand 'crate'", "\"create\""),
            (
                "bowline backup create x --include-namespace y",
                "unexpected argument '--include-namespace' found",
                "\"--include-namespaces\"",
            ),
            (
                "bowline backup get -o jsn",
                "invalid value 'jsn' for '--output <FORMAT>' [possible values: table, json, yaml]",
                "\"json\"",
            ),
        ] {
            assert_eq!(refusal(line), (message.to_owned(), format!("did you mean {hint}?")));
        }
    }

    #[test]
    fn without_a_better_hint_the_help_of_the_very_command_is_named() {
        let (message, hint) = refusal("bowline --quiet restores create");
        let missing = "the following required arguments were not provided: --from-backup <BACKUP>";
        assert_eq!(
            (message.as_str(), hint.as_str()),
            (missing, "see bowline restore create --help")
        );
        let (message, hint) = refusal("bowline backup create x --ttl 0s");
        let refused = "--ttl <DURATION> is not valid: 0s must be longer than nothing";
        assert_eq!(
            (message.as_str(), hint.as_str()),
            (refused, "see bowline backup create --help")
        );
    }

    #[test]
    fn a_value_that_the_engine_refuses_comes_with_its_advice() {
        let (message, hint) = refusal("bowline backup create x --ttl 30d");
        let expected =
            "--ttl <DURATION> is not valid: \"30d\" is not a duration: there is no unit \"d\"";
        assert_eq!(message, expected);
        assert!(hint.contains("a day is 24h"), "{hint}");
    }

    #[test]
    fn the_form_is_made_out_however_it_was_typed() {
        for line in [
            "x -o json --bad",
            "x --bad --output json",
            "x -ojson",
            "x -o=json",
            "x --output=json",
            "x -o json -- -o yaml",
        ] {
            assert_eq!(format(&typed(line)), OutputFormat::Json, "{line}");
        }
        for line in ["x", "x -o", "x -o xml", "x -- -o json", "x --output-file json"] {
            assert_eq!(format(&typed(line)), OutputFormat::Table, "{line}");
        }
    }
}
