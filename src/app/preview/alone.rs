//! What a merge request changes, from the repository alone: no server, no credential, no live system.

use crate::{
    app::{
        code_owners::OwningTeams,
        planning::{self, Request, Sighted},
        targets::{Target, Targets},
        wiring::{self, Checkout},
        world::{Known, Repository},
    },
    core::{
        model::{CommitId, Fact, Grant, Kind, Observed, Policy, ProbeGrant, Refusal, RepoId, Span, Str, Token, TreeId, Want},
        plan::{Act, Plan},
        render::Kinds,
        run::{Item, Outcome, PlanResult},
    },
    formats::{
        codeowners::Dialect,
        trueup_yaml::{self, FILE},
    },
    git::{Pointers, UnitCache},
    ports::{Cx, Driver, Fut, Merge, ObserveError, ObserveErrorKind, Precondition, RepoError, StateRepo},
};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex},
};

/// `trueup.yaml` is written by hand; a larger one is refused where it is read for the plan.
const FILE_BYTES: u64 = 1 << 20;

/// The two sides, as they were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    pub base: CommitId,
    pub head: CommitId,
}

/// What comes of merging one side into the other.
pub struct Alone {
    pub compared: Compared,
    pub kinds: Kinds,
    pub found: Result<Arc<Plan>, Fault>,
}

/// Why there is no plan, and it is the merge request's own doing.
pub enum Fault {
    Refused(Vec<Refusal>),
    Conflicted(Vec<Str>),
}

/// Why nothing can be said: a lowercase fragment with what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AloneError {
    #[error("`{rev}` is not in this checkout{hint}")]
    Missing { rev: String, hint: String },
    #[error("the checkout is shallow and ends before the commit where {head} left {base}, so what merging gives cannot be told; {hint}")]
    Shallow { base: String, head: String, hint: String },
    #[error("{0}")]
    Repo(#[from] RepoError),
    #[error("{0}")]
    Failed(String),
}

/// What fetches the rest of the history, by hand and in each CI.
const DEEPEN: &str = "fetch all of the history: `git fetch --no-tags --unshallow origin` (actions/checkout on GitHub and Gitea: `fetch-depth: 0`; GitLab: `GIT_DEPTH: \"0\"` and `GIT_STRATEGY: clone`)";

/// Compares what base asks for with what merging `head` into it would ask for.
///
/// `job`: the forge that a job of CI runs for, and how that is known.
pub async fn alone(path: &Path, base: &str, head: &str, job: Option<(Dialect, &str)>) -> Result<Alone, AloneError> {
    let checkout = wiring::checkout_alone(path)?;
    let (base, head) = (found(&*checkout.state, base, checkout.shallow)?, found(&*checkout.state, head, checkout.shallow)?);
    if checkout.shallow && !checkout.parted(&base, &head)? {
        let short = |commit: &CommitId| commit.as_str().get(..12).unwrap_or_default().to_owned();
        return Err(AloneError::Shallow { base: short(&base), head: short(&head), hint: DEEPEN.to_owned() });
    }
    let targets = named(&*checkout.state, &base, &head)?;
    let kinds = wiring::kinds(&targets);
    let people = owned_by(&checkout, &base, job)?;
    let repo = Arc::new(ungoverned(checkout.state, &targets, people));
    let request = Request::afresh(repo.id.clone(), base.clone(), head.clone());
    let (_, result) = planning::compile_for(repo, &targets, Sighted::Offline, request).await;
    let found = match result {
        PlanResult::Plan { plan, policy: _ } => Ok(plan),
        PlanResult::Refused(faults) => Err(Fault::Refused(faults)),
        PlanResult::Conflicted(paths) => Err(Fault::Conflicted(paths)),
        PlanResult::Failed { why } => return Err(AloneError::Failed(why)),
    };
    Ok(Alone { compared: Compared { base, head }, kinds, found })
}

/// The commit of a revision; what to fetch where it is not here.
fn found(state: &dyn StateRepo, rev: &str, shallow: bool) -> Result<CommitId, AloneError> {
    let missing = |error: RepoError| match error {
        RepoError::NoSuchRev { rev } => {
            let hint = match rev.strip_prefix("origin/") {
                Some(branch) => format!(
                    "; fetch it first: `git fetch --no-tags origin +refs/heads/{branch}:refs/remotes/origin/{branch}`{}",
                    if shallow { " after the rest of the history: the checkout is shallow (GitHub and Gitea: `fetch-depth: 0` does both; GitLab: `GIT_DEPTH: \"0\"`)" } else { "" }
                ),
                None if shallow => format!(": it is shallow; {DEEPEN}"),
                None => "; fetch it, or check the spelling".to_owned(),
            };
            AloneError::Missing { rev, hint }
        }
        other => AloneError::Repo(other),
    };
    state.commit(rev).map_err(missing)
}

/// The targets that either side names, as what their formats speak of: what they are is in the server's configuration, which nobody needs here.
fn named(state: &dyn StateRepo, base: &CommitId, head: &CommitId) -> Result<Targets, AloneError> {
    let mut targets = Targets::new();
    let merged = match state.merge(base, head)? {
        Merge::Clean(tree) => Some(tree),
        Merge::Conflicts(_) => None,
    };
    for tree in merged.into_iter().chain([state.tree(base)?]) {
        // A file that cannot be read is refused with its place where the plan is made.
        let Some(root) = root(state, &tree) else { continue };
        for source in &root.sources {
            let Some(format) = wiring::format(source) else { continue };
            for name in &source.targets {
                targets.entry(name.clone()).or_insert_with(|| Arc::new(Target::new(name.clone(), Arc::new(Unasked(format.kind())), 1)));
            }
        }
    }
    Ok(targets)
}

/// By whose rules the file of code owners is read: what CI says is sure; then its own place, and the host that the checkout came from.
fn owned_by(checkout: &Checkout, base: &CommitId, job: Option<(Dialect, &str)>) -> Result<Known, RepoError> {
    let tree = checkout.state.tree(base)?;
    let mut placed = None;
    for path in [Dialect::GitHub, Dialect::GitLab, Dialect::Gitea].iter().flat_map(|dialect| dialect.places()) {
        if placed.is_none() && Dialect::of_place(path).is_some() && checkout.state.entry(&tree, path)?.is_some() {
            placed = Dialect::of_place(path).map(|dialect| (dialect, format!("base has `{path}`")));
        }
    }
    let host = || -> Result<Option<(Dialect, String)>, RepoError> { Ok(checkout.host()?.and_then(|host| Some((Dialect::of_host(&host)?, format!("`origin` is on {host}"))))) };
    let (dialect, guessed) = match (job, placed) {
        (Some((dialect, how)), _) => (dialect, how.to_owned()),
        (None, Some(placed)) => placed,
        (None, None) => host()?.unwrap_or_else(|| (Dialect::default(), "nothing in the checkout tells which forge it is for".to_owned())),
    };
    Ok(Known { dialect, guessed: Some(guessed.into()), ..Known::default() })
}

fn root(state: &dyn StateRepo, tree: &TreeId) -> Option<trueup_yaml::Repository> {
    let entry = state.entry(tree, FILE).ok()??;
    let bytes = state.blob(&entry.id, FILE_BYTES).ok()?;
    trueup_yaml::read(&bytes, &wiring::FORMATS).ok()
}

/// The repository where nobody says what it may touch: all that it names. A server's grants are narrower, and it says so when it plans.
fn ungoverned(state: Arc<dyn StateRepo>, targets: &Targets, people: Known) -> Repository {
    Repository {
        id: RepoId::new("this repository"),
        governed: "".into(),
        whole: RepoId::new("this repository"),
        left: Vec::new(),
        state,
        grants: targets.keys().map(|target| Grant { target: target.clone(), units: Vec::new(), sensitive: Vec::new(), shared: false }).collect(),
        admins: Vec::new(),
        approvers: None,
        deployments: false,
        required_checks: Vec::new(),
        secrets: Vec::new(),
        probes: ProbeGrant::default(),
        claim_ttl: Policy::default().claim_ttl.unwrap_or(Span(0)),
        people: Arc::new(people),
        teams: Mutex::default(),
        owning: OwningTeams::default(),
        units: UnitCache::default(),
        pointers: Pointers::default(),
        references: Pointers::new(usize::MAX),
    }
}

/// A target of which only the kind is known. Nothing is asked of it.
struct Unasked(&'static dyn Kind);

impl Driver for Unasked {
    fn kind(&self) -> &'static dyn Kind {
        self.0
    }

    fn precondition(&self) -> Precondition {
        // What a driver compares is the server's to say; nothing is written here.
        Precondition::Token
    }

    fn observe<'a>(&'a self, _: &'a Cx<'a>, _: &'a [Want], _: &'a [Fact]) -> Fut<'a, Result<Vec<Observed>, ObserveError>> {
        let what = "no server was asked; ask one to have it observed".to_owned();
        Box::pin(async { Err(ObserveError { target: "the target".into(), what, kind: ObserveErrorKind::Unreachable, about: Vec::new() }) })
    }

    fn act<'a>(&'a self, _: &'a Cx<'a>, act: &'a Act, _: &'a BTreeSet<u32>, _: &'a [Token]) -> Fut<'a, Outcome> {
        let items = if let Act::Write(writes) = act { writes.len() } else { 1 };
        Box::pin(async move { Outcome::all(items, Item::NotTried) })
    }
}
