//! The commands and their dispatch.

use super::{Exit, import, plan, schema, serve, term};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

const ABOUT: &str = "A merge request that merges when it is true.

trueup compiles a merge request on a desired-state repository into one ordered plan over live systems, shows it, waits for the approvals that plan needs, runs it, and merges only when the real state has been re-read and equals the desired state.";

const EXAMPLES: &str = "Examples:
  trueup demo                                        see the whole life of a merge request on loopback
  trueup plan --repo . --base main --head my-branch --config server.yaml
  trueup serve --config server.yaml

Exit codes: 0 done (plan: nothing to do), 1 error, 2 changes (plan, preview, drift),
3 and 4 `mr wait`: ended in another phase, timed out.";

#[derive(Parser)]
#[command(name = "trueup", version, about = ABOUT.lines().next().unwrap_or_default(), long_about = ABOUT, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Commands,
    /// When to colour the output.
    #[arg(long, global = true, value_enum, default_value_t, env = "TRUEUP_COLOR")]
    color: term::Color,
}

#[derive(Subcommand)]
enum Commands {
    /// Serve the configured repositories.
    Serve(serve::ServeArgs),
    /// Compile the plan of a merge request from a checkout; no server needed.
    Plan(plan::PlanArgs),
    /// Print the JSON Schema of trueup.yaml or server.yaml.
    Schema(schema::SchemaArgs),
    /// Write desired state from what is live.
    Import(import::ImportArgs),
}

/// Runs the command line; every error ends in exit code 1 with the next thing to do.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            // Help and version are no errors; everything else is 1, because 2 means «changes».
            return if error.use_stderr() { Exit::Error } else { Exit::Ok }.into();
        }
    };
    // A second provider enabled by some later crate would make the choice ambiguous and panic at the first TLS use.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let ended = match cli.command {
        Commands::Serve(args) => serve::run(&args),
        Commands::Plan(args) => plan::run(&args, cli.color),
        Commands::Schema(args) => schema::run(&args),
        Commands::Import(args) => import::run(&args),
    };
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => {
            term::complain(&error);
            Exit::Error.into()
        }
    }
}

/// A runtime for commands that talk to servers.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}
