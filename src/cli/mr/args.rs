//! The subcommands of `trueup mr`; the short ones are whole here.

use super::{approve, edits, open, show, wait};
use crate::cli::{
    Exit,
    client::{Client, Mr, MrArgs, ServerArgs, tell},
    plan::Output,
    term::Color,
};
use clap::Subcommand;
use serde_json::json;

#[derive(Subcommand)]
pub enum MrCommand {
    /// Open a merge request.
    Open(open::OpenArgs),
    /// List changes: where each is and what it waits for.
    List(ListArgs),
    /// Show one change: phase, reasons, plan, steps, approvals, statuses.
    Show(show::ShowArgs),
    /// Print the plan of a change.
    Plan(PlanArgs),
    /// Print what happened to a change: when, who, what.
    Journal(JournalArgs),
    /// Approve the plan of a change.
    Approve(approve::ApproveArgs),
    /// Comment; `/trueup` commands in it are heard.
    Comment(CommentArgs),
    /// Say a command: pause, resume, retry, skip, abort, restore, free, take, override, start, plan, halt, help.
    Say(SayArgs),
    /// Wait until a change is in a phase.
    Wait(wait::WaitArgs),
    /// Close a merge request; nothing is undone.
    #[command(after_help = "Example:
  trueup mr close 7

What is written stays, and stays claimed: `trueup mr say 7 restore` goes back, `trueup mr say 7 free REASON` lets go of it.")]
    Close(OneArgs),
    /// Open a closed merge request again.
    #[command(after_help = "Example:
  trueup mr reopen 7

It is planned again from what is really there, and approved again.")]
    Reopen(OneArgs),
    /// Replace the description; `Depends-On: !6` in it holds it until that one is merged.
    Describe(edits::DescribeArgs),
    /// Add or remove labels; `incident` by an approver goes first in the queue.
    Label(edits::LabelArgs),
    /// Make it a draft: it is planned and does not start.
    #[command(after_help = "Example:
  trueup mr draft 7")]
    Draft(OneArgs),
    /// Make a draft ready.
    #[command(after_help = "Example:
  trueup mr ready 7")]
    Ready(OneArgs),
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup mr list
  trueup mr list --repo dns --phase awaiting_approval
  trueup mr list --json | jq -r '.changes[] | select(.phase == \"failed\") | .number'")]
pub struct ListArgs {
    /// Only this repository.
    #[arg(long, env = "TRUEUP_REPO", value_name = "NAME")]
    repo: Option<String>,
    /// Only changes in one of these phases.
    #[arg(long, value_name = "PHASE", value_delimiter = ',', value_parser = wait::phase)]
    phase: Vec<crate::core::review::Phase>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(clap::Args)]
pub struct OneArgs {
    #[command(flatten)]
    mr: MrArgs,
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup mr journal 7
  trueup mr journal 7 --json | jq 'last'    the records as they are kept")]
pub struct JournalArgs {
    #[command(flatten)]
    mr: MrArgs,
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup mr plan 7
  trueup mr plan 7 -o markdown
  trueup mr plan 7 --way-back       what `/trueup restore` would do")]
pub struct PlanArgs {
    #[command(flatten)]
    mr: MrArgs,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// The forecast of the way back instead.
    #[arg(long)]
    way_back: bool,
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup mr comment 7 'looks right to me'
  trueup mr comment 7 '/trueup skip 3 the name server is being replaced'")]
pub struct CommentArgs {
    #[command(flatten)]
    mr: MrArgs,
    /// The comment, in Markdown.
    #[arg(value_name = "TEXT")]
    body: String,
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup mr say 7 pause
  trueup mr say 7 skip 3 the name server is being replaced
  trueup mr say 7 help              what each command does

The answer is printed; exit code 1 says that it was not done.")]
pub struct SayArgs {
    #[command(flatten)]
    mr: MrArgs,
    /// The command and what belongs to it.
    #[arg(value_name = "COMMAND", required = true, num_args = 1.., trailing_var_arg = true)]
    command: Vec<String>,
}

pub async fn run(command: &MrCommand, color: Color) -> anyhow::Result<Exit> {
    match command {
        MrCommand::Open(args) => open::run(args).await,
        MrCommand::List(args) => list(args).await,
        MrCommand::Show(args) => show::run(args, color).await,
        MrCommand::Plan(args) => plan(args, color).await,
        MrCommand::Journal(args) => {
            let mr = Mr::find(&args.mr).await?;
            if args.mr.server.json {
                println!("{:#}", mr.client.get(&mr.path(&["journal"])).await?);
            } else {
                print!("{}", super::journal(&mr.client.get(&mr.path(&["journal", "rows"])).await?["rows"]));
            }
            Ok(Exit::Ok)
        }
        MrCommand::Approve(args) => approve::run(args).await,
        MrCommand::Comment(args) => {
            let mr = Mr::find(&args.mr).await?;
            let answer = mr.post(&["comments"], json!({ "body": args.body })).await?;
            tell(args.mr.server.json, &answer, &format!("commented on {}!{}", mr.repo, mr.number));
            Ok(Exit::Ok)
        }
        MrCommand::Say(args) => {
            let mr = Mr::find(&args.mr).await?;
            let words = args.command.join(" ");
            let answer = mr.post(&["commands"], json!({ "command": words })).await?;
            tell(args.mr.server.json, &answer, &crate::cli::client::text(&answer, "answer"));
            Ok(Exit::Ok)
        }
        MrCommand::Wait(args) => wait::run(args, color).await,
        MrCommand::Close(args) => act(args, "close", "closed; what was applied stays until it is restored or freed").await,
        MrCommand::Reopen(args) => act(args, "reopen", "open again").await,
        MrCommand::Describe(args) => edits::describe(args).await,
        MrCommand::Label(args) => edits::label(args).await,
        MrCommand::Draft(args) => act(args, "draft", "is a draft now").await,
        MrCommand::Ready(args) => act(args, "ready", "is ready now").await,
    }
}

async fn act(args: &OneArgs, what: &str, done: &str) -> anyhow::Result<Exit> {
    let mr = Mr::find(&args.mr).await?;
    let answer = mr.post(&[what], json!({})).await?;
    tell(args.mr.server.json, &answer, &format!("{}!{} {done}", mr.repo, mr.number));
    Ok(Exit::Ok)
}

async fn list(args: &ListArgs) -> anyhow::Result<Exit> {
    let client = Client::new(&args.server)?;
    let mut answer = match &args.repo {
        Some(repo) => client.get(&["repos", repo, "mrs"]).await?,
        None => client.get(&["changes"]).await?,
    };
    if let Some(changes) = answer["changes"].as_array_mut() {
        changes.retain(|change| args.phase.is_empty() || args.phase.iter().any(|phase| change["phase"] == phase.as_str()));
    }
    if args.server.json {
        println!("{answer:#}");
    } else {
        super::print_table(&answer["changes"]);
    }
    Ok(Exit::Ok)
}

async fn plan(args: &PlanArgs, color: Color) -> anyhow::Result<Exit> {
    let mr = Mr::find(&args.mr).await?;
    let format = match args.output {
        Output::Json => "json",
        Output::Text if args.mr.server.json => "json",
        Output::Text => "text",
        Output::Markdown => "markdown",
    };
    let color = if color.on_stdout() { "true" } else { "false" };
    let paper = mr.client.text(&mr.path(&[if args.way_back { "way-back" } else { "plan" }]), &[("format", format), ("color", color)]).await?;
    print!("{paper}{}", if paper.ends_with('\n') { "" } else { "\n" });
    Ok(Exit::Ok)
}
