//! `trueup status`: how the server is, and what waits for a person.

use super::{
    Exit,
    client::{Client, ServerArgs, field},
    mr::print_table,
};
use serde_json::{Value, json};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup status --server http://127.0.0.1:8080
  trueup status --json | jq .changes

Changes that are merged, restored or closed are counted and not listed; `trueup mr list` lists all.")]
pub struct StatusArgs {
    #[command(flatten)]
    server: ServerArgs,
}

pub async fn run(args: &StatusArgs) -> anyhow::Result<Exit> {
    let client = Client::new(&args.server)?;
    let status = client.get(&["status"]).await?;
    if args.server.json {
        println!("{status:#}");
        return Ok(Exit::Ok);
    }
    let halted = if status["halted"] == true { ", HALTED: no writes until `trueup halt --lift`" } else { "" };
    println!("trueup {} as {}{halted}", field(&status, "version"), field(&status, "user"));
    let counts: Vec<String> = status["changes"].as_object().into_iter().flatten().map(|(phase, n)| format!("{n} {phase}")).collect();
    println!("{}", if counts.is_empty() { "no changes".to_owned() } else { counts.join(", ") });
    for sweep in client.get(&["drift"]).await?["sweeps"].as_array().into_iter().flatten() {
        let (drifted, overridden) = (&sweep["drifted"], &sweep["overridden"]);
        let unread = sweep["faults"].as_array().map_or(0, Vec::len);
        let unread = if unread > 0 { format!(", {unread} not looked at") } else { String::new() };
        let when = if sweep["ended"].is_null() { "its first sweep is under way".to_owned() } else { format!("swept {}", field(sweep, "ended")) };
        println!("drift of {} on {}: {drifted} drifted, {overridden} overridden{unread}; {when}", field(sweep, "repo"), field(sweep, "target"));
    }
    let all = client.get(&["changes"]).await?;
    let over = ["merged", "closed", "restored"];
    let open: Vec<&Value> = all["changes"].as_array().into_iter().flatten().filter(|change| !over.iter().any(|phase| change["phase"] == *phase)).collect();
    if !open.is_empty() {
        println!();
        print_table(&json!(open));
    }
    Ok(Exit::Ok)
}
