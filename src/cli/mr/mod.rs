//! `trueup mr`: merge requests on a server.

mod approve;
mod args;
mod edits;
mod open;
mod show;
mod table;
mod wait;

pub use args::{MrCommand, run};
use table::journal;
pub use table::print as print_table;
pub use wait::span;
