//! Repositories that a forge is asked for: of which groups, which of them, and what each gets.

use super::{
    Branch, Repository, SecretSources, Server, TargetKind,
    check::{Check, instead},
    owners,
};
use crate::{
    core::model::{Grant, ProbeGrant, RefusalKind, Span, Str},
    ports::BranchPattern,
};
use globset::{GlobBuilder, GlobMatcher};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What stands for a repository's own name.
const REPO: &str = "{repo}";

/// One group whose repositories are found, and what each of them gets.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Discover {
    /// The organisation or group there: `platform`. Of GitLab's, the groups below it as well.
    pub group: Str,
    /// Which of its repositories are served: patterns of their paths below the group (`dns-*`; `*` is no `/`, `**` is). Archived ones never are.
    pub allow: Vec<Str>,
    /// Which of those are not.
    #[serde(default)]
    pub deny: Vec<Str>,
    /// At most so many; more are told and left out, in the order of their names.
    #[serde(default = "default_most")]
    pub most: u32,
    /// The governed branch of each.
    #[serde(default = "super::types::default_branch")]
    pub branch: Str,
    /// Further governed branches of each.
    #[serde(default)]
    pub branches: Vec<Branch>,
    /// What each may touch; `{repo}` in a unit is the repository's own name, and without it both sides of a grant must be `shared`.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// Users and `@groups` who may read each.
    #[serde(default)]
    pub readers: Vec<Str>,
    /// Users and `@groups` who may also push branches, open merge requests and ask for plans.
    #[serde(default)]
    pub writers: Vec<Str>,
    /// Users and `@groups` who may also approve plans, pause, retry, skip, abort, restore, take over and free what a change holds, and answer for overrides.
    #[serde(default)]
    pub approvers: Vec<Str>,
    /// Users and `@groups` who may also halt the whole server, and approve where policy is missing.
    #[serde(default)]
    pub admins: Vec<Str>,
    /// Statuses that must be green before a run starts.
    #[serde(default)]
    pub required_checks: Vec<Str>,
    /// The secrets that files of each may refer to; `{repo}` is the repository's own name.
    #[serde(default)]
    pub secrets: Vec<Str>,
    /// The commands and Prometheus servers that health probes of each may name.
    #[serde(default)]
    pub probes: ProbeGrant,
}

/// A team has tens of repositories; each costs a mirror and a sweep.
fn default_most() -> u32 {
    100
}

/// How often forges are asked, unless somebody says otherwise: a new repository has no open merge request in its first minutes.
pub(super) fn default_every() -> Span {
    Span::mins(10)
}

/// Less is no pause.
const LEAST_EVERY: Span = Span::secs(1);

/// Why a repository that a forge has is not served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotServed {
    #[error("no pattern of `allow` is its")]
    NotAllowed,
    #[error("a pattern of `deny` is its")]
    Denied,
    #[error("it is archived")]
    Archived,
    #[error("`{0}` is configured by itself")]
    Configured(Str),
    #[error("another repository is named `{0}`; configure it by itself, under another name")]
    NameTaken(Str),
    #[error("its name is not one that can be served; use letters, digits, `.`, `-` and `_`")]
    Name,
    #[error("{0} are served already; raise `most`")]
    TooMany(u32),
    #[error("{0}")]
    Granted(String),
}

/// A pattern of paths.
fn glob(pattern: &str) -> Result<GlobMatcher, globset::Error> {
    Ok(GlobBuilder::new(pattern).literal_separator(true).case_insensitive(true).build()?.compile_matcher())
}

impl Discover {
    /// Whether a path below the group is served, as far as its name and its state tell.
    pub fn takes(&self, below: &str, archived: bool) -> Result<(), NotServed> {
        let any = |patterns: &[Str]| patterns.iter().filter_map(|pattern| glob(pattern).ok()).any(|glob| glob.is_match(below));
        match () {
            () if !any(&self.allow) => Err(NotServed::NotAllowed),
            () if any(&self.deny) => Err(NotServed::Denied),
            () if archived => Err(NotServed::Archived),
            () => Ok(()),
        }
    }

    /// The repository that one of its paths becomes.
    fn repository(&self, forge: &Str, path: &str) -> Repository {
        let own = path.rsplit('/').next().unwrap_or(path);
        let fill = |text: &Str| -> Str { text.replace(REPO, own).into() };
        let grants = |all: &[Grant]| -> Vec<Grant> {
            all.iter().map(|grant| Grant { units: grant.units.iter().map(fill).collect(), sensitive: grant.sensitive.iter().map(fill).collect(), ..grant.clone() }).collect()
        };
        let branches = self.branches.iter().map(|branch| Branch { grants: grants(&branch.grants), ..branch.clone() }).collect();
        Repository {
            name: path.into(),
            forge: forge.clone(),
            project: Some(path.into()),
            webhook_secret: SecretSources::default(),
            branch: self.branch.clone(),
            branches,
            newest: false,
            of: None,
            left: Vec::new(),
            found: true,
            path: None,
            grants: grants(&self.grants),
            readers: self.readers.clone(),
            writers: self.writers.clone(),
            approvers: self.approvers.clone(),
            admins: self.admins.clone(),
            required_checks: self.required_checks.clone(),
            secrets: self.secrets.iter().map(fill).collect(),
            probes: self.probes.clone(),
        }
    }
}

impl Server {
    /// All that is sensitive by any repository's grants, those that may yet be found included: whatever `{repo}` stands for then is covered.
    pub fn sensitive(&self) -> Vec<Grant> {
        let found = self.forges.values().flat_map(|forge| &forge.discover);
        let found = found.flat_map(|entry| entry.grants.iter().chain(entry.branches.iter().flat_map(|branch| &branch.grants)));
        let wide = |grant: &Grant| {
            let records = self.targets.get(&grant.target).is_some_and(|target| target.kind == TargetKind::DnsRfc2136);
            let wide = |pattern: &Str| match (pattern.split_once(REPO), records) {
                (None, _) => pattern.clone(),
                // A zone is named from its end, a key from its beginning.
                (Some((_, end)), true) => format!("*{}", end.rsplit(REPO).next().unwrap_or_default()).into(),
                (Some((start, _)), false) => format!("{start}*").into(),
            };
            Grant { sensitive: grant.sensitive.iter().map(wide).collect(), ..grant.clone() }
        };
        let named = self.repositories.iter().flat_map(|repository| &repository.grants);
        named.cloned().chain(found.map(wide)).filter(|grant| !grant.sensitive.is_empty()).collect()
    }

    /// Serves one more repository of a forge, unless something stands against it.
    pub fn serve_found(&mut self, forge: &Str, entry: &Discover, path: &str) -> Result<(), NotServed> {
        let part_fits = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if path.split('/').count() < 2 || !path.split('/').all(part_fits) {
            return Err(NotServed::Name);
        }
        let same = |of: &&Repository| of.forge == *forge && of.project.as_deref().is_some_and(|project| project.eq_ignore_ascii_case(path));
        if let Some(known) = self.repositories.iter().find(same) {
            return Err(NotServed::Configured(known.name.clone()));
        }
        if self.repositories.iter().any(|of| of.name.eq_ignore_ascii_case(path)) {
            return Err(NotServed::NameTaken(path.into()));
        }
        let new = super::branches::spread_one(entry.repository(forge, path));
        let among = (1..new.len()).find_map(|n| self.granted_in(&new[n], &new[..n]));
        if let Some(why) = among.or_else(|| new.iter().find_map(|one| self.granted_in(one, &self.repositories))) {
            return Err(NotServed::Granted(why));
        }
        self.repositories.extend(new);
        Ok(())
    }

    /// Why a repository may not have its grants: one of these has some of the same.
    fn granted_in(&self, new: &Repository, others: &[Repository]) -> Option<String> {
        let pairs = owners::pairs(self);
        let same = |a: &Str, b: &Str| a == b || pairs.iter().any(|(one, other, places)| *places == owners::Places::Same && ((*one, *other) == (a, b) || (*other, *one) == (a, b)));
        for grant in &new.grants {
            for other in others {
                let theirs = other.grants.iter().filter(|first| same(&first.target, &grant.target) && !(first.target == grant.target && first.shared && grant.shared));
                if let Some(unit) = theirs.filter_map(|first| first.overlap(grant)).next() {
                    let what = unit.map_or_else(|| "all".to_owned(), |unit| format!("`{unit}`"));
                    return Some(format!("it would be granted {what} of `{}`, and `{}` is granted some of that", grant.target, other.name));
                }
            }
        }
        None
    }
}

/// What is wrong with what is asked of forges.
pub(super) fn check(check: &mut Check<'_>) {
    let server = check.server;
    for (name, forge) in &server.forges {
        if forge.discover_every < LEAST_EVERY {
            let advice = "write 1s or more; `10m` is enough for most";
            check.fault(RefusalKind::Value, &["forges", name, "discover_every"], "a forge that is asked all the time answers nobody".to_owned(), advice);
        }
        for (d, entry) in forge.discover.iter().enumerate() {
            let at = d.to_string();
            let path = |rest: &[&str]| ["forges", &**name, "discover", at.as_str()].iter().chain(rest).map(ToString::to_string).collect::<Vec<String>>();
            let fault = |check: &mut Check<'_>, kind: RefusalKind, rest: &[&str], what: String, advice: String| {
                check.fault(kind, &path(rest).iter().map(String::as_str).collect::<Vec<_>>(), what, advice);
            };
            let fits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
            if !entry.group.split('/').all(fits) {
                fault(check, RefusalKind::Value, &["group"], format!("`{}` is no group", entry.group.escape_debug()), "write it as in its address: `platform`".to_owned());
            }
            if entry.allow.is_empty() {
                fault(check, RefusalKind::Value, &["allow"], "nothing is allowed, so nothing is served".to_owned(), "list patterns: `allow: [\"dns-*\"]`".to_owned());
            }
            for (key, patterns) in [("allow", &entry.allow), ("deny", &entry.deny)] {
                for (p, pattern) in patterns.iter().enumerate() {
                    if let Err(error) = glob(pattern) {
                        fault(check, RefusalKind::Value, &[key, &p.to_string()], format!("`{pattern}` is no pattern: {}", error.kind()), "write it like `dns-*`".to_owned());
                    }
                }
            }
            for (b, branch) in entry.branches.iter().enumerate() {
                let fits = match (&branch.name, &branch.pattern) {
                    (Some(_), None) => true,
                    (None, Some(pattern)) => BranchPattern::parse(pattern).is_some() && !branch.label().is_empty(),
                    (Some(_), Some(_)) | (None, None) => false,
                };
                if !fits {
                    let advice = "write `name: production`, or `pattern: release/*`, one of the two".to_owned();
                    fault(check, RefusalKind::Value, &["branches", &b.to_string()], "a branch is named in one way".to_owned(), advice);
                }
            }
            let own = entry.grants.iter().enumerate().map(|(g, grant)| (vec!["grants".to_owned(), g.to_string()], grant));
            let further = entry.branches.iter().enumerate().flat_map(|(b, branch)| {
                branch.grants.iter().enumerate().map(move |(g, grant)| (vec!["branches".to_owned(), b.to_string(), "grants".to_owned(), g.to_string()], grant))
            });
            for (rest, grant) in own.chain(further) {
                let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
                if !server.targets.contains_key(&grant.target) {
                    fault(
                        check,
                        RefusalKind::Unknown,
                        &rest,
                        format!("no target is named `{}`", grant.target),
                        instead(&grant.target, server.targets.keys(), "add it under `targets:`"),
                    );
                }
                if !grant.shared && (grant.units.is_empty() || !grant.units.iter().all(|unit| unit.contains(REPO))) {
                    let advice = format!("write `{REPO}` into each of its units, as in `{REPO}.example.com.`, or say `shared: true`");
                    fault(check, RefusalKind::Overlap, &rest, format!("every repository that is found would be granted the same of `{}`", grant.target), advice);
                }
            }
            // Whatever the repository is called, its branches are granted the same.
            let each = super::branches::spread_one(entry.repository(name, &format!("{}/{REPO}", entry.group)));
            for (b, one) in each.iter().enumerate().skip(1) {
                if let Some(why) = server.granted_in(one, &each[..b]) {
                    fault(check, RefusalKind::Overlap, &["branches", &(b - 1).to_string(), "grants"], why, "grant each to one of the branches".to_owned());
                }
            }
            for (key, names) in [("readers", &entry.readers), ("writers", &entry.writers), ("approvers", &entry.approvers), ("admins", &entry.admins)] {
                for (n, group) in names.iter().enumerate().filter(|(_, name)| name.starts_with('@')) {
                    check.user(group, &path(&[key, &n.to_string()]).iter().map(String::as_str).collect::<Vec<_>>(), true);
                }
            }
        }
    }
}
