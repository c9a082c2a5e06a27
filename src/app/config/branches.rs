//! Further governed branches of a repository: each becomes a repository of its own over the same git, with grants of its own.

use super::{Repository, SecretSources, Server, check::Check};
use crate::{
    core::model::{Grant, Refusal, RefusalKind, Str},
    ports::{BranchPattern, Governed},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One more governed branch.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// The branch: `production`. It is served as `NAME@production`.
    #[serde(default)]
    pub name: Option<Str>,
    /// Branches of which one governs, instead of `name`: `release/*`, served as `NAME@release`. At first it is the newest by name (numbers in names count as
    /// numbers); a newer one takes over with its first approved merge, and older ones then take no more.
    #[serde(default)]
    pub pattern: Option<Str>,
    /// The targets that this branch may touch. Of a target that is granted to another branch and not to this one, this branch's files say nothing.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// Who may approve what goes into this branch, where that is other people than the repository's.
    #[serde(default)]
    pub approvers: Option<Vec<Str>>,
    /// The admins of this branch, where those are other people than the repository's.
    #[serde(default)]
    pub admins: Option<Vec<Str>>,
    /// Statuses that must be green before a run starts, where those are others than the repository's.
    #[serde(default)]
    pub required_checks: Option<Vec<Str>>,
}

impl Branch {
    /// What follows the repository's name: of a pattern its beginning.
    pub(super) fn label(&self) -> Str {
        let pattern = self.pattern.as_deref().map(|pattern| pattern.split('*').next().unwrap_or_default().trim_end_matches(['/', '-', '_', '.']));
        self.name.as_deref().or(pattern).unwrap_or_default().into()
    }

    /// Everybody whom its own lists name.
    pub(super) fn people(&self) -> impl Iterator<Item = &Str> {
        self.approvers.iter().chain(&self.admins).flatten()
    }

    /// As the file says it.
    fn said(&self) -> &str {
        self.name.as_deref().or(self.pattern.as_deref()).unwrap_or_default()
    }
}

impl Repository {
    /// The branch that governs, or those of which one does.
    pub fn governed(&self) -> Governed {
        // A pattern that is none was refused when the file was read.
        match self.newest.then(|| BranchPattern::parse(&self.branch)).flatten() {
            Some(pattern) => Governed::newest(pattern),
            None => Governed::one(self.branch.clone()),
        }
    }

    /// The repository whose git it is: its own name, or that before the `@`.
    pub fn whole(&self) -> &Str {
        self.of.as_ref().unwrap_or(&self.name)
    }
}

/// Makes every further branch a repository of its own, after the one whose it is.
pub(super) fn spread(server: &mut Server) {
    server.repositories = std::mem::take(&mut server.repositories).into_iter().flat_map(spread_one).collect();
}

/// One repository and its further branches.
pub(super) fn spread_one(mut repository: Repository) -> Vec<Repository> {
    let branches = std::mem::take(&mut repository.branches);
    let all_grants: Vec<&Grant> = repository.grants.iter().chain(branches.iter().flat_map(|branch| &branch.grants)).collect();
    let left = |own: &[Grant]| -> Vec<Str> {
        let mut left: Vec<Str> = all_grants.iter().map(|grant| &grant.target).filter(|target| !own.iter().any(|grant| grant.target == **target)).cloned().collect();
        left.sort();
        left.dedup();
        left
    };
    let others: Vec<Repository> = branches
        .iter()
        .map(|branch| Repository {
            name: format!("{}@{}", repository.name, branch.label()).into(),
            branch: branch.said().into(),
            newest: branch.pattern.is_some(),
            of: Some(repository.name.clone()),
            left: left(&branch.grants),
            grants: branch.grants.clone(),
            approvers: branch.approvers.clone().unwrap_or_else(|| repository.approvers.clone()),
            admins: branch.admins.clone().unwrap_or_else(|| repository.admins.clone()),
            webhook_secret: SecretSources::default(),
            required_checks: branch.required_checks.clone().unwrap_or_else(|| repository.required_checks.clone()),
            ..repository.clone()
        })
        .collect();
    let own = left(&repository.grants);
    repository.left = own;
    std::iter::once(repository).chain(others).collect()
}

/// What is wrong with further branches, their grants aside.
pub(super) fn check(check: &mut Check<'_>) {
    let server = check.server;
    for (i, repository) in server.repositories.iter().enumerate() {
        let at = i.to_string();
        let mut labels: BTreeMap<Str, usize> = BTreeMap::new();
        for (b, branch) in repository.branches.iter().enumerate() {
            let n = b.to_string();
            let path = |key: &'static str| ["repositories".to_owned(), at.clone(), "branches".to_owned(), n.clone(), key.to_owned()];
            let fault = |check: &mut Check<'_>, kind: RefusalKind, key: &'static str, what: String, advice: &str| {
                let path = path(key);
                check.fault(kind, &path.iter().map(String::as_str).collect::<Vec<_>>(), what, advice);
            };
            match (&branch.name, &branch.pattern) {
                (Some(name), None) => {
                    let fits = name.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)));
                    if !fits || name.starts_with('-') {
                        fault(
                            check,
                            RefusalKind::Value,
                            "name",
                            format!("`{}` is no branch that can be governed", name.escape_debug()),
                            "use letters, digits, `.`, `-`, `_` and `/`; for several branches write `pattern: release/*`",
                        );
                    }
                }
                (None, Some(pattern)) => {
                    let parts = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/*".contains(c));
                    if BranchPattern::parse(pattern).filter(|pattern| parts(pattern.as_str()) && !branch.label().is_empty()).is_none() {
                        fault(
                            check,
                            RefusalKind::Value,
                            "pattern",
                            format!("`{}` is no pattern of branches", pattern.escape_debug()),
                            "write a beginning and one `*`: `release/*`",
                        );
                    }
                }
                (Some(_), Some(_)) | (None, None) => {
                    fault(check, RefusalKind::Schema, "name", "a branch is named in one way".to_owned(), "write `name: production`, or `pattern: release/*`, one of the two");
                    continue;
                }
            }
            clash(check, repository, (i, b), branch);
            if let Some(first) = labels.insert(branch.label(), b).filter(|first| !meets(&repository.branches[*first], branch)) {
                let what = format!("`{}` and `{}` would both be served as `{}@{}`", repository.branches[first].said(), branch.said(), repository.name, branch.label());
                overlap(check, i, (b, Some(first)), what, "rename one of the branches");
            }
            for (key, names) in [("approvers", &branch.approvers), ("admins", &branch.admins)] {
                for (p, name) in names.iter().flatten().enumerate() {
                    if repository.is_local() || name.starts_with('@') {
                        check.user(name, &["repositories", &at, "branches", &n, key, &p.to_string()], true);
                    }
                }
            }
        }
    }
}

/// Whether a branch may be one of both.
fn meets(one: &Branch, other: &Branch) -> bool {
    let pattern = |branch: &Branch| branch.pattern.as_deref().and_then(BranchPattern::parse);
    match (pattern(one), pattern(other)) {
        (Some(a), Some(b)) => a.meets(&b),
        (Some(a), None) => other.name.as_deref().is_some_and(|name| a.matches(name)),
        (None, Some(b)) => one.name.as_deref().is_some_and(|name| b.matches(name)),
        (None, None) => one.name.is_some() && one.name == other.name,
    }
}

/// A branch is governed once.
fn clash(check: &mut Check<'_>, repository: &Repository, (i, b): (usize, usize), branch: &Branch) {
    let own = Branch { name: Some(repository.branch.clone()), pattern: None, grants: Vec::new(), approvers: None, admins: None, required_checks: None };
    let first = if meets(&own, branch) { Some(None) } else { repository.branches[..b].iter().position(|other| meets(other, branch)).map(Some) };
    let Some(first) = first else { return };
    let other = first.map_or(own.name.as_deref().unwrap_or_default(), |first| repository.branches[first].said()).to_owned();
    let what = format!("`{}` and `{other}` of `{}` may be one branch", branch.said(), repository.name);
    overlap(check, i, (b, first), what, "govern each branch once: name another, or narrow the pattern");
}

fn overlap(check: &mut Check<'_>, i: usize, (b, first): (usize, Option<usize>), what: String, advice: &str) {
    let i = i.to_string();
    let place = |of: Option<usize>| match of {
        Some(b) => check.node.nearest_to(&["repositories", &i, "branches", &b.to_string()]).place.clone(),
        None => check.node.nearest_to(&["repositories", &i, "branch"]).place.clone(),
    };
    let fault = Refusal::new(RefusalKind::Overlap, what).at(place(Some(b))).also(place(first)).advice(advice);
    check.found.push(fault);
}
