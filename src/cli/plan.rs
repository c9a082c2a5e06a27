//! `trueup plan`: the plan of a merge request, from a checkout.

use super::{Exit, term::Color};
use std::path::PathBuf;

/// Compiles base and head into the plan the server would show.
#[derive(clap::Args)]
pub struct PlanArgs {
    /// The repository: a checkout or a bare repository.
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub repo: PathBuf,
    /// The branch or commit that would be merged into.
    #[arg(long, default_value = "main", value_name = "REV")]
    pub base: String,
    /// The branch or commit that would be merged.
    #[arg(long, default_value = "HEAD", value_name = "REV")]
    pub head: String,
    /// The server configuration that names the targets.
    #[arg(long, env = "TRUEUP_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
    /// How to print the plan.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Output,
}

/// A plan's forms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    #[default]
    Text,
    Json,
    Markdown,
}

pub fn run(_args: &PlanArgs, _color: Color) -> anyhow::Result<Exit> {
    anyhow::bail!("planning is not wired yet")
}
