//! `trueup mr describe` and `trueup mr label`: what people edit beside the commits.

use crate::cli::{
    Exit,
    client::{Mr, MrArgs, tell},
};
use serde_json::json;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup mr describe 7 'Moves www to the new balancer.'
  trueup mr describe 7 'Depends-On: !6'     it starts once dns!6 is merged
  trueup mr describe 7 ''                   no description, no dependencies

The whole description is replaced. `Depends-On: dns!6` and links to merge requests work too, several on lines of their own.")]
pub struct DescribeArgs {
    #[command(flatten)]
    mr: MrArgs,
    /// The description, in Markdown.
    #[arg(value_name = "TEXT")]
    text: String,
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup mr label 7 incident            goes first in the queue, when an approver says so
  trueup mr label 7 --remove incident")]
pub struct LabelArgs {
    #[command(flatten)]
    mr: MrArgs,
    /// Labels to add.
    #[arg(value_name = "LABEL", required_unless_present = "remove")]
    add: Vec<String>,
    /// A label to remove; may be given several times.
    #[arg(long, value_name = "LABEL")]
    remove: Vec<String>,
}

pub async fn describe(args: &DescribeArgs) -> anyhow::Result<Exit> {
    let mr = Mr::find(&args.mr).await?;
    let answer = mr.post(&["description"], json!({ "description": args.text })).await?;
    tell(args.mr.server.json, &answer, &format!("{}!{} has a new description", mr.repo, mr.number));
    Ok(Exit::Ok)
}

pub async fn label(args: &LabelArgs) -> anyhow::Result<Exit> {
    let mr = Mr::find(&args.mr).await?;
    let answer = mr.post(&["labels"], json!({ "add": args.add, "remove": args.remove })).await?;
    tell(args.mr.server.json, &answer, &format!("{}!{} is labelled anew", mr.repo, mr.number));
    Ok(Exit::Ok)
}
