//! Builds the programs of the testkit into the cache, so that CI can do it in the background.

#![expect(clippy::print_stderr, reason = "test code: tells why it failed")]

use std::process::ExitCode;

use anyhow::Result;
use bowline_testkit::tools;
use clap::{Parser, ValueEnum};

/// Builds what the tests run, where it is missing.
#[derive(Debug, Parser)]
struct Args {
    /// What to build [default: everything]
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Part {
    Kubernetes,
    Versitygw,
    Moto,
    Promrules,
}

fn main() -> ExitCode {
    match build(&Args::parse().parts) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn build(parts: &[Part]) -> Result<()> {
    let parts = if parts.is_empty() { Part::value_variants() } else { parts };
    parts.iter().try_for_each(|part| match part {
        Part::Kubernetes => tools::kubernetes().map(drop),
        Part::Versitygw => tools::versitygw().map(drop),
        Part::Moto => tools::moto().map(drop),
        Part::Promrules => tools::promrules().map(drop),
    })
}
