//! The command line, one file a command: its arguments, its help, its run.

mod args;
mod client;
mod completions;
mod demo;
mod demo_world;
mod doctor;
mod drift;
mod exit;
mod forge;
mod graph;
mod halt;
mod import;
mod live;
mod load;
mod mr;
mod overrides;
mod plan;
mod preview;
pub mod schema;
mod serve;
mod status;
mod store;
mod term;
mod validate;

pub use args::run;
pub use exit::Exit;
