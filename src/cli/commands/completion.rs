//! `bowline completion`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Outcome;
use crate::cli::args::Cli;
use crate::cli::exit::Exit;
use crate::cli::output::print_text;

/// Print a script that completes what you type in your shell
///
/// In bash, fish and zsh commands and flags are completed, and the names of backups, restores,
/// locations, contexts and resources. They are looked up as you type, for two seconds at most; the
/// script itself needs no update when bowline gets one. In the other shells commands and flags are.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  source <(bowline completion bash)
  bowline completion zsh > \"${fpath[1]}/_bowline\"
  bowline completion fish > ~/.config/fish/completions/bowline.fish")]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// bash parts words at `:` and `=`, too: it is told only what comes after the last of them.
const BASH: &str = r#"# bash completion for bowline
_bowline() {
    local IFS=$'\n'
    COMPREPLY=($("${COMP_WORDS[0]}" __complete -- \
        "${COMP_LINE:0:COMP_POINT}" "${COMP_WORDS[COMP_CWORD]}" 2>/dev/null))
    if [[ ${COMPREPLY[0]-} == :files ]]; then
        COMPREPLY=()
        compopt -o default 2>/dev/null
    fi
}
complete -F _bowline bowline
"#;

const ZSH: &str = r#"#compdef bowline
_bowline() {
    local -a found
    found=("${(@f)$("${words[1]}" __complete -- "${(j: :)words[1,CURRENT]}" 2>/dev/null)}")
    if [[ ${found[1]} == :files ]]; then
        _files
    else
        compadd -- ${found:#}
    fi
}
if [[ ${funcstack[1]} == _bowline ]]; then
    _bowline "$@"
else
    compdef _bowline bowline
fi
"#;

const FISH: &str = r"# fish completion for bowline
function __bowline_complete
    set -l found (bowline __complete -- (commandline -cp) 2>/dev/null)
    if test (count $found) -gt 0; and test $found[1] = ':files'
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $found
    end
end
complete -c bowline -f -a '(__bowline_complete)'
";

pub(in crate::cli) fn run(args: &Args) -> Outcome {
    match args.shell {
        Shell::Bash => print_text(BASH)?,
        Shell::Zsh => print_text(ZSH)?,
        Shell::Fish => print_text(FISH)?,
        shell => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "bowline", &mut script);
            print_text(&String::from_utf8_lossy(&script))?;
        }
    }
    Ok(Exit::Done)
}
