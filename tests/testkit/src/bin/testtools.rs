//! Builds the Go programs of the testkit into the cache, so that CI can do it in the background.

#![expect(clippy::print_stderr, reason = "test code: tells why it failed")]

use std::process::ExitCode;

fn main() -> ExitCode {
    match bowline_testkit::tools::find() {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
