//! What can be learned of a target without changing it, for `trueup doctor`.

use super::{Cx, Driver, Fut};
use crate::core::model::{Str, Unit};

/// Looks at a target the way a run would use it, and writes nothing.
pub trait Probe: Driver {
    /// On return there is at least one exam for each thing a run needs of the target, of `units` and of what is granted, good or bad.
    ///
    /// `granted`: the patterns of all grants on this target (`/app/*`); `*` stands for a grant of the whole.
    fn probe<'a>(&'a self, cx: &'a Cx<'a>, units: &'a [Unit], granted: &'a [Str]) -> Fut<'a, Vec<Exam>>;
}

/// One thing looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exam {
    /// What was looked at: `target inside: key`.
    pub about: String,
    pub found: Found,
    /// What was seen, in a lowercase fragment.
    pub said: String,
    /// What to do next, where something is to be done.
    pub next: Option<String>,
}

/// How an exam went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Found {
    Ok,
    /// It works, or may work, and somebody should look.
    Warn,
    /// What needs it will fail.
    Fail,
}

impl Found {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl Exam {
    pub fn ok(about: impl Into<String>, said: impl Into<String>) -> Self {
        Self { about: about.into(), found: Found::Ok, said: said.into(), next: None }
    }

    pub fn warn(about: impl Into<String>, said: impl Into<String>, next: impl Into<String>) -> Self {
        Self { about: about.into(), found: Found::Warn, said: said.into(), next: Some(next.into()) }
    }

    pub fn fail(about: impl Into<String>, said: impl Into<String>, next: impl Into<String>) -> Self {
        Self { about: about.into(), found: Found::Fail, said: said.into(), next: Some(next.into()) }
    }
}
