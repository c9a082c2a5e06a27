//! The command line, one file a command: its arguments, its help, its run.

mod args;
mod exit;
mod plan;
pub mod schema;
mod term;

pub use args::run;
pub use exit::Exit;
