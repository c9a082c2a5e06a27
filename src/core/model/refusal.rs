//! A user's fault, said so that the user can mend it: what, where, and what to do next.

use super::Place;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Bad input: refused at plan time, with the place and the next thing to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Refusal {
    pub kind: RefusalKind,
    /// A lowercase fragment: what is wrong.
    pub what: String,
    pub place: Option<Place>,
    /// The line of the file the place points at, for the caret; never a sensitive one.
    pub excerpt: Option<String>,
    /// A lowercase fragment: what to do next.
    pub advice: Option<String>,
    /// A second place the fault speaks of: the other claimant, the other end of a cycle.
    pub also: Option<Place>,
}

/// The classes of refusal that callers and tests branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// Text that does not parse, or breaks a size, depth or alias budget.
    Syntax,
    /// A key, type or shape that the schema does not know.
    Schema,
    /// A value its kind or target cannot hold.
    Value,
    /// A path or link that leads out of the tree, or is no regular file.
    Path,
    /// A target, source or reference that does not exist.
    Unknown,
    /// Something outside what the server granted the repository.
    Grant,
    /// Two places that claim one resource or one part of the tree.
    Overlap,
    /// An order that waits for itself.
    Cycle,
    /// A limit of policy or server.
    Budget,
    /// A resource that policy protects.
    Protected,
    /// Live state that another writer changed, where policy says to stop.
    Drift,
    /// A live system that cannot do what is asked: a zone that is missing, a key it does not accept.
    Target,
}

impl Refusal {
    pub fn new(kind: RefusalKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), place: None, excerpt: None, advice: None, also: None }
    }

    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    pub fn excerpt(mut self, line: impl Into<String>) -> Self {
        self.excerpt = Some(line.into());
        self
    }

    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    pub fn also(mut self, place: Place) -> Self {
        self.also = Some(place);
        self
    }
}

impl fmt::Display for Refusal {
    /// Prints one line: `file:line:column: what; advice`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.what)?;
        if let Some(also) = &self.also {
            write!(f, " (also at {also})")?;
        }
        if let Some(advice) = &self.advice {
            write!(f, "; {advice}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}
