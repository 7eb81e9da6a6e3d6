//! What could be typed next: pure, from the commands and the line so far.

use clap::builder::ValueHint;
use clap::{Arg, Command, CommandFactory as _};

use super::args::Cli;

/// A line as it is being typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// The words before the one at the cursor, without the program's own.
    before: Vec<String>,
    /// The word at the cursor as far as it is typed; often empty.
    current: String,
}

/// Names that are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    Backups,
    Restores,
    Schedules,
    Locations,
    Contexts,
    Resources,
    Files,
}

/// What was typed of the flags that say where names are looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Global {
    pub storage_location: Option<String>,
    pub kubeconfig: Option<String>,
}

/// What could stand at the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Candidates {
    /// Words that are known.
    pub words: Vec<String>,
    /// Names that have to be looked up.
    pub names: Option<Names>,
    /// Where to look.
    pub global: Global,
    /// How much of the word at the cursor is before the part that is completed.
    head: usize,
}

impl Line {
    /// Parts a line into words as a shell does: at spaces that are not quoted.
    pub(super) fn read(text: &str) -> Self {
        let (mut words, mut current) = (Vec::new(), String::new());
        let mut quote = None;
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            match (quote, letter) {
                (None, '\'' | '"') => quote = Some(letter),
                (Some(open), _) if open == letter => quote = None,
                (None | Some('"'), '\\') => current.extend(letters.next()),
                (None, ' ' | '\t' | '\n') => words.push(std::mem::take(&mut current)),
                _ => current.push(letter),
            }
        }
        words.retain(|word| !word.is_empty());
        // Variables that are set for the call alone, and the program.
        let mut before = words.into_iter().skip_while(|word| word.contains('='));
        before.next();
        Self { before: before.collect(), current }
    }
}

impl Candidates {
    /// Those of `words` that begin as the word at the cursor does, in the shape that the shell wants:
    /// whole, or without what it has parted from its own `word`.
    pub(super) fn shown(&self, words: &[String], line: &Line, word: Option<&str>) -> Vec<String> {
        let (head, typed) = line.current.split_at(self.head);
        let fitting = words.iter().filter(|candidate| candidate.starts_with(typed));
        // bash takes a `:` or `=` at the cursor for a word of its own, and what follows for another.
        let parted = word.map(|word| word.trim_start_matches([':', '=']));
        let parted = parted.and_then(|word| line.current.strip_suffix(word)).unwrap_or_default();
        let whole = fitting.map(|candidate| format!("{head}{candidate}"));
        whole.map(|word| word.strip_prefix(parted).unwrap_or(&word).to_owned()).collect()
    }
}

/// What could stand at the cursor of this line.
pub(super) fn of(line: &Line) -> Candidates {
    let mut root = Cli::command();
    root.build();
    let mut place = Place::new(&root);
    line.before.iter().for_each(|word| place.pass(word));
    place.candidates(&line.current)
}

/// Where on its way through the commands a line is.
struct Place<'a> {
    path: Vec<&'a Command>,
    /// The option whose value comes next.
    awaited: Option<&'a Arg>,
    positionals: usize,
    /// Whether `--` was passed.
    no_more_options: bool,
    global: Global,
}

impl<'a> Place<'a> {
    fn new(root: &'a Command) -> Self {
        let global = Global::default();
        Self { path: vec![root], awaited: None, positionals: 0, no_more_options: false, global }
    }

    fn command(&self) -> &'a Command {
        self.path[self.path.len() - 1]
    }

    fn pass(&mut self, word: &str) {
        if let Some(option) = self.awaited.take() {
            self.note(option, word);
        } else if word == "--" {
            self.no_more_options = true;
        } else if word.starts_with('-') && word.len() > 1 && !self.no_more_options {
            self.pass_option(word);
        } else if let Some(command) = self.subcommand(word) {
            self.path.push(command);
        } else {
            self.positionals += 1;
        }
    }

    fn subcommand(&self, word: &str) -> Option<&'a Command> {
        if self.positionals > 0 { None } else { self.command().find_subcommand(word) }
    }

    fn pass_option(&mut self, word: &str) {
        let (name, value) = word.split_once('=').map_or((word, None), |(a, b)| (a, Some(b)));
        let Some(option) = self.option(name) else { return };
        match value {
            Some(value) => self.note(option, value),
            None if takes_next_word(option) => self.awaited = Some(option),
            None => {}
        }
    }

    fn option(&self, name: &str) -> Option<&'a Arg> {
        self.command().get_arguments().find(|arg| names_of_option(arg).any(|it| it == name))
    }

    fn note(&mut self, option: &Arg, value: &str) {
        match option.get_id().as_str() {
            "storage_location" => self.global.storage_location = Some(value.to_owned()),
            "kubeconfig" => self.global.kubeconfig = Some(value.to_owned()),
            _ => {}
        }
    }

    fn candidates(self, current: &str) -> Candidates {
        if let Some(option) = self.awaited {
            return self.values(option, current, 0);
        }
        if current.starts_with('-') && !self.no_more_options {
            if let Some((name, _)) = current.split_once('=')
                && let Some(option) = self.option(name)
            {
                return self.values(option, current, name.len() + 1);
            }
            let options = self.command().get_arguments().filter(|arg| !arg.is_hide_set());
            let words = options.flat_map(names_of_option).filter(|name| name.len() > 2).collect();
            return Candidates { words, global: self.global, ..Candidates::default() };
        }
        let commands = self.command().get_subcommands();
        let shown =
            commands.filter(|it| it.get_name() != "help" && (!it.is_hide_set() || is_verb(it)));
        let words: Vec<_> = shown.map(|it| it.get_name().to_owned()).collect();
        if !words.is_empty() && self.positionals == 0 {
            return Candidates { words, global: self.global, ..Candidates::default() };
        }
        let positionals: Vec<_> = self.command().get_positionals().collect();
        let next = positionals.get(self.positionals).or_else(|| positionals.last());
        match next.filter(|arg| self.positionals < positionals.len() || takes_many(arg)) {
            Some(positional) => self.values(positional, current, 0),
            None => Candidates::default(),
        }
    }

    /// The values of an argument, of which `head` bytes of the word at the cursor are no part.
    fn values(self, arg: &Arg, current: &str, head: usize) -> Candidates {
        let separator = arg.get_value_delimiter().and_then(|it| current[head..].rfind(it));
        let head = separator.map_or(head, |separator| head + separator + 1);
        let possible = arg.get_possible_values();
        let shown = possible.iter().filter(|value| !value.is_hide_set());
        let words = shown.map(|value| value.get_name().to_owned()).collect();
        Candidates { words, names: self.names(arg), global: self.global, head }
    }

    /// What an argument names, if that can be looked up.
    fn names(&self, arg: &Arg) -> Option<Names> {
        let is_of =
            |noun: &str| self.path.iter().any(|it| it.get_name().trim_end_matches('s') == noun);
        let is_new = self.path.iter().any(|it| it.get_name() == "create");
        match (arg.get_id().as_str(), arg.is_positional()) {
            ("from_backup", _) => Some(Names::Backups),
            ("from_schedule", _) => Some(Names::Schedules),
            ("storage_location", _) => Some(Names::Locations),
            ("kubecontext", _) => Some(Names::Contexts),
            (id, false) if id.ends_with("_resources") && arg.get_value_delimiter().is_some() => {
                Some(Names::Resources)
            }
            ("name" | "names" | "other" | "location", true) if !is_new => {
                let nouns = [
                    ("backup", Names::Backups),
                    ("restore", Names::Restores),
                    ("schedule", Names::Schedules),
                    ("location", Names::Locations),
                ];
                nouns.into_iter().find(|(noun, _)| is_of(noun)).map(|(_, names)| names)
            }
            _ => match arg.get_value_hint() {
                ValueHint::AnyPath | ValueHint::FilePath => Some(Names::Files),
                _ => None,
            },
        }
    }
}

fn names_of_option(arg: &Arg) -> impl Iterator<Item = String> {
    let long = arg.get_long_and_visible_aliases().unwrap_or_default();
    let short = arg.get_short_and_visible_aliases().unwrap_or_default();
    let long = long.into_iter().map(|name| format!("--{name}"));
    long.chain(short.into_iter().map(|name| format!("-{name}")))
}

fn takes_next_word(option: &Arg) -> bool {
    option.get_action().takes_values() && !option.is_require_equals_set()
}

fn takes_many(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|count| count.max_values() > 1)
}

/// The verbs are hidden from help, which has the nouns, but not from hands.
fn is_verb(command: &Command) -> bool {
    command.has_subcommands()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Candidates {
        of(&Line::read(line))
    }

    fn shown(line: &str, word: Option<&str>) -> Vec<String> {
        let line = Line::read(line);
        let candidates = of(&line);
        candidates.shown(&candidates.words, &line, word)
    }

    #[test]
    fn a_line_is_parted_as_a_shell_parts_it() {
        let parted = |line: &str| {
            let Line { before, current } = Line::read(line);
            (before.join("|"), current)
        };
        let expect = |before: &str, current: &str| (before.to_owned(), current.to_owned());
        assert_eq!(parted("bowline"), expect("", "bowline"));
        assert_eq!(parted("bowline "), expect("", ""));
        assert_eq!(parted("A=b bowline  backup ge"), expect("backup", "ge"));
        assert_eq!(parted("bowline 'a b' c\\ d \"e'f"), expect("a b|c d", "e'f"));
    }

    #[test]
    fn commands_are_completed_with_either_word_first() {
        assert_eq!(shown("bowline ba", None), ["backup"]);
        assert_eq!(shown("bowline backup des", None), ["describe"]);
        assert_eq!(
            shown("bowline --quiet --kubecontext east get ", None),
            ["backups", "restores", "schedules", "locations"]
        );
        assert!(!shown("bowline ", None).contains(&"__complete".to_owned()));
        assert_eq!(shown("bowline nonsense ", None), [""; 0]);
    }

    #[test]
    fn flags_and_their_values_are_completed() {
        assert_eq!(shown("bowline backup get --lab", None), ["--label-columns"]);
        assert_eq!(shown("bowline backup get --output j", None), ["json"]);
        assert_eq!(shown("bowline backup get --output=j", None), ["--output=json"]);
        assert_eq!(shown("bowline backup get -o ", None), ["table", "json", "yaml"]);
        assert_eq!(shown("bowline backup get -- --lab", None), [""; 0]);
        assert_eq!(shown("bowline backup create x --wa", None), [""; 0]);
    }

    #[test]
    fn of_what_bash_parts_only_the_rest_is_told() {
        let line = Line::read("bowline version --kubecontext arn:aws:e");
        let names = ["arn:aws:east".to_owned(), "other".to_owned()];
        assert_eq!(of(&line).shown(&names, &line, Some("e")), ["east"]);
        assert_eq!(of(&line).shown(&names, &line, None), ["arn:aws:east"]);
        assert_eq!(shown("bowline backup get --output=", Some("=")), ["table", "json", "yaml"]);
    }

    #[test]
    fn what_an_argument_names_is_known() {
        for (line, names) in [
            ("bowline backup get ", Some(Names::Backups)),
            ("bowline backup describe a b ", Some(Names::Backups)),
            ("bowline delete backups ", Some(Names::Backups)),
            ("bowline backup finish ", Some(Names::Backups)),
            ("bowline backup finish a ", None),
            ("bowline backup create ", None),
            ("bowline create restore ", None),
            ("bowline restore create --from-backup ", Some(Names::Backups)),
            ("bowline restores describe ", Some(Names::Restores)),
            ("bowline restore resume ", Some(Names::Restores)),
            ("bowline resume restore ", Some(Names::Restores)),
            ("bowline schedule trigger ", Some(Names::Schedules)),
            ("bowline pause schedules ", Some(Names::Schedules)),
            ("bowline schedule create ", None),
            ("bowline backup create --from-schedule ", Some(Names::Schedules)),
            ("bowline location delete ", Some(Names::Locations)),
            ("bowline location check ", Some(Names::Locations)),
            ("bowline version --location ", Some(Names::Locations)),
            ("bowline --context=", Some(Names::Contexts)),
            ("bowline backup create x --include-resources pods,de", Some(Names::Resources)),
            ("bowline backup create x --include-cluster-resources=", None),
            ("bowline version --kubeconfig ", Some(Names::Files)),
            ("bowline nonsense ", None),
        ] {
            assert_eq!(read(line).names, names, "{line}");
        }
    }

    #[test]
    fn names_are_looked_up_where_the_line_says() {
        let line = "bowline --kubeconfig=k backup get --location lab -o json ";
        let global =
            Global { storage_location: Some("lab".to_owned()), kubeconfig: Some("k".to_owned()) };
        assert_eq!(read(line).global, global);
    }

    #[test]
    fn of_a_list_the_last_part_is_completed() {
        let line = Line::read("bowline backup create x --include-resources pods,de");
        let names = ["deployments.apps".to_owned(), "pods".to_owned()];
        assert_eq!(of(&line).shown(&names, &line, None), ["pods,deployments.apps"]);
    }
}
