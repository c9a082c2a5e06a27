//! From the file on disk to a checked configuration.

use super::{Server, branches, check};
use crate::{
    core::model::{Place, Refusal, RefusalKind},
    formats::yaml,
};
use std::{io::ErrorKind, path::Path};

/// Reads and checks the configuration at `path`; paths in it that are relative start at its folder.
pub fn load(path: &Path) -> Result<Server, Vec<Refusal>> {
    let file = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| {
        let what = match error.kind() {
            ErrorKind::NotFound => format!("no such file: {file}"),
            ErrorKind::IsADirectory => format!("{file} is a folder, not the server's configuration"),
            other => format!("cannot read the server's configuration: {other}"),
        };
        let refusal = Refusal::new(RefusalKind::Path, what).at(Place::file(file.as_str()));
        vec![refusal.advice("name the file with --config or TRUEUP_CONFIG; docs/configuration.md and `trueup schema server` describe it")]
    })?;
    read(&file, &bytes, path.parent().unwrap_or(Path::new("")))
}

/// Reads and checks a configuration; every fault found is in the answer.
pub fn parse(file: &str, bytes: &[u8]) -> Result<Server, Vec<Refusal>> {
    read(file, bytes, Path::new(""))
}

fn read(file: &str, bytes: &[u8], folder: &Path) -> Result<Server, Vec<Refusal>> {
    let node = yaml::load(file, bytes, &yaml::Budget::default()).map_err(|refusal| vec![refusal])?;
    let mut server: Server = yaml::from_node(&node).map_err(|refusal| vec![yaml::with_excerpt(refusal, bytes)])?;
    server.start_paths_at(folder);
    let faults = check::check(&server, &node);
    if faults.is_empty() {
        branches::spread(&mut server);
        Ok(server)
    } else {
        Err(faults.into_iter().map(|refusal| yaml::with_excerpt(refusal, bytes)).collect())
    }
}
