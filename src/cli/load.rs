//! The server's configuration as every command that needs it reads it.

use super::term;
use crate::app::config;
use std::path::Path;

/// Reads the server's configuration; prints every fault with its place.
pub fn load(path: &Path) -> anyhow::Result<config::Server> {
    config::load(path).map_err(|faults| {
        term::refuse(&faults);
        anyhow::anyhow!("{} in {}", if faults.len() == 1 { "1 fault".to_owned() } else { format!("{} faults", faults.len()) }, path.display())
    })
}
