//! Asking the server: again and again until its plan is made, with what it waits for told meanwhile.

use super::{
    job::Environment,
    token::{self, Token},
};
use crate::cli::client::{Client, ServerArgs, field};
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// What is asked, and of whom.
pub struct Question {
    pub server: String,
    pub token_file: Option<PathBuf>,
    pub audience: Option<String>,
    pub name: Option<String>,
    pub number: Option<u64>,
    pub head: String,
    pub timeout: Duration,
}

/// Why there is no preview.
#[derive(Debug)]
pub enum NoAnswer {
    /// The server is away, or something it needs is.
    Away(String),
    /// It answered, and will not answer otherwise.
    Refused(String),
}

/// A server that restarts is back within this many tries.
const TRIES: u32 = 3;

/// The wait before the next try; it grows with each.
const AGAIN: Duration = Duration::from_secs(1);

/// GitHub's tokens live for minutes: whoever waits longer asks with a new one.
const FRESH: Duration = Duration::from_secs(120);

/// Asks until the server has an answer or the time is up.
pub async fn ask(question: &Question, from: &dyn Environment) -> Result<Value, NoAnswer> {
    let deadline = Instant::now() + question.timeout;
    let mut entered: Option<(Client, Instant)> = None;
    let (mut tries, mut said) = (0, String::new());
    let body = json!({ "repo": question.name, "number": question.number, "head": question.head });
    loop {
        let client = match entered.take().filter(|(_, since)| since.elapsed() < FRESH) {
            Some(entered) => entered,
            None => (enter(question, from).await?, Instant::now()),
        };
        let (client, _) = entered.insert(client);
        match client.exchange(&["previews"], &body).await {
            Ok((200, answer)) => return Ok(answer),
            Ok((202, answer)) => {
                tries = 0;
                let waits_for = field(&answer, "waits_for");
                if waits_for != said {
                    eprintln!("waiting: {waits_for}");
                    said = waits_for;
                }
                if Instant::now() >= deadline {
                    let why = format!("the server was not done planning after {}s: {said}", question.timeout.as_secs());
                    return Err(NoAnswer::Away(format!("{why}; wait longer with --timeout, or look at the change on the server")));
                }
                tokio::time::sleep(AGAIN).await;
            }
            Ok((status, answer)) => {
                let why = match (answer["error"].as_str(), answer["advice"].as_str()) {
                    (Some(_), Some(_)) => format!("{}; {}", field(&answer, "error"), field(&answer, "advice")),
                    _ => format!("{} answered {status}; is this a trueup server?", question.server),
                };
                return Err(if status >= 500 || status == 429 { NoAnswer::Away(why) } else { NoAnswer::Refused(why) });
            }
            Err(error) => {
                tries += 1;
                if tries >= TRIES {
                    return Err(NoAnswer::Away(format!("{error:#}")));
                }
                tokio::time::sleep(AGAIN * tries).await;
            }
        }
    }
}

async fn enter(question: &Question, from: &dyn Environment) -> Result<Client, NoAnswer> {
    let audience = question.audience.clone().unwrap_or_else(|| question.server.trim_end_matches('/').to_owned());
    let Token(token) = token::token(question.token_file.as_deref(), &audience, from).await.map_err(|error| NoAnswer::Refused(format!("{error:#}")))?;
    Client::new(&ServerArgs { server: question.server.clone(), token, json: true }).map_err(|error| NoAnswer::Refused(format!("{error:#}")))
}
