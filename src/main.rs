//! The `trueup` program: reads the command line, runs one command, turns its end into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    trueup::cli::run()
}
