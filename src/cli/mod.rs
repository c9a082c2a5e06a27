//! The command line, one file a command: its arguments, its help, its run.

mod args;
mod exit;
mod plan;
mod term;

pub use args::run;
pub use exit::Exit;
