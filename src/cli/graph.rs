//! `trueup graph`: the order of a plan, drawn.

use super::{
    Exit,
    client::{Mr, MrArgs},
};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup graph 7 > plan.mmd      any Mermaid viewer draws it
  trueup graph 'dns!7'")]
pub struct GraphArgs {
    #[command(flatten)]
    mr: MrArgs,
}

pub async fn run(args: &GraphArgs) -> anyhow::Result<Exit> {
    let mr = Mr::find(&args.mr).await?;
    let drawn = mr.client.text(&mr.path(&["graph"]), &[]).await?;
    if args.mr.server.json {
        println!("{:#}", serde_json::json!({ "version": 1, "mermaid": drawn }));
    } else {
        print!("{drawn}");
    }
    Ok(Exit::Ok)
}
