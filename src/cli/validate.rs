//! `trueup validate`: everything a checkout asks for, read and judged without contacting anything.

use super::{Exit, term};
use crate::{app::validate::validate, app::wiring};
use std::path::PathBuf;

/// Checks trueup.yaml, every source it names and the plan templates of one commit. Contacts nothing and needs no server.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup validate
  trueup validate --repo . --rev my-branch      as a check in CI

Whether the targets exist and what is live is only known to `trueup plan`.

Exit codes: 0 all is well, 1 faults (each with file, line, column and what to do).")]
pub struct ValidateArgs {
    /// The repository: a checkout or a bare repository.
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub repo: PathBuf,
    /// The branch or commit to check; what is not committed is not seen.
    #[arg(long, default_value = "HEAD", value_name = "REV")]
    pub rev: String,
}

pub fn run(args: &ValidateArgs) -> anyhow::Result<Exit> {
    let state = wiring::repository(&args.repo)?;
    let commit = state.commit(&args.rev)?;
    let tree = state.tree(&commit)?;
    match validate(&*state, &tree)? {
        Ok(valid) => {
            println!("valid: {} in {} of {}", count(valid.resources, "resource"), count(valid.units, "unit"), count(valid.sources, "source"));
            for (reason, left_out) in valid.skipped {
                println!("left out: {left_out} {reason}");
            }
            Ok(Exit::Ok)
        }
        Err(faults) => {
            term::refuse(&faults);
            anyhow::bail!("{} in {} ({})", count(faults.len(), "fault"), args.rev, &commit.as_str()[..12.min(commit.as_str().len())])
        }
    }
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
