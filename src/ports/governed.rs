//! Which branch of a repository governs: one for good, or of several that are named alike the newest that was taken over to.

use crate::core::model::{Str, natural};
use std::{
    cmp::Ordering,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

/// The governed branch of a repository; copies are of the same one.
#[derive(Clone)]
pub struct Governed {
    named: Named,
    now: Arc<RwLock<Option<Str>>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    One(Str),
    Newest(BranchPattern),
}

/// Names of branches, of which one part may be anything: `release/*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchPattern {
    text: Str,
    star: usize,
}

impl BranchPattern {
    /// Reads a pattern: a beginning, one `*`, and perhaps an end.
    pub fn parse(text: &str) -> Option<Self> {
        let star = text.find('*')?;
        let fits =
            star > 0 && !text.starts_with(['-', '/']) && text.matches('*').count() == 1 && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "~^:?[\\".contains(c));
        fits.then(|| Self { text: text.into(), star })
    }

    /// What stands before the `*`.
    pub fn beginning(&self) -> &str {
        &self.text[..self.star]
    }

    /// What stands after it.
    pub fn end(&self) -> &str {
        &self.text[self.star + 1..]
    }

    /// Whether a branch is one of these; `*` is something, and never a `/`.
    pub fn matches(&self, branch: &str) -> bool {
        let between = branch.strip_prefix(self.beginning()).and_then(|rest| rest.strip_suffix(self.end()));
        between.is_some_and(|between| !between.is_empty() && !between.contains('/'))
    }

    /// Whether some branch may be one of both.
    pub fn meets(&self, other: &Self) -> bool {
        let nested = |a: &str, b: &str| a.starts_with(b) || b.starts_with(a);
        let (end, theirs) = (self.end(), other.end());
        nested(self.beginning(), other.beginning()) && (end.ends_with(theirs) || theirs.ends_with(end))
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// How a branch stands to the one that governs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stand {
    /// It is the one.
    Governs,
    /// It would take over from this one.
    Newer(Str),
    /// This one governs, and took over from it.
    Retired(Str),
    /// None governs yet.
    Open,
    /// It is none of this repository's.
    Stray,
}

impl Governed {
    /// One branch for good.
    pub fn one(branch: impl Into<Str>) -> Self {
        let branch = branch.into();
        Self { named: Named::One(branch.clone()), now: Arc::new(RwLock::new(Some(branch))) }
    }

    /// The newest of several, once it is said which.
    pub fn newest(pattern: BranchPattern) -> Self {
        Self { named: Named::Newest(pattern), now: Arc::default() }
    }

    /// The pattern of those that may govern; `None`: it is one for good.
    pub fn pattern(&self) -> Option<&BranchPattern> {
        match &self.named {
            Named::One(_) => None,
            Named::Newest(pattern) => Some(pattern),
        }
    }

    /// Whether merge requests into a branch are this repository's.
    pub fn holds(&self, branch: &str) -> bool {
        match &self.named {
            Named::One(one) => **one == *branch,
            Named::Newest(pattern) => pattern.matches(branch),
        }
    }

    /// The branch that governs; `None`: that is not known yet.
    pub fn now(&self) -> Option<Str> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The branch that governs, or how it will be named.
    pub fn said(&self) -> Str {
        match (&self.named, self.now()) {
            (_, Some(now)) => now,
            (Named::One(one), None) => one.clone(),
            (Named::Newest(pattern), None) => pattern.text.clone(),
        }
    }

    /// The branch that governs, in full; of none that is known a name that no branch has.
    pub fn full(&self) -> String {
        format!("refs/heads/{}", self.said())
    }

    /// How a branch stands to the one that governs.
    pub fn stand(&self, branch: &str) -> Stand {
        if !self.holds(branch) {
            return Stand::Stray;
        }
        let Some(now) = self.now() else { return Stand::Open };
        match natural(branch, &now) {
            Ordering::Equal => Stand::Governs,
            Ordering::Greater => Stand::Newer(now),
            Ordering::Less => Stand::Retired(now),
        }
    }

    /// Of some branches those that may govern, newest first.
    pub fn among(&self, branches: impl IntoIterator<Item = Str>) -> Vec<Str> {
        let mut fit: Vec<Str> = branches.into_iter().filter(|branch| self.holds(branch)).collect();
        fit.sort_by(|a, b| natural(b, a));
        fit
    }

    /// From now on this one governs; of one for good nothing changes.
    pub fn set(&self, branch: &str) {
        if self.pattern().is_some() && self.holds(branch) {
            *self.now.write().unwrap_or_else(PoisonError::into_inner) = Some(branch.into());
        }
    }
}

impl fmt::Display for Governed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said())
    }
}

impl fmt::Debug for Governed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Governed").field("named", &self.named).field("now", &self.now()).finish()
    }
}

impl PartialEq for Governed {
    fn eq(&self, other: &Self) -> bool {
        self.named == other.named && self.now() == other.now()
    }
}

impl Eq for Governed {}

impl From<&str> for Governed {
    fn from(branch: &str) -> Self {
        Self::one(branch)
    }
}

impl From<Str> for Governed {
    fn from(branch: Str) -> Self {
        Self::one(branch)
    }
}

#[cfg(test)]
mod tests {
    use super::{BranchPattern, Governed, Stand};

    #[test]
    fn the_newest_is_the_last_by_name_and_governs_once_it_is_said() {
        let releases = Governed::newest(BranchPattern::parse("release/*").unwrap());
        assert_eq!((releases.now(), releases.stand("release/202611")), (None, Stand::Open));
        let names = ["release/202611", "main", "release/202612", "release/202612/fix", "release/99", "release/"];
        assert_eq!(releases.among(names.map(Into::into)), ["release/202612", "release/202611", "release/99"].map(crate::core::model::Str::from));
        let copy = releases.clone();
        releases.set("release/202611");
        releases.set("main");
        assert_eq!(copy.now().as_deref(), Some("release/202611"));
        let stands = ["release/202611", "release/202612", "release/202610", "main"].map(|branch| copy.stand(branch));
        assert_eq!(stands, [Stand::Governs, Stand::Newer("release/202611".into()), Stand::Retired("release/202611".into()), Stand::Stray]);
    }

    #[test]
    fn one_branch_governs_for_good() {
        let main = Governed::one("main");
        main.set("other");
        assert_eq!((main.stand("main"), main.stand("other"), main.full().as_str()), (Stand::Governs, Stand::Stray, "refs/heads/main"));
    }

    #[test]
    fn a_pattern_begins_with_a_name_and_has_one_star() {
        for wrong in ["*", "release", "release/*/*", "", "-x*", "a b*", "release/**"] {
            assert_eq!(BranchPattern::parse(wrong), None, "{wrong}");
        }
        let meet = |a: &str, b: &str| BranchPattern::parse(a).unwrap().meets(&BranchPattern::parse(b).unwrap());
        assert!(meet("release/*", "rel*") && meet("v*-eu", "v*") && !meet("release/*", "hotfix/*") && !meet("v*-eu", "v*-us"));
    }
}
