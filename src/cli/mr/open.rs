//! `trueup mr open`: a branch becomes a merge request.

use crate::cli::{
    Exit,
    client::{Client, ServerArgs, field, tell},
};
use serde_json::json;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  git push origin my-branch
  trueup mr open --repo dns --source my-branch --title 'move www to the new balancer'
  trueup mr open --source my-branch --title 'try it' --draft --json | jq .number

The server plans it at once; `trueup mr wait N --for awaiting_approval,empty` waits for that.")]
pub struct OpenArgs {
    /// The repository's name; not needed when you see only one.
    #[arg(long, env = "TRUEUP_REPO", value_name = "NAME")]
    repo: Option<String>,
    /// The branch to merge; push it first.
    #[arg(long, value_name = "BRANCH")]
    source: String,
    /// The branch to merge into; the repository's governed branch when absent.
    #[arg(long, value_name = "BRANCH")]
    target: Option<String>,
    /// What it does, in a few words.
    #[arg(long)]
    title: String,
    /// Plan it, do not start it.
    #[arg(long)]
    draft: bool,
    /// Who shall look at it; may be given several times.
    #[arg(long = "reviewer", value_name = "USER")]
    reviewers: Vec<String>,
    /// More about it, in Markdown; a line `Depends-On: !7` holds it until that one is merged.
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    #[command(flatten)]
    server: ServerArgs,
}

pub async fn run(args: &OpenArgs) -> anyhow::Result<Exit> {
    let client = Client::new(&args.server)?;
    let repo = client.repo(args.repo.as_deref()).await?;
    let mut body = json!({ "source": args.source, "title": args.title, "draft": args.draft, "reviewers": args.reviewers, "description": args.description });
    if let Some(target) = &args.target {
        body["target"] = json!(target);
    }
    let answer = client.post(&["repos", &repo, "mrs"], body).await?;
    tell(args.server.json, &answer, &format!("opened {repo}!{}: {}", field(&answer, "number"), field(&answer, "url")));
    Ok(Exit::Ok)
}
