//! `trueup halt`: no new writes, on the whole server.

use super::{
    Exit,
    client::{Client, ServerArgs, tell},
};
use serde_json::json;

#[derive(clap::Args)]
#[command(after_help = "Every change stops at its next safe point; nothing is undone. Needs an admin.

Examples:
  trueup halt
  trueup halt --lift")]
pub struct HaltArgs {
    /// Let writes go on.
    #[arg(long)]
    lift: bool,
    #[command(flatten)]
    server: ServerArgs,
}

pub async fn run(args: &HaltArgs) -> anyhow::Result<Exit> {
    let client = Client::new(&args.server)?;
    let answer = if args.lift { client.delete(&["halt"]).await? } else { client.post(&["halt"], json!({})).await? };
    tell(args.server.json, &answer, if args.lift { "the halt is lifted; writes go on" } else { "halted: no new writes; `trueup halt --lift` lets them go on" });
    Ok(Exit::Ok)
}
