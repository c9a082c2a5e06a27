//! Patterns over resource ids, as policy and templates write them.

use crate::core::model::{Refusal, RefusalKind, ResourceId, Str};
use globset::{Glob, GlobSet, GlobSetBuilder};

/// A list of globs over `target/kind/name`; a pattern that begins with `!` takes back what the others match.
///
/// `*` also matches `/`, so that `dns-outside/*` is the whole target.
pub struct Patterns {
    yes: GlobSet,
    no: GlobSet,
}

/// What a list of patterns says of one id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matched {
    Yes,
    /// Taken back by a `!` pattern.
    TakenBack,
    Silent,
}

impl Patterns {
    /// Compiles the patterns of the setting named `of` (`policy.ignore`).
    pub fn new(of: &str, patterns: &[Str]) -> Result<Self, Refusal> {
        let (mut yes, mut no) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        let bad = |pattern: &str, error: &globset::Error| {
            Refusal::new(RefusalKind::Schema, format!("`{pattern}` in `{of}` is not a pattern: {}", error.kind()))
                .advice("write a glob over target/kind/name, such as `dns-outside/rrset/example.com./*`")
        };
        for pattern in patterns {
            let (set, text) = match pattern.strip_prefix('!') {
                Some(rest) => (&mut no, rest),
                None => (&mut yes, &**pattern),
            };
            set.add(Glob::new(text).map_err(|error| bad(pattern, &error))?);
        }
        let done = |set: GlobSetBuilder| set.build().map_err(|error| bad("(all)", &error));
        Ok(Self { yes: done(yes)?, no: done(no)? })
    }

    pub fn says(&self, id: &ResourceId) -> Matched {
        if self.yes.is_empty() && self.no.is_empty() {
            return Matched::Silent;
        }
        let text = id.to_string();
        if self.no.is_match(&text) {
            Matched::TakenBack
        } else if self.yes.is_match(&text) {
            Matched::Yes
        } else {
            Matched::Silent
        }
    }

    pub fn matches(&self, id: &ResourceId) -> bool {
        self.says(id) == Matched::Yes
    }
}
