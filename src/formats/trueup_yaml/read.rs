//! From the file's bytes to what it says.

use super::{Repository, check};
use crate::{
    core::model::Refusal,
    formats::{cel::Cel, yaml},
};

/// Where the file stands in a repository.
pub const FILE: &str = "trueup.yaml";

/// Reads the file; every fault found is in the answer. `formats`: the names of the formats that this binary reads.
pub fn read(bytes: &[u8], formats: &[&str]) -> Result<Repository, Vec<Refusal>> {
    let told = |refusal| yaml::with_excerpt(refusal, bytes);
    let node = yaml::load(FILE, bytes, &yaml::Budget::default()).map_err(|refusal| vec![refusal])?;
    let mut repository: Repository = yaml::from_node(&node).map_err(|refusal| vec![told(refusal)])?;
    let faults = check::check(&mut repository, &node, formats, &Cel);
    if faults.is_empty() { Ok(repository) } else { Err(faults.into_iter().map(told).collect()) }
}
