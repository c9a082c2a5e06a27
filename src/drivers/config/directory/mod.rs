//! A folder on this machine as a config center: a key is a file.
//!
//! A write is a file beside the key, synced, renamed over it, and the folder synced, so that readers see the old value or the new one and a
//! crash leaves one of them; whoever's time is over, or whose act was given up, renames nothing more. Nothing compares and writes at once: the driver reads, compares and writes. Links are never followed.

mod driver;
mod folder;
mod probe;
mod rights;
mod write;

pub use driver::{Config, Directory};
