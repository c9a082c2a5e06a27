//! Reading a payload: the parts that all dialects share, and their bounds.

use super::{
    envelope::Dialect,
    gitea, github, gitlab,
    hint::{Push, Reading, Subject},
};
use crate::core::{
    model::{CommitId, Time},
    review::Status,
};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

/// The longest name of a branch, a project or a person that is kept; git and the forges stop far below.
const NAME_MOST: usize = 1024;

/// Commits of one push that are remembered beside its tip: as many as people look through.
const CARRIED: usize = 200;

/// Why a payload cannot be understood: truncated, mistyped, or not what its event promises.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// Reads a payload. An event that we do not know is no fault: it is about nothing.
pub fn read(dialect: Dialect, event: &str, payload: &[u8]) -> Result<Reading, Unreadable> {
    let mut reading = match dialect {
        Dialect::GitHub => github::read(event, payload),
        Dialect::Gitea => gitea::read(event, payload),
        Dialect::GitLab => gitlab::read(payload),
    }?;
    reading.projects.retain(|project| fits(project));
    reading.about = reading.about.filter(|about| match about {
        Subject::Branch(name) => fits(name),
        Subject::Mr(_) | Subject::Commit(_) | Subject::Repository(_) => true,
    });
    reading.push = reading.push.map(|push| Push { by: push.by.into_iter().filter(|who| fits(who)).collect(), ..push }).filter(|push| fits(&push.branch) && !push.by.is_empty());
    Ok(reading)
}

fn fits(name: &str) -> bool {
    (1..=NAME_MOST).contains(&name.len())
}

/// Parses JSON of a known shape; what the shape does not name is skipped without being kept.
pub(super) fn json<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(payload).map_err(|error| Unreadable(format!("the payload is not what its event promises: {error}")))
}

/// A commit by its whole id; zeros stand for none.
pub(super) fn commit(text: &str) -> Option<CommitId> {
    let whole = [40, 64].contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (whole && text.bytes().any(|byte| byte != b'0')).then(|| CommitId::new(text.to_ascii_lowercase()))
}

/// What came with the tip of a push, as far as its delivery names it.
pub(super) fn carried(commits: Option<&Json>, tip: &CommitId) -> Vec<CommitId> {
    let named = commits.and_then(Json::as_array).into_iter().flatten().filter_map(|one| commit(one["id"].as_str()?));
    named.filter(|id| id != tip).take(CARRIED).collect()
}

/// The branch of a full name; none for tags and others.
pub(super) fn branch(name: &str) -> Option<&str> {
    name.strip_prefix("refs/heads/")
}

/// Whether a status is one of ours, which we know of already.
pub(super) fn is_ours(context: &str) -> bool {
    context.starts_with(Status::OURS)
}

/// An instant as the forges write it: RFC 3339, or GitLab's older `2017-09-15 16:52:00 UTC`.
pub(super) fn time(text: Option<&str>) -> Option<Time> {
    let text = text?;
    let zoned = text.strip_suffix(" UTC").map(|bare| format!("{bare}Z"));
    let at: jiff::Timestamp = zoned.as_deref().unwrap_or(text).parse().ok()?;
    Some(Time(at.as_millisecond()))
}
