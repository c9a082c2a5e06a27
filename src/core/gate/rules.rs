//! What policy asks of a merge request before its plan counts: names, messages, sizes. Judged from base's policy, so that no merge request loosens it for itself.

use crate::core::{
    model::{Policy, Require, Str},
    review::{Brings, Sighting},
};
use regex::RegexBuilder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a compiled pattern may take: far more than any name needs, and nothing to a server.
const COMPILED_BYTES: usize = 1 << 20;

/// The longest pattern.
const PATTERN_MOST: usize = 500;

/// Tasks shown of one merge request.
const TASKS_MOST: usize = 20;

/// One rule that a merge request does not keep.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unmet {
    /// Neither branch nor title nor a commit names a task.
    Task,
    Branch {
        branch: Str,
        pattern: Str,
    },
    Title {
        pattern: Str,
    },
    /// The first line of the newest commit that does not fit.
    Commit {
        line: Str,
        pattern: Str,
    },
    Files {
        files: u32,
        most: u32,
    },
    Commits {
        commits: u32,
        most: u32,
    },
    /// All commits whose first lines were read fit, and there are more.
    Unsaid {
        read: u32,
        commits: u32,
    },
    /// What git says of its commits is not read yet.
    Unread,
}

/// A task that a merge request is for, with where people find it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    pub name: Str,
    pub url: Str,
}

/// A pattern of policy; what is wrong with it is a fragment for people.
pub fn pattern(text: &str) -> Result<regex::Regex, String> {
    if text.len() > PATTERN_MOST {
        return Err(format!("has more than {PATTERN_MOST} bytes"));
    }
    RegexBuilder::new(text).size_limit(COMPILED_BYTES).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "stands for too much".to_owned(),
        // Of several lines the last says what it is.
        other => format!("is no pattern: {}", other.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ")),
    })
}

/// Whether a pattern is found; one that cannot be read is found nowhere, which is the safe side until policy is mended.
fn found(text: &str, within: &str) -> bool {
    pattern(text).is_ok_and(|pattern| pattern.is_match(within))
}

/// Every rule of policy that the merge request does not keep, in the order in which people best mend them. What the server opened by itself keeps them all, as long as nobody else pushed to it.
pub fn unmet(policy: &Policy, sighting: &Sighting) -> Vec<Unmet> {
    let Require { task, branch, title, commits, max_files, max_commits } = &policy.require;
    let mut out = Vec::new();
    if sighting.proposed.is_some() && sighting.own_head || policy.require == Require::default() {
        return out;
    }
    if let Some(pattern) = branch.as_ref().filter(|pattern| !found(pattern, &sighting.source_branch)) {
        out.push(Unmet::Branch { branch: sighting.source_branch.clone(), pattern: pattern.clone() });
    }
    if let Some(pattern) = title.as_ref().filter(|pattern| !found(pattern, &sighting.title)) {
        out.push(Unmet::Title { pattern: pattern.clone() });
    }
    let asks_git = commits.is_some() || max_files.is_some() || max_commits.is_some();
    match &sighting.brings {
        Some(Brings { commits: count, messages, unsaid, files }) => {
            let first_line = |message: &Str| message.lines().next().unwrap_or_default().to_owned();
            if let Some(pattern) = commits {
                match messages.iter().map(first_line).find(|line| !found(pattern, line)) {
                    Some(line) => out.push(Unmet::Commit { line: line.into(), pattern: pattern.clone() }),
                    // What was not read may be what does not fit.
                    None if *unsaid > 0 => out.push(Unmet::Unsaid { read: count.saturating_sub(*unsaid), commits: *count }),
                    None => {}
                }
            }
            out.extend(max_files.filter(|most| files > most).map(|most| Unmet::Files { files: *files, most }));
            out.extend(max_commits.filter(|most| count > most).map(|most| Unmet::Commits { commits: *count, most }));
        }
        None => out.extend(asks_git.then_some(Unmet::Unread)),
    }
    if *task && tasks(policy, sighting).is_empty() {
        out.push(Unmet::Task);
    }
    out
}

/// The tasks that branch, title and commit messages name, in this order, each once.
pub fn tasks(policy: &Policy, sighting: &Sighting) -> Vec<Task> {
    let messages = sighting.brings.iter().flat_map(|brings| &brings.messages);
    let texts: Vec<&str> = [&*sighting.source_branch, &sighting.title].into_iter().chain(messages.map(|message| &**message)).collect();
    let mut seen = BTreeSet::new();
    let mut out = Vec::new();
    let patterns: Vec<_> = policy.links.iter().filter_map(|link| Some((link, pattern(&link.pattern).ok()?))).collect();
    for text in texts {
        for (link, pattern) in &patterns {
            for captures in pattern.captures_iter(text) {
                // A group says which part of the match is the task's name.
                let Some(name) = captures.get(1).or_else(|| captures.get(0)).map(|found| found.as_str()).filter(|name| !name.is_empty()) else { continue };
                if out.len() < TASKS_MOST && seen.insert((name.to_owned(), link.url.clone())) {
                    out.push(Task { name: name.into(), url: link.url.replace("{task}", &encoded(name)).into() });
                }
            }
        }
    }
    out
}

/// A name as one part of a URL: everything but letters, digits and a few marks is percent-encoded.
fn encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}
