//! The commands and their dispatch.

use super::{Exit, completions, demo, doctor, drift, forge, graph, halt, import, mr, overrides, plan, preview, schema, serve, status, store, term, validate};
use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

const ABOUT: &str = "A merge request that merges when it is true.

trueup compiles a merge request on a desired-state repository into one ordered plan over live systems, shows it, waits for the approvals that plan needs, runs it, and merges only when the real state has been re-read and equals the desired state.";

const EXAMPLES: &str = "Examples:
  trueup demo                  the whole life of a merge request, on loopback
  trueup validate              is what this checkout asks for well said?
  trueup plan --base main --head my-branch --config server.yaml
  trueup preview --offline     the same in a job of CI, from the checkout alone
  trueup serve --config server.yaml
  trueup mr open --repo dns --source my-branch --title 'move www'
  trueup mr wait 7 --for merged --timeout 10m

Commands that talk to a server take it from --server or TRUEUP_SERVER, and you from TRUEUP_TOKEN.

Exit codes:
  0  done; `plan`, `preview`: there is nothing to do; `drift`: there is none
  1  an error, wrong arguments too; standard error says what to do next
  2  `plan`, `preview`: there are changes; `drift`: there is some
  3  `mr wait`: it ended in another phase
  4  `mr wait`: the time is up";

#[derive(Parser)]
#[command(name = "trueup", version, about = ABOUT.lines().next().unwrap_or_default(), long_about = ABOUT, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Commands,
    /// When to colour the output; auto: on a terminal, unless NO_COLOR is set.
    #[arg(long, global = true, value_enum, default_value_t, env = "TRUEUP_COLOR")]
    color: term::Color,
}

#[derive(Subcommand)]
enum Commands {
    /// See the whole life of a merge request on loopback, in one process.
    Demo(demo::DemoArgs),
    /// Check a checkout without contacting anything.
    Validate(validate::ValidateArgs),
    /// Compile the plan of a merge request from a checkout; no server needed.
    Plan(plan::PlanArgs),
    /// Print what a merge request would change, in a job of CI.
    Preview(preview::PreviewArgs),
    /// Write desired state from what is live.
    Import(import::ImportArgs),
    /// Print the JSON Schema of trueup.yaml or server.yaml.
    Schema(schema::SchemaArgs),
    /// Serve the configured repositories.
    Serve(serve::ServeArgs),
    /// Examine a server's configuration, repositories and targets; writes nothing.
    Doctor(doctor::DoctorArgs),
    /// Set up the forges that hold governed repositories.
    #[command(subcommand)]
    Forge(forge::ForgeCommand),
    /// Open, show, approve and follow merge requests on a server.
    #[command(subcommand)]
    Mr(mr::MrCommand),
    /// Say how the server is and what is under way.
    Status(status::StatusArgs),
    /// Find where live systems are not what the governed branch asks for.
    Drift(drift::DriftArgs),
    /// Answer for a change made by hand until some time, list who does, or end it.
    #[command(subcommand)]
    Override(overrides::OverrideCommand),
    /// Draw the order of a change's plan as a Mermaid flowchart.
    Graph(graph::GraphArgs),
    /// Stop new writes of all changes, or let them go on.
    Halt(halt::HaltArgs),
    /// Look after the store of a server that is stopped.
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Print what your shell needs to complete commands.
    Completions(completions::CompletionsArgs),
}

/// Runs the command line; every error ends in exit code 1 with the next thing to do.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            let server = |text: &str| text.contains("--server") || text.contains("--token");
            if error.kind() == clap::error::ErrorKind::MissingRequiredArgument && server(&error.to_string()) {
                eprintln!("hint: set TRUEUP_SERVER and TRUEUP_TOKEN once, and no command needs --server and --token");
            }
            // Help and version are no errors; everything else is 1, because 2 means «changes».
            return if error.use_stderr() { Exit::Error } else { Exit::Ok }.into();
        }
    };
    // A second provider enabled by some later crate would make the choice ambiguous and panic at the first TLS use.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let ended = match cli.command {
        Commands::Demo(args) => demo::run(&args, cli.color),
        Commands::Serve(args) => serve::run(&args),
        Commands::Plan(args) => plan::run(&args, cli.color),
        Commands::Preview(args) => talk(preview::run(&args, cli.color)),
        Commands::Mr(command) => talk(mr::run(&command, cli.color)),
        Commands::Status(args) => talk(status::run(&args)),
        Commands::Drift(args) => talk(drift::run(&args, cli.color)),
        Commands::Override(command) => talk(overrides::run(&command)),
        Commands::Graph(args) => talk(graph::run(&args)),
        Commands::Halt(args) => talk(halt::run(&args)),
        Commands::Completions(args) => completions::run(&args, Cli::command()),
        Commands::Validate(args) => validate::run(&args),
        Commands::Doctor(args) => doctor::run(&args, cli.color),
        Commands::Forge(command) => forge::run(&command, cli.color),
        Commands::Schema(args) => schema::run(&args),
        Commands::Import(args) => import::run(&args),
        Commands::Store(command) => store::run(&command),
    };
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => {
            term::complain(&error);
            Exit::Error.into()
        }
    }
}

/// Runs a command that talks to a server.
fn talk(command: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    runtime()?.block_on(command)
}

/// A runtime for commands that talk to servers.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::{Command, CommandFactory as _};

    /// Says each paragraph of `command`'s help and of its commands' that is broken into lines by hand: terminals break it again, and ragged.
    fn broken(command: &Command, found: &mut Vec<String>) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for (line, next) in help.lines().zip(help.lines().skip(1)) {
            let flows = |text: &str| !text.is_empty() && !text.starts_with(' ');
            if flows(line) && flows(next) && !line.ends_with(':') {
                found.push(format!("{}: {line} | {next}", command.get_name()));
            }
        }
        command.get_subcommands().for_each(|command| broken(command, found));
    }

    #[test]
    fn every_paragraph_of_help_is_one_line_that_the_terminal_breaks() {
        let mut found = Vec::new();
        broken(&Cli::command(), &mut found);
        assert!(found.is_empty(), "{found:#?}");
    }

    #[test]
    fn every_command_that_people_type_teaches_by_an_example() {
        // By its own or by that of the group it is in, which shows how its commands go together.
        fn silent(command: &Command, group: bool, found: &mut Vec<String>) {
            let taught = command.get_after_help().is_some_and(|help| help.to_string().contains("Example"));
            if !taught && !group && !command.has_subcommands() {
                found.push(command.get_name().to_owned());
            }
            command.get_subcommands().for_each(|command| silent(command, taught, found));
        }
        let mut found = Vec::new();
        // What the program itself shows is no command's.
        Cli::command().get_subcommands().for_each(|command| silent(command, false, &mut found));
        assert!(found.is_empty(), "without an example: {found:?}");
    }
}
