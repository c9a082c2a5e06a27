//! `trueup mr show`: one change on one screen, or whole as JSON.

use crate::{
    cli::{
        Exit,
        client::{Mr, MrArgs, field, text},
        live::{self, Screen, Stream, Verdict},
        term::Color,
    },
    core::review::Phase,
};
use serde_json::Value;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup mr show 7
  trueup mr show 7 --watch          its steps live, until it is merged, restored or closed
  trueup mr show 7 --json | jq '.phase, .digest, .steps[].state'

The JSON is version 1: phase, waits_for, reasons, digest, plan, steps, approvals, statuses, comments and more; fields may be \
added, none changes its meaning within a version.")]
pub struct ShowArgs {
    #[command(flatten)]
    mr: MrArgs,
    /// Follow it live until it is over, then show it; Ctrl-C ends the watching and nothing else.
    #[arg(long)]
    watch: bool,
}

pub async fn run(args: &ShowArgs, color: Color) -> anyhow::Result<Exit> {
    let mr = Mr::find(&args.mr).await?;
    if args.watch {
        let mut screen = if args.mr.server.json { Screen::quiet() } else { Screen::new(Stream::Stderr, color.on_stderr(), "") };
        let over = |change: &Value| change["phase"].as_str().and_then(Phase::parse).is_some_and(Phase::is_over);
        live::follow(&mr, &mut screen, &mut |change| if over(change) { Verdict::Reached } else { Verdict::GoOn }).await?;
        screen.end(false);
    }
    let change = mr.show().await?;
    if args.mr.server.json {
        println!("{change:#}");
    } else {
        print!("{}", screen(&change));
    }
    Ok(Exit::Ok)
}

/// What a person wants to know first: where it is, what it waits for, what is wrong.
pub fn screen(change: &Value) -> String {
    let mut out = format!("{}!{} {}\n", field(change, "repo"), field(change, "number"), field(change, "title"));
    let mut line = |name: &str, text: String| {
        if !text.is_empty() {
            out.push_str(&format!("  {name:<11}{text}\n"));
        }
    };
    line("phase", field(change, "phase"));
    line("waits for", field(change, "waits_for"));
    for reason in items(&change["reasons"]).filter(|reason| **reason != change["waits_for"]) {
        line("", reason.as_str().map(crate::core::review::escape::plain).unwrap_or_default());
    }
    line("author", field(change, "author"));
    line("branches", format!("{} into {}{}", field(change, "source_branch"), field(change, "base_branch"), if change["draft"] == true { ", a draft" } else { "" }));
    line("head", short(&change["head"]));
    line("digest", short(&change["digest"]));
    if change["progress"]["all"].as_u64().is_some_and(|all| all > 0) {
        line("progress", format!("{} of {} writes proven", change["progress"]["done"], change["progress"]["all"]));
    }
    for step in items(&change["steps"]) {
        line("step", format!("{} {}", field(step, "id"), field(step, "state")));
    }
    for approval in items(&change["approvals"]) {
        let given: Vec<String> = items(&approval["given"]).filter(|given| given["void"].is_null()).map(|given| field(given, "by")).collect();
        let given = if given.is_empty() { String::new() } else { format!(", given by {}", given.join(", ")) };
        let missing = if over(&change["phase"]) { String::new() } else { format!("{} missing", field(approval, "missing")) };
        let cannot = if approval["cannot"].is_null() { String::new() } else { format!(": {}", field(approval, "cannot")) };
        line("approvals", format!("{missing}{cannot}{given}").trim_start_matches(", ").to_owned());
    }
    for failure in items(&change["failures"]) {
        line("failed", format!("step {}: {}", field(failure, "step"), field(failure, "why")));
    }
    for item in items(&change["exemption"]["items"]) {
        let what = if item["id"].is_null() { String::new() } else { format!(" {}", field(item, "id")) };
        line("except", format!("step {}{what}: {}, skipped by {} until {}", field(item, "step"), field(item, "reason"), field(item, "by"), field(item, "until")));
    }
    if !change["exemption"].is_null() {
        let given: Vec<String> = items(&change["exemption"]["given"]).filter_map(|by| by.as_str().map(crate::core::review::escape::plain)).collect();
        let given = if given.is_empty() { String::new() } else { format!(", given by {}", given.join(", ")) };
        line("exemption", format!("{}: {} missing{given}", short(&change["exemption"]["digest"]), field(&change["exemption"], "missing")));
    }
    for left in items(&change["given_up"]) {
        line("let go of", field(left, "id"));
    }
    for path in items(&change["conflicts"]) {
        line("conflict", path.as_str().map(crate::core::review::escape::plain).unwrap_or_default());
    }
    for status in items(&change["all_statuses"]) {
        line("status", format!("{} {} {}", field(status, "context"), field(status, "state"), field(status, "text")).trim_end().to_owned());
    }
    line("merged as", short(&change["merged"]));
    line("page", field(&change["links"], "change"));
    for refusal in items(&change["refusals"]) {
        // Our own text, whose data is escaped already; its lines show where the fault is.
        out.push_str(&format!("\n{}\n", refusal["text"].as_str().unwrap_or_default().trim_end()));
    }
    for comment in items(&change["comments"]).filter(|comment| comment["sticky"] != true) {
        let answers = if comment["to"].is_null() { "" } else { ", an answer" };
        out.push_str(&format!("\n{} at {}{answers}:\n", field(comment, "by"), field(comment, "at")));
        for line in text(comment, "body").lines() {
            out.push_str(format!("  {line}").trim_end());
            out.push('\n');
        }
    }
    let name = format!("{}!{}", field(change, "repo"), field(change, "number"));
    if !change["plan"].is_null() {
        out.push_str(&format!("\nThe plan: trueup mr plan '{name}'\n"));
    }
    out
}

/// Whether nobody is asked to approve any more.
fn over(phase: &Value) -> bool {
    ["planning", "refused", "conflicted", "merged", "restored", "closed", "failed", "restoring"].iter().any(|over| phase == over)
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// The first twelve digits of an id.
fn short(id: &Value) -> String {
    id.as_str().map(|id| id.chars().take(12).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::screen;
    use serde_json::json;

    #[test]
    fn a_screen_says_first_where_a_change_is_and_what_is_wrong() {
        let change = json!({
            "repo": "dns", "number": 7, "title": "move \u{1b}[31mwww", "phase": "failed", "waits_for": "a retry by an approver",
            "reasons": ["step 2 failed"], "author": "ann", "source_branch": "www", "base_branch": "main", "draft": false,
            "head": "0123456789abcdef0123", "digest": "abcdef0123456789abcdef", "progress": { "done": 1, "all": 2 },
            "steps": [{ "id": 1, "state": "proven" }, { "id": 2, "state": "failed" }],
            "approvals": [{ "missing": 0, "given": [{ "by": "bea", "void": null }, { "by": "old", "void": "a newer plan" }] }],
            "failures": [{ "step": 2, "why": "the name server refused it" }],
            "all_statuses": [{ "context": "trueup/plan", "state": "success", "text": "2 writes" }],
            "comments": [
                { "by": "trueup", "at": "2026-11-21T13:00:00Z", "to": null, "sticky": true, "body": "the plan" },
                { "by": "bea", "at": "2026-11-21T13:01:00Z", "to": null, "sticky": false, "body": "/trueup approve\nlooks \u{1b}[31mright" },
                { "by": "trueup", "at": "2026-11-21T13:01:02Z", "to": 2, "sticky": false, "body": "There is no plan to approve now." },
            ],
            "merged": null, "links": { "change": "http://h/changes/dns/7" }, "refusals": [], "plan": {},
        });
        insta::assert_snapshot!(screen(&change));
    }
}
