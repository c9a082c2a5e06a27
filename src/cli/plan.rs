//! `trueup plan`: the plan of a merge request, from a checkout.

use super::{Exit, args::runtime, load::load, term, term::Color};
use crate::{
    app::{planning, wiring},
    core::{gate, model::RepoId, plan::Plan, render, review::words, run::PlanResult},
};
use std::{path::PathBuf, sync::Arc};

/// Compiles the plan that merging HEAD into BASE would need: reads the live systems, writes nothing.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup plan --repo . --base main --head my-branch --config server.yaml
  trueup plan --repo . --base main --config server.yaml -o json | jq .summary
  trueup plan --repo . --base main --config server.yaml --offline

Only commits are seen: commit first, then plan. --config is the server's own file, or one with the same targets.

Exit codes:
  0  nothing to do
  1  an error; bad input is printed with file, line and column
  2  there are changes; resources that stop being governed count")]
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
    /// The repository's name in that configuration, whose grants hold; needed when it names several.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Contact nothing: take base as live, and say in the plan that nothing was observed.
    #[arg(long)]
    pub offline: bool,
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

pub fn run(args: &PlanArgs, color: Color) -> anyhow::Result<Exit> {
    let server = load(&args.config)?;
    runtime()?.block_on(async {
        let secrets = wiring::secrets(&server).await?;
        let safe = wiring::safe(&server, secrets.clone()).await?;
        let targets = wiring::targets(&server, &*secrets).await?;
        let kinds = wiring::kinds(&targets);
        let repo = Arc::new(wiring::checkout(&server, args.name.as_deref(), &args.repo)?);
        let approvers = repo.approvers.clone();
        let (base, head) = (repo.state.commit(&args.base)?, repo.state.commit(&args.head)?);
        let request = planning::Request::afresh(RepoId::new(repo.id.as_str()), base, head);
        let sighted = if args.offline { planning::Sighted::Offline } else { planning::Sighted::Observe(&safe) };
        let (_, result) = planning::compile_for(repo, &targets, sighted, request).await;
        match result {
            PlanResult::Plan { plan, .. } => {
                for rule in &plan.rules {
                    let stuck = approvers.as_ref().and_then(|approvers| gate::obstacle(&rule.rule, approvers, &|_| false));
                    if let Some(stuck) = stuck {
                        eprintln!("note: {}, and {}", words::approval(rule), words::obstacle(&stuck));
                    }
                }
                show(&plan, args.output, &kinds, color);
                Ok(if render::changes_nothing(&plan) { Exit::Ok } else { Exit::Changes })
            }
            PlanResult::Refused(faults) => {
                term::refuse(&faults);
                anyhow::bail!("{} refused: nothing was planned and nothing was written", faults.len())
            }
            PlanResult::Conflicted(paths) => {
                let paths: Vec<&str> = paths.iter().map(|path| &**path).collect();
                anyhow::bail!("{} does not merge into {}: {}; merge or rebase, resolve them and try again", args.head, args.base, paths.join(", "))
            }
            PlanResult::Failed { why } => anyhow::bail!("{why}"),
        }
    })
}

fn show(plan: &Plan, output: Output, kinds: &render::Kinds, color: Color) {
    let back = plan.forecast_reverse();
    let sheet = render::Sheet::new(plan, kinds).digest(Some(plan.digest())).way_back(Some(&back));
    match output {
        Output::Text => print!("{}", render::text(&sheet, render::Style { color: color.on_stdout(), width: width() })),
        Output::Json => println!("{:#}", render::json(&sheet)),
        Output::Markdown => print!("{}", render::markdown(&sheet)),
    }
}

/// The terminal's width, or what fits most.
fn width() -> usize {
    std::env::var("COLUMNS").ok().and_then(|width| width.parse().ok()).unwrap_or(120)
}
