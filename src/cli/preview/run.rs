//! The command: what it takes, where the preview comes from, and where it goes.

use super::{
    ask::{self, NoAnswer, Question},
    job::{Ci, Job, Process},
    notices,
};
use crate::{
    app::{preview, wiring},
    cli::{Exit, client, mr::span, plan::Output, term::Color},
    core::{
        model::Span,
        render::{Found, Outcome, Preview, Sheet, Style, Unseen},
        review::escape,
    },
};
use anyhow::{Context as _, bail};
use serde_json::Value;
use std::{fs, io::Write as _, path::PathBuf};

/// Prints what a merge request would change, for a job of CI. The server is asked for the plan it has made, and never approves or runs anything for it.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup preview --server https://trueup.example.com --json preview.json || test $? -eq 2
  trueup preview --offline --format markdown --output preview.md
  trueup preview --or-offline

Who asks: the job itself. On GitHub Actions its OIDC token is fetched (`permissions: id-token: write`); on GitLab name a token of \
`id_tokens:` TRUEUP_TOKEN; elsewhere TRUEUP_TOKEN or --token-file holds a token that the server's configuration has under `ci.tokens`. \
A token is never an argument. Which merge request and head is asked about is read from the job's variables, or from --number and --head.

--offline asks nobody: base is compared with what merging gives, and what is live is not looked at.

Exit codes:
  0  nothing would change; offline: nothing differs
  1  an error; bad input is printed with file, line and column
  2  there are changes")]
pub struct PreviewArgs {
    /// The repository: a checkout or a bare repository.
    #[arg(long, default_value = ".", value_name = "DIR")]
    repo: PathBuf,
    /// The branch or commit that would be merged. Without it: what the job says, and offline HEAD.
    #[arg(long, value_name = "REV")]
    head: Option<String>,
    /// What to print on standard output.
    #[arg(long, value_enum, default_value_t)]
    format: Output,
    /// Write it to a file instead, to post it as a comment; standard output then has the text.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write everything as JSON to a file, too, to upload it.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The server's URL.
    #[arg(long, env = "TRUEUP_SERVER", value_name = "URL", help_heading = "Server", required_unless_present = "offline")]
    server: Option<String>,
    /// The file that holds the token; without it TRUEUP_TOKEN, or the OIDC token of GitHub Actions.
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    token_file: Option<PathBuf>,
    /// For whom GitHub makes the token. Without it: the server's URL.
    #[arg(long, env = "TRUEUP_AUDIENCE", value_name = "TEXT", help_heading = "Server")]
    audience: Option<String>,
    /// The repository's name on the server, where the token may ask about several.
    #[arg(long, env = "TRUEUP_REPO", value_name = "NAME", help_heading = "Server")]
    name: Option<String>,
    /// The merge request's number. Without it: what the job says, or the one whose head it is.
    #[arg(long, value_name = "N", help_heading = "Server")]
    number: Option<u64>,
    /// How long to wait for the server's plan.
    #[arg(long, default_value = "10m", value_parser = span, help_heading = "Server")]
    timeout: Span,
    /// Where the server is away, compare offline instead, and say so.
    #[arg(long, conflicts_with = "offline", help_heading = "Server")]
    or_offline: bool,
    /// Ask nobody: compare base with what merging gives.
    #[arg(long, help_heading = "Without a server")]
    offline: bool,
    /// The branch or commit that would be merged into. Without it: the job's target branch as the checkout has it, else origin/main.
    #[arg(long, value_name = "REV", help_heading = "Without a server")]
    base: Option<String>,
}

/// A preview in all its forms.
struct Told {
    text: String,
    markdown: String,
    json: Value,
}

pub async fn run(args: &PreviewArgs, color: Color) -> anyhow::Result<Exit> {
    let job = Job::read(&Process);
    match told(args, &job, color).await.and_then(|told| tell(args, &job, &told)) {
        Ok(exit) => Ok(exit),
        Err(error) => {
            if job.ci == Some(Ci::Actions) {
                eprintln!("{}", notices::annotation(&format!("{error:#}"), &Value::Null, ""));
            }
            Err(error)
        }
    }
}

async fn told(args: &PreviewArgs, job: &Job, color: Color) -> anyhow::Result<Told> {
    if args.offline {
        return alone(args, job, color).await;
    }
    match asked(args, job).await {
        Ok(told) => Ok(told),
        Err(NoAnswer::Away(why)) if args.or_offline => {
            eprintln!("note: {why}; compared offline instead (--or-offline): no live system is looked at");
            alone(args, job, color).await
        }
        Err(NoAnswer::Away(why)) => bail!("{why}; --or-offline compares the two sides of the repository where the server is away"),
        Err(NoAnswer::Refused(why)) => bail!("{why}"),
    }
}

/// From the checkout alone.
async fn alone(args: &PreviewArgs, job: &Job, color: Color) -> anyhow::Result<Told> {
    let base = args.base.clone().unwrap_or_else(|| format!("origin/{}", job.base.as_deref().unwrap_or("main")));
    let found = preview::alone(&args.repo, &base, args.head.as_deref().unwrap_or("HEAD"), job.forge()).await?;
    let back = found.found.as_ref().ok().map(|plan| plan.forecast_reverse());
    let preview = Preview {
        mr: None,
        base_branch: &base,
        base: &found.compared.base,
        head: &found.compared.head,
        unseen: Some(Unseen::Alone),
        found: match &found.found {
            Ok(plan) => Found::Plan(Sheet::new(plan, &found.kinds).way_back(back.as_ref())),
            Err(preview::Fault::Refused(faults)) => Found::Refused(faults),
            Err(preview::Fault::Conflicted(paths)) => Found::Conflicted(paths),
        },
        now: None,
        page: None,
    };
    let style = Style { color: color.on_stdout() && args.output.is_none(), width: 0 };
    Ok(Told { text: preview.text(style), markdown: preview.markdown(), json: preview.json() })
}

/// From the server.
async fn asked(args: &PreviewArgs, job: &Job) -> Result<Told, NoAnswer> {
    let is_whole = |rev: &String| matches!(rev.len(), 40 | 64) && rev.bytes().all(|byte| byte.is_ascii_hexdigit());
    let head = match (&args.head, &job.head) {
        (None, Some(head)) => head.clone(),
        // The server knows it, whether or not a checkout is here.
        (Some(head), _) if is_whole(head) => head.clone(),
        (rev, _) => {
            let rev = rev.as_deref().unwrap_or("HEAD");
            let commit =
                wiring::repository(&args.repo).and_then(|state| Ok(state.commit(rev)?)).with_context(|| format!("cannot tell which commit `{rev}` is; name it with --head"));
            commit.map_err(|error| NoAnswer::Refused(format!("{error:#}")))?.to_string()
        }
    };
    let question = Question {
        server: args.server.clone().unwrap_or_default(),
        token_file: args.token_file.clone(),
        audience: args.audience.clone(),
        name: args.name.clone(),
        number: args.number.or(job.number),
        head,
        timeout: args.timeout.std(),
    };
    let mut json = ask::ask(&question, &Process).await?;
    let (text, markdown) = (client::text(&json, "text") + "\n", client::text(&json, "markdown") + "\n");
    if let Some(fields) = json.as_object_mut() {
        fields.remove("text");
        fields.remove("markdown");
    }
    Ok(Told { text, markdown, json })
}

/// Prints, writes, annotates; how it ends.
fn tell(args: &PreviewArgs, job: &Job, told: &Told) -> anyhow::Result<Exit> {
    let actions = job.ci == Some(Ci::Actions);
    let whole = format!("{:#}\n", told.json);
    let wanted = match args.format {
        Output::Text => &told.text,
        Output::Json => &whole,
        Output::Markdown => &told.markdown,
    };
    let write = |path: &PathBuf, text: &str| fs::write(path, text).with_context(|| format!("cannot write {}", path.display()));
    let shown = match &args.output {
        Some(path) => {
            write(path, wanted)?;
            &told.text
        }
        None => wanted,
    };
    if let Some(path) = &args.json {
        write(path, &whole)?;
    }
    let shown = match (actions, args.format) {
        // In JSON nothing stands at the start of a line, and this is the same text.
        (true, Output::Json) if args.output.is_none() => shown.replace("##[", "#\\u0023["),
        (true, _) => notices::harmless(shown),
        (false, _) => shown.clone(),
    };
    print!("{shown}");
    if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| actions && !path.is_empty()) {
        let added = fs::OpenOptions::new().append(true).create(true).open(&path).and_then(|mut file| file.write_all(format!("{}\n", told.markdown).as_bytes()));
        // A job's summary is a courtesy: where it cannot be written the preview is in the log.
        added.unwrap_or_else(|error| eprintln!("note: the job's summary was not written: {error}"));
    }
    let refusals = told.json["refusals"].as_array().map(Vec::as_slice).unwrap_or_default();
    if actions {
        let folder = notices::folder(job.workspace.as_deref(), &args.repo);
        for fault in refusals {
            let advice = fault["advice"].as_str().map_or_else(String::new, |advice| format!("; {advice}"));
            eprintln!("{}", notices::annotation(&format!("{}{advice}", fault["what"].as_str().unwrap_or_default()), &fault["place"], &folder));
        }
    }
    let outcome = told.json["outcome"].as_str().unwrap_or_default();
    match [Outcome::Empty, Outcome::Changes, Outcome::Refused, Outcome::Conflicted].into_iter().find(|known| known.as_str() == outcome) {
        Some(Outcome::Empty) => Ok(Exit::Ok),
        Some(Outcome::Changes) => Ok(Exit::Changes),
        Some(Outcome::Refused) => bail!("{} refused: nothing was planned", refusals.len()),
        Some(Outcome::Conflicted) => bail!("it does not merge: nothing was planned"),
        None => bail!("the server speaks of the outcome `{}`, which is not known here; are server and command of one version?", escape::cut(outcome, 40)),
    }
}
