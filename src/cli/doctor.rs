//! `trueup doctor`: is everything there that a server and its repositories need?

use super::{Exit, args::runtime, term::Color};
use crate::{
    app::{config, doctor},
    ports::{Exam, Found},
};
use std::path::PathBuf;

/// Examines a server's configuration, its repositories and its targets as they would be used. Writes nothing.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup doctor --config server.yaml
  trueup doctor --config server.yaml --repo . --name dns --json | jq '.checks[] | select(.found != \"ok\")'

One line a check: ok, warn or fail, what was seen, and what to do next. Of a name server it asks questions, begins transfers and \
lets go of them, and sends an update of nothing under a condition that does not hold; rules for single names (BIND: update-policy) \
cannot be seen without writing. Of a config center it asks who we are and what our rights are, and reads.

JSON: version (1), ok, checks: about, found (ok, warn, fail), said, next (text or null).

Exit codes: 0 nothing failed (warnings may stand), 1 something failed.")]
pub struct DoctorArgs {
    /// The server configuration.
    #[arg(long, env = "TRUEUP_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
    /// A checkout or bare repository to look at, instead of where the server keeps it.
    #[arg(long, value_name = "DIR")]
    pub repo: Option<PathBuf>,
    /// Which of the configuration's repositories --repo is. Needed when it names several.
    #[arg(long, value_name = "NAME", requires = "repo")]
    pub name: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &DoctorArgs, color: Color) -> anyhow::Result<Exit> {
    let exams = match config::load(&args.config) {
        Err(faults) => faults.iter().map(|fault| Exam::fail("configuration", fault.to_string(), fault.advice.clone().unwrap_or_else(|| "mend the file".to_owned()))).collect(),
        Ok(server) => {
            let name = match (&args.repo, &args.name, server.repositories.as_slice()) {
                (None, ..) => None,
                (Some(_), Some(name), all) if all.iter().any(|repository| *repository.name == **name) => Some(name.clone()),
                (Some(_), Some(name), _) => anyhow::bail!("the server configuration names no repository `{name}`"),
                (Some(_), None, [only]) => Some(only.name.to_string()),
                (Some(_), None, all) => anyhow::bail!("the server configuration names {} repositories; say which with --name", all.len()),
            };
            let checkout = name.as_deref().zip(args.repo.as_deref());
            let mut exams = vec![Exam::ok("configuration", format!("{} is well formed", args.config.display()))];
            exams.extend(runtime()?.block_on(doctor::examine(&server, checkout)));
            exams
        }
    };
    if args.json {
        println!("{:#}", doctor::json(&exams));
    } else {
        exams.iter().for_each(|exam| println!("{}", line(exam, color.on_stdout())));
    }
    Ok(if exams.iter().any(|exam| exam.found == Found::Fail) { Exit::Error } else { Exit::Ok })
}

/// `fail  target inside: reach: no connection to …; check that …`
fn line(exam: &Exam, color: bool) -> String {
    let paint = match exam.found {
        Found::Ok => "\x1b[32m",
        Found::Warn => "\x1b[33m",
        Found::Fail => "\x1b[31m",
    };
    let word = format!("{:4}", exam.found.as_str());
    let word = if color { format!("{paint}{word}\x1b[0m") } else { word };
    let next = exam.next.as_ref().map_or_else(String::new, |next| format!("; {next}"));
    format!("{word}  {}: {}{next}", exam.about, exam.said).replace('\n', " ")
}
