//! `trueup drift`: where live systems are not what the governed branch asks for.

use super::{
    Exit,
    client::{Client, ServerArgs},
    load::load,
    plan::Output,
    term::Color,
};
use crate::{
    app::{drift as search, wiring},
    core::{
        drift::{Fault, Heading, Row, Tally, closing, found_lines, found_markdown, json, part_line},
        render::Style,
    },
};
use anyhow::Context as _;
use futures::{Stream, StreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use std::{io::IsTerminal as _, path::PathBuf, pin::Pin, sync::Arc, time::Duration};

/// Reads the live systems and compares them with the governed branch, overlaid with what open changes have written. Writes nothing.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup drift --repo dns
  trueup drift --repo dns --target inside --unit example.com.
  trueup drift --repo dns 'inside/rrset/example.com./www/*'
  trueup drift --repo dns -o json | jq .drift
  trueup drift --config server.yaml --checkout . --base main

With --config nothing but the checkout and the targets is asked: what open changes have written and what is overridden is not known \
then, and shows as drift. What is live and nobody ever asked for is no drift.

Exit codes:
  0  no drift; what an override covers does not count, unless --strict
  1  an error, also when a part could not be looked at: the rest is told
  2  there is drift")]
pub struct DriftArgs {
    /// Only resources that match this glob over `target/kind/name`.
    #[arg(value_name = "PATTERN")]
    pattern: Option<String>,
    /// Only this target.
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Only this of the target, as grants say it: a zone, a key, all keys that start so (`app/*`).
    #[arg(long, value_name = "UNIT")]
    unit: Option<String>,
    /// Count drift that an override covers, too.
    #[arg(long)]
    strict: bool,
    /// Have what is found proposed as a merge request of the server's own, which you cannot approve then.
    #[arg(long, conflicts_with = "config")]
    propose: bool,
    /// How to print what is found.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// The repository's name on the server; not needed when you see only one.
    #[arg(long, env = "TRUEUP_REPO", value_name = "NAME", help_heading = "Server")]
    repo: Option<String>,
    /// The server's URL.
    #[arg(long, env = "TRUEUP_SERVER", value_name = "URL", help_heading = "Server", required_unless_present = "config")]
    server: Option<String>,
    /// Your token; better from the environment, because others on the machine see arguments.
    #[arg(long, env = "TRUEUP_TOKEN", value_name = "TOKEN", hide_env_values = true, help_heading = "Server", required_unless_present = "config")]
    token: Option<String>,
    /// The server configuration that names the targets: no server is asked.
    #[arg(long, value_name = "FILE", help_heading = "Without a server")]
    config: Option<PathBuf>,
    /// The repository: a checkout or a bare repository.
    #[arg(long, default_value = ".", value_name = "DIR", help_heading = "Without a server")]
    checkout: PathBuf,
    /// The branch or commit to compare with.
    #[arg(long, default_value = "main", value_name = "REV", help_heading = "Without a server")]
    base: String,
}

type Rows = Pin<Box<dyn Stream<Item = anyhow::Result<Row>>>>;

pub async fn run(args: &DriftArgs, color: Color) -> anyhow::Result<Exit> {
    let (repo, rows) = match &args.config {
        Some(config) => alone(args, config).await?,
        None => asked(args).await?,
    };
    let told = tell(args, &repo, rows, color).await?;
    if args.propose {
        let answer = client(args)?.post(&["repos", &repo, "drift", "proposal"], serde_json::json!({})).await?;
        match answer["number"].as_u64() {
            Some(number) => eprintln!("proposed as {repo}!{number}: merging adopts, `trueup mr say {number} restore` brings back what the branch asks for"),
            None => eprintln!("nothing to propose"),
        }
    }
    let drifted = told.drifted + if args.strict { told.overridden } else { 0 };
    Ok(match (told.faults, drifted) {
        (0, 0) => Exit::Ok,
        (0, _) => Exit::Changes,
        // What was not looked at may have drifted: nobody may take this for the whole answer.
        (_, _) => Exit::Error,
    })
}

/// Asks the server.
async fn asked(args: &DriftArgs) -> anyhow::Result<(String, Rows)> {
    let client = client(args)?;
    let repo = client.repo(args.repo.as_deref()).await?;
    let narrowed = [("target", &args.target), ("unit", &args.unit), ("pattern", &args.pattern)];
    let query: Vec<(&str, &str)> = narrowed.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
    let rows = client.rows(&["repos", &repo, "drift"], &query).await?;
    Ok((repo, Box::pin(rows)))
}

fn client(args: &DriftArgs) -> anyhow::Result<Client> {
    let (server, token) = (args.server.clone().context("say which server with --server (TRUEUP_SERVER)")?, args.token.clone().context("say who you are with TRUEUP_TOKEN")?);
    Client::new(&ServerArgs { server, token, json: false })
}

/// Looks from here.
async fn alone(args: &DriftArgs, config: &std::path::Path) -> anyhow::Result<(String, Rows)> {
    let server = load(config)?;
    let secrets = wiring::secrets(&server).await?;
    let safe = Arc::new(wiring::safe(&server, secrets.clone()).await?);
    let targets = wiring::targets(&server, &*secrets).await?;
    let repo = Arc::new(wiring::checkout(&server, args.repo.as_deref(), &args.checkout)?);
    let (name, base) = (repo.id.to_string(), repo.state.commit(&args.base)?);
    let text = |text: &Option<String>| text.as_deref().map(Into::into);
    let asked = search::Asked { target: text(&args.target), unit: text(&args.unit), pattern: text(&args.pattern) };
    let rows = search::search(repo, targets, safe, search::Open::Unknown, base, asked).await.map_err(anyhow::Error::msg)?;
    let rows = stream::unfold(rows, |mut rows| async move { Some((Ok(rows.recv().await?), rows)) });
    Ok((name, Box::pin(rows)))
}

/// Prints what comes as it comes; all in numbers.
async fn tell(args: &DriftArgs, repo: &str, mut rows: Rows, color: Color) -> anyhow::Result<Tally> {
    let style = Style { color: color.on_stdout(), width: 0 };
    let (mut heading, mut kept, mut faults, mut ended): (Heading, Vec<Row>, Vec<Fault>, Option<Tally>) = Default::default();
    let (spinner, mut looked) = (progress(), 0u64);
    while let Some(row) = rows.next().await {
        let row = row?;
        match &row {
            Row::Drift(found) => match args.output {
                Output::Text => spinner.suspend(|| {
                    if let Some(line) = heading.before(found) {
                        println!("{line}");
                    }
                    print!("{}", found_lines(found, style));
                }),
                Output::Markdown => print!("{}", found_markdown(found)),
                Output::Json => kept.push(row),
            },
            Row::Part(part) => {
                looked += part.resources;
                spinner.set_message(format!("{looked} compared; {}", part_line(part)));
            }
            Row::Fault(fault) => {
                faults.push(fault.clone());
                kept.push(row);
            }
            Row::End(tally) => ended = Some(tally.clone()),
        }
    }
    spinner.finish_and_clear();
    let tally = ended.context("the answer broke off: the server stopped, or the connection did; ask again")?;
    match args.output {
        Output::Json => println!("{:#}", json(repo, &kept, &tally)),
        Output::Text => closing_lines(&tally, &faults, "", tally.drifted + tally.overridden > 0),
        Output::Markdown => closing_lines(&tally, &faults, "\n", false),
    }
    Ok(tally)
}

/// One line on a terminal's standard error that is rewritten; nothing elsewhere.
fn progress() -> ProgressBar {
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn closing_lines(tally: &Tally, faults: &[Fault], before: &str, gap: bool) {
    if gap {
        println!();
    }
    for line in closing(tally, faults) {
        println!("{before}{line}");
    }
}
