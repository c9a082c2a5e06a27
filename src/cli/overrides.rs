//! `trueup override`: changes made by hand that somebody answers for.

use super::{
    Exit,
    client::{Client, ServerArgs, field, tell},
};
use clap::Subcommand;
use serde_json::{Value, json};

#[derive(Subcommand)]
#[command(after_help = "Examples:
  trueup override claim inside/rrset/example.com./www/A --until 2d --reason 'moved by hand tonight'
  trueup override list
  trueup override end inside/rrset/example.com./www/A

An override covers exactly what is live when it is claimed. It is no drift then, every plan that touches the resource names it, and the next \
change of the resource may write over just that, which ends it. It ends at its time, too; a day before, or when a quarter of its time is left, \
that is announced.")]
pub enum OverrideCommand {
    /// Answer for what is live of a resource.
    Claim(ClaimArgs),
    /// List the overrides that stand.
    List(ListArgs),
    /// End an override before its time.
    End(EndArgs),
}

#[derive(clap::Args)]
pub struct ClaimArgs {
    /// The resource: `target/kind/name`, as `trueup drift -o json` names it.
    #[arg(value_name = "TARGET/KIND/NAME")]
    resource: String,
    /// Why, for whoever meets it later.
    #[arg(long)]
    reason: String,
    /// How long: a span (`3d`), a day (`2026-12-01`) or an instant (`2026-12-01T18:00:00Z`); at most 90 days.
    #[arg(long, value_name = "WHEN")]
    until: String,
    /// The repository that governs it; not needed when you see only one.
    #[arg(long, env = "TRUEUP_REPO", value_name = "NAME")]
    repo: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(clap::Args)]
pub struct ListArgs {
    /// The last that ended, too.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(clap::Args)]
pub struct EndArgs {
    /// The resource: `target/kind/name`.
    #[arg(value_name = "TARGET/KIND/NAME")]
    resource: String,
    /// The repository that governs it; not needed when you see only one.
    #[arg(long, env = "TRUEUP_REPO", value_name = "NAME")]
    repo: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

pub async fn run(command: &OverrideCommand) -> anyhow::Result<Exit> {
    match command {
        OverrideCommand::Claim(args) => claim(args).await,
        OverrideCommand::List(args) => list(args).await,
        OverrideCommand::End(args) => end(args).await,
    }
}

async fn claim(args: &ClaimArgs) -> anyhow::Result<Exit> {
    let client = Client::new(&args.server)?;
    let repo = client.repo(args.repo.as_deref()).await?;
    let answer = client.post(&["repos", &repo, "overrides"], json!({ "resource": args.resource, "reason": args.reason, "until": args.until })).await?;
    tell(args.server.json, &answer, &field(&answer, "answer"));
    Ok(Exit::Ok)
}

async fn list(args: &ListArgs) -> anyhow::Result<Exit> {
    let all = Client::new(&args.server)?.get(&["overrides"]).await?;
    if args.server.json {
        println!("{all:#}");
        return Ok(Exit::Ok);
    }
    let rows = |name: &str| all[name].as_array().cloned().unwrap_or_default();
    let line = |row: &Value| format!("{}  {} until {}: {}", field(row, "resource"), field(row, "by"), field(row, "until"), field(row, "reason"));
    let standing = rows("overrides");
    for row in &standing {
        println!("{}{}", line(row), if row["ending"] == true { "  (ends soon)" } else { "" });
    }
    if standing.is_empty() {
        println!("no override stands");
    }
    if args.all {
        for row in rows("ended") {
            println!("{}  ended {}", line(&row["override"]), field(&row, "ended"));
        }
    }
    Ok(Exit::Ok)
}

async fn end(args: &EndArgs) -> anyhow::Result<Exit> {
    let client = Client::new(&args.server)?;
    let repo = client.repo(args.repo.as_deref()).await?;
    let answer = client.delete_named(&["repos", &repo, "overrides"], ("resource", &args.resource)).await?;
    tell(args.server.json, &answer, "ended: what is live there is drift from now on");
    Ok(Exit::Ok)
}
