//! The command line, one file a command: its arguments, its help, its run.

mod args;
mod exit;
mod import;
mod load;
mod plan;
pub mod schema;
mod serve;
mod term;

pub use args::run;
pub use exit::Exit;
