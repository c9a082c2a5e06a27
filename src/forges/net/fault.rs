//! Why a forge did not do what it was asked over HTTP.

use crate::{
    core::review::escape,
    ports::{ForgeError, ForgeErrorKind, RepoError},
};

/// What of a forge's own words is repeated: they come from outside.
const WORDS: usize = 300;

/// An answer that is none, with as much of it as callers branch on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct NetError {
    pub kind: ForgeErrorKind,
    /// The status that came; none: no answer came, or none was asked for.
    pub status: Option<u16>,
    /// What the forge itself says.
    pub message: String,
    /// A lowercase fragment that says what to do next.
    pub what: String,
    /// The answer was more than is read at once; less of it may be asked for.
    pub long: bool,
}

impl NetError {
    pub fn new(kind: ForgeErrorKind, what: impl Into<String>) -> Self {
        Self { kind, status: None, message: String::new(), what: what.into(), long: false }
    }

    /// An answer with a status that is no success.
    pub fn refused(forge: &str, asked: &str, status: u16, body: &[u8]) -> Self {
        let kind = match status {
            401 => ForgeErrorKind::Stranger,
            403 | 451 => ForgeErrorKind::Denied,
            404 | 410 => ForgeErrorKind::NotFound,
            405 | 409 | 423 => ForgeErrorKind::Conflict,
            408 | 425 | 500..=599 => ForgeErrorKind::Unavailable,
            429 => ForgeErrorKind::Limited,
            _ => ForgeErrorKind::Invalid,
        };
        let message = message(body);
        let next = match kind {
            ForgeErrorKind::Stranger => "; it does not know the token (any more): make a new one and put it where `token:` says",
            ForgeErrorKind::Denied => "; the token may not: check its scopes and its account's rights",
            ForgeErrorKind::NotFound => "; check `project:` and that the account may see it",
            ForgeErrorKind::Conflict | ForgeErrorKind::Invalid | ForgeErrorKind::Limited | ForgeErrorKind::Unavailable => "",
        };
        let moved = if (300..400).contains(&status) { "; it has moved: put the new address into the configuration" } else { next };
        let said = if message.is_empty() { String::new() } else { format!(": {message}") };
        Self { kind, status: Some(status), what: format!("forge {forge} answered {status} to {asked}{said}{moved}"), message, long: false }
    }

    /// An answer that cannot be read.
    pub fn unreadable(forge: &str, asked: &str, why: impl std::fmt::Display) -> Self {
        Self::new(ForgeErrorKind::Unavailable, format!("what forge {forge} answered to {asked} cannot be read: {}", escape::cut(&why.to_string(), WORDS)))
    }
}

impl From<NetError> for ForgeError {
    fn from(error: NetError) -> Self {
        Self { what: error.what, kind: error.kind }
    }
}

impl From<RepoError> for NetError {
    fn from(error: RepoError) -> Self {
        let kind = match error {
            RepoError::NoSuchRev { .. } | RepoError::Git { .. } => ForgeErrorKind::Unavailable,
            RepoError::TooLarge { .. } => ForgeErrorKind::Invalid,
        };
        Self::new(kind, error.to_string())
    }
}

/// The forge's own words, on one line, cut.
fn message(body: &[u8]) -> String {
    let said = serde_json::from_slice::<serde_json::Value>(body).ok().and_then(|json| {
        let text = ["message", "error_description", "error"].iter().find_map(|key| match &json[*key] {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Null => None,
            other => Some(other.to_string()),
        });
        text.filter(|text| !text.trim().is_empty())
    });
    // A page of HTML from a proxy says nothing to anybody.
    let text = said.unwrap_or_else(|| if body.first() == Some(&b'<') { String::new() } else { String::from_utf8_lossy(body).into_owned() });
    escape::cut(text.trim(), WORDS)
}
