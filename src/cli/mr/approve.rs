//! `trueup mr approve`: a plan that was read is approved by its digest.

use crate::cli::{
    Exit,
    client::{Mr, MrArgs, field, tell},
};
use serde_json::json;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup mr plan 7                             read it first
  trueup mr approve 7 --digest 3f2a90c1d4e5    approve exactly that
  trueup mr approve 7                          approve the plan as it is shown now
  trueup mr approve 7 --step 1 --step 2        approve two steps of it

Whoever wrote or pushed a commit of the merge request cannot approve it.")]
pub struct ApproveArgs {
    #[command(flatten)]
    mr: MrArgs,
    /// The digest that was read, or its first twelve digits; refused when the plan is another by now.
    #[arg(long, value_name = "HEX")]
    digest: Option<String>,
    /// Only this step; may be given several times.
    #[arg(long = "step", value_name = "STEP")]
    steps: Vec<u32>,
}

pub async fn run(args: &ApproveArgs) -> anyhow::Result<Exit> {
    let mr = Mr::find(&args.mr).await?;
    let digest = match &args.digest {
        Some(digest) => digest.clone(),
        None => {
            let change = mr.show().await?;
            let found = change["digest"].as_str().map(str::to_owned);
            found.ok_or_else(|| anyhow::anyhow!("{}!{} has no plan yet: it is {}; wait with `trueup mr wait`", mr.repo, mr.number, field(&change, "phase")))?
        }
    };
    let answer = mr.post(&["approve"], json!({ "digest": digest, "steps": args.steps })).await?;
    tell(args.mr.server.json, &answer, &field(&answer, "answer"));
    Ok(Exit::Ok)
}
