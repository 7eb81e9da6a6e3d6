//! `docs/reference/cli.md`.

use clap::CommandFactory as _;
use clap_markdown::MarkdownOptions;
use expect_test::expect_file;

use crate::cli::args::Cli;

#[test]
fn the_page_of_commands_is_what_they_say_of_themselves() {
    let options = MarkdownOptions::new()
        .title("The commands of bowline".to_owned())
        .show_footer(false)
        .show_table_of_contents(true);
    let page = clap_markdown::help_markdown_command_custom(&Cli::command(), &options);
    expect_file!["../../../docs/reference/cli.md"].assert_eq(&page);
}
