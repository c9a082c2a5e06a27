//! What the server wants to find at a forge, and what became of making it so.

use super::SecretText;
use crate::core::model::Str;

/// What is wanted beside an account that may write and a branch that nobody else moves.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// None: no webhook is asked for.
    pub hook: Option<Hook>,
    /// The labels that the server sets, and those that it listens to.
    pub labels: Vec<Str>,
}

/// Where a forge tells the server what happened.
#[derive(Clone, Debug)]
pub struct Hook {
    pub url: String,
    /// What deliveries are signed with.
    pub secret: SecretText,
    /// Forges do not tell a secret: it is set again whatever stands there.
    pub anew: bool,
}

/// One thing that was wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Furnished {
    /// What it is: `repository dns: webhook`.
    pub about: String,
    pub outcome: Outcome,
    /// What was seen, done, or would be done, in a lowercase fragment.
    pub said: String,
    /// What a person must do, where we could not.
    pub next: Option<String>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was there.
    Stands,
    Made,
    /// It would have been made, had nobody asked for words alone.
    Would,
    /// It is not as it should be.
    Lacks,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stands => "ok",
            Self::Made => "made",
            Self::Would => "would",
            Self::Lacks => "lacks",
        }
    }
}
