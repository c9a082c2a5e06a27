//! `trueup forge`: webhooks, protected branches and labels at the forges that hold governed repositories.

use super::{Exit, args::runtime, load::load, term::Color};
use crate::{
    app::wiring,
    ports::{Furnished, Outcome},
};
use std::path::PathBuf;

/// The version of the JSON.
const VERSION: u32 = 1;

/// Set up the forges that hold governed repositories.
#[derive(clap::Subcommand)]
pub enum ForgeCommand {
    /// Make webhook, branch protection and labels of governed repositories, as `trueup doctor` wants them.
    Setup(SetupArgs),
}

/// Makes webhook, branch protection and labels of governed repositories, with the server's own account.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup forge setup work --config server.yaml --dry-run
  trueup forge setup work dns --config server.yaml

It makes what `trueup doctor` looks at: the webhook that leads to this server (`url` and `webhook_secret` in server.yaml), with TLS verified and the \
events that are understood; a governed branch that only the server's account moves, once `trueup/converged` is green; and the labels. What people \
set beside that stays. Run again it changes nothing. What the account or the forge's plan does not allow is said with what a person must do.

Forges do not tell a webhook's secret: after it was changed in server.yaml, --new-secret sets it again.

One line a thing: ok, made, would (with --dry-run), lacks. JSON: version (1), ok, things: about, outcome, said, next (text or null).

Exit codes: 0 everything stands, 1 something could not be done, 2 with --dry-run: something would be done.")]
pub struct SetupArgs {
    /// The forge's name in the server's configuration.
    #[arg(value_name = "FORGE")]
    pub forge: String,
    /// Repositories by their names in the configuration. Without any: all that the forge holds.
    #[arg(value_name = "REPO")]
    pub repositories: Vec<String>,
    /// The server's configuration.
    #[arg(long, env = "TRUEUP_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
    /// Say what would be done and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Set the webhooks' secrets again.
    #[arg(long)]
    pub new_secret: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

pub fn run(command: &ForgeCommand, color: Color) -> anyhow::Result<Exit> {
    match command {
        ForgeCommand::Setup(args) => setup(args, color),
    }
}

fn setup(args: &SetupArgs, color: Color) -> anyhow::Result<Exit> {
    let server = load(&args.config)?;
    let secrets = wiring::own_secrets(&server);
    let done = runtime()?.block_on(wiring::forges::setup(&server, &*secrets, &args.forge, &args.repositories, args.dry_run, args.new_secret))?;
    let any = |outcome: Outcome| done.iter().any(|one| one.outcome == outcome);
    if args.json {
        let things: Vec<serde_json::Value> =
            done.iter().map(|one| serde_json::json!({ "about": one.about, "outcome": one.outcome.as_str(), "said": one.said, "next": one.next })).collect();
        println!("{:#}", serde_json::json!({ "version": VERSION, "ok": !any(Outcome::Lacks), "things": things }));
    } else {
        done.iter().for_each(|one| println!("{}", line(one, color.on_stdout())));
    }
    Ok(if any(Outcome::Lacks) {
        Exit::Error
    } else if any(Outcome::Would) {
        Exit::Changes
    } else {
        Exit::Ok
    })
}

/// `made   repository dns: webhook: make the webhook …`
fn line(one: &Furnished, color: bool) -> String {
    let paint = match one.outcome {
        Outcome::Stands => "\x1b[32m",
        Outcome::Made | Outcome::Would => "\x1b[36m",
        Outcome::Lacks => "\x1b[31m",
    };
    let word = format!("{:5}", one.outcome.as_str());
    let word = if color { format!("{paint}{word}\x1b[0m") } else { word };
    let next = one.next.as_ref().map_or_else(String::new, |next| format!("; {next}"));
    format!("{word}  {}: {}{next}", one.about, one.said).replace('\n', " ")
}
