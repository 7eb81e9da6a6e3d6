//! The `bowline` program.

fn main() -> std::process::ExitCode {
    bowline::cli::main()
}
