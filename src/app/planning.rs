//! From a merge request to its plan: survey, observe, compile.

use super::{
    neighbours::neighbours,
    owners::Owners,
    reign::TakesOver,
    safe::{self, Hiding, Look, Safe, Unresolved},
    survey::{NoSurvey, Survey, survey},
    targets::{Targets, observe_all},
    world::{Repository, World},
};
use crate::{
    core::{
        diff::{Delta, Op, Reason},
        drift::Overrides,
        model::{
            ABSENCE_LINGERS, CommitId, Fact, Fingerprint, Health, Kind, MrId, Observed, Place, Policy, Reading, Refusal, RefusalKind, RepoId, ResourceId, Rollout, Time, Token,
            TreeId, Value, Want,
        },
        plan::{self, CompileError, Earlier, Material, Needs, Note, Past, Plan, Scope, Sight, Sources, Written, compile, wants},
        run::{PlanAnswer, PlanKey, PlanResult},
    },
    formats::{cel::Cel, trueup_yaml::FILE},
    kinds,
    ports::{ObserveError, ObserveErrorKind, Precondition},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What a plan is asked for.
pub struct Request {
    pub mr: MrId,
    pub base: CommitId,
    pub head: CommitId,
    /// What this change's run wrote last.
    pub ours: BTreeMap<ResourceId, Option<Fingerprint>>,
    /// The same as content, before and after: where a way back leads.
    pub written: BTreeMap<ResourceId, Written>,
    /// The same write by write, and when the plan is asked for: who remembers what was there is still waited for.
    pub earlier: Vec<Earlier>,
    pub now: Time,
    /// What other open changes have applied ahead of base.
    pub ahead: BTreeMap<ResourceId, (MrId, Option<Value>)>,
    /// Changes made by hand that somebody answers for.
    pub overrides: Arc<Overrides>,
    /// Who owns what other repositories may write too; none where only this repository is known.
    pub owners: Option<Arc<Owners>>,
    /// The branch that it merges into takes over from another.
    pub takes_over: Option<TakesOver>,
    /// Ask for the way back instead.
    pub restore: Option<Restore>,
}

impl Request {
    /// A plan of which nothing has run, where nothing is known of other changes.
    pub fn afresh(repo: RepoId, base: CommitId, head: CommitId) -> Self {
        Self {
            mr: MrId { repo, number: 0 },
            base,
            head,
            ours: BTreeMap::new(),
            written: BTreeMap::new(),
            earlier: Vec::new(),
            now: Time::default(),
            ahead: BTreeMap::new(),
            overrides: Arc::default(),
            owners: None,
            takes_over: None,
            restore: None,
        }
    }
}

/// What a way back is made from, beside what was written.
pub struct Restore {
    /// The plan that ran last.
    pub plan: Option<Arc<Plan>>,
    /// Nothing was written: what the merge request takes over from live goes back to what base asks for.
    pub reverts: bool,
}

/// Whether live systems are asked.
#[derive(Clone, Copy)]
pub enum Sighted<'a> {
    Observe(&'a Safe),
    /// Base is taken as live and the plan says so.
    Offline,
}

/// Answers one request; what went wrong is part of the answer.
pub async fn answer(world: &Arc<World>, request: Request) -> PlanAnswer {
    let restore = request.restore.is_some();
    let (base, head, written, repo) = (request.base.clone(), request.head.clone(), request.written.clone(), request.mr.repo.clone());
    world.owners.begin(&request.mr);
    let (tree, result) = match world.repositories.get(&request.mr.repo) {
        None => (TreeId::new(""), PlanResult::Failed { why: format!("repository {} is no longer in the server's configuration", request.mr.repo) }),
        Some(repo) => compile_for(repo.clone(), &world.targets, Sighted::Observe(&world.safe), request).await,
    };
    let result = askable(world, &repo, result, restore);
    let way_back = match &result {
        PlanResult::Plan { plan, policy } => Some(Arc::new(forecast(&world.targets, &repo, plan, policy, &written))),
        PlanResult::Refused(_) | PlanResult::Conflicted(_) | PlanResult::Failed { .. } => None,
    };
    PlanAnswer { key: PlanKey { base, head, tree }, restore, result, way_back }
}

/// Refuses a plan whose health can never be asked about. The way back is never refused for it.
fn askable(world: &World, repo: &RepoId, result: PlanResult, restore: bool) -> PlanResult {
    let PlanResult::Plan { plan, .. } = &result else { return result };
    let fault = |one: &plan::Healthy| {
        let (what, advice) = world.probe_fault(repo, &one.probe)?;
        Some(Refusal::new(RefusalKind::Unknown, format!("health cannot be asked: {what}")).at(one.place.clone()).advice(advice))
    };
    let mut faults: Vec<Refusal> = plan.health.iter().filter(|_| !restore).filter_map(fault).collect();
    // What steps wait for is policy's.
    for probe in plan.steps.values().filter_map(|step| step.waits_on()?.probe.as_deref()) {
        let fault = world
            .probe_fault(repo, probe)
            .map(|(what, advice)| Refusal::new(RefusalKind::Unknown, format!("what a plan template waits for cannot be asked: {what}")).at(Place::file(FILE)).advice(advice));
        faults.extend(fault.filter(|fault| !faults.contains(fault)));
    }
    if faults.is_empty() { result } else { PlanResult::Refused(faults) }
}

/// The way back as approvers see it: to what was there before this change wrote anything, not to what its last run left.
fn forecast(targets: &Targets, repo: &RepoId, plan: &Plan, policy: &Policy, written: &BTreeMap<ResourceId, Written>) -> Plan {
    // What waits for who remembers waits for others on the way back; turning the plan round does not tell for whom.
    let waits = plan.edges.iter().any(|edge| matches!(edge.needs, Needs::Healthy | Needs::Elapsed(_)));
    if written.is_empty() && !waits {
        return plan.forecast_reverse();
    }
    let mut all = written.clone();
    for write in plan.steps.values().flat_map(|step| step.writes()) {
        let known = all.entry(write.id.clone()).or_insert_with(|| Written { before: write.from.clone(), after: None });
        known.after.clone_from(&write.to);
    }
    let places: BTreeMap<&ResourceId, &Place> = plan.deltas.iter().map(|delta| (&delta.id, &delta.place)).collect();
    let as_left = |(id, of): (&ResourceId, &Written)| Observed {
        id: id.clone(),
        reading: Reading::Seen { live: of.after.clone(), base: of.after.clone(), merged: Ok(of.before.clone()) },
        facts: BTreeMap::new(),
        health: Health::NotAsked,
        token: Token::default(),
        at: Time::default(),
    };
    let seen: Vec<Observed> = all.iter().map(as_left).collect();
    let restored = plan::restore(plan::Restoring {
        written: &all,
        place: &|id| places.get(id).map(|place| (*place).clone()).unwrap_or_default(),
        plans: &[plan],
        seen: &seen,
        kinds: &|id| kind(targets, id),
        policy,
        rules: plan.rules.clone(),
        // Before the run base does not ask for what it writes.
        base: &|id| all.get(id).and_then(|of| of.before.clone()),
        repo,
        ahead: &BTreeMap::new(),
        past: Past::default(),
    });
    // What cannot be forecast as a whole is at least shown for this plan.
    restored.unwrap_or_else(|_| plan.forecast_reverse())
}

/// Compiles one plan over a repository; the tree it is keyed by comes with it.
pub async fn compile_for(repo: Arc<Repository>, targets: &Targets, sighted: Sighted<'_>, request: Request) -> (TreeId, PlanResult) {
    let surveyed = {
        let (repo, targets, base, head) = (repo.clone(), targets.clone(), request.base.clone(), request.head.clone());
        let also: BTreeSet<ResourceId> = request.ours.keys().cloned().collect();
        let restoring = request.restore.as_ref().is_some_and(|restore| !restore.reverts);
        // The way back needs policy and places only: a head that conflicts or does not parse must not lock it.
        let from = request.takes_over.as_ref().map(|takes| takes.at.clone());
        let look = move || match survey(&repo, &targets, (&base, &head), from.as_ref(), &also) {
            Err(NoSurvey::Answer(..)) if restoring => survey(&repo, &targets, (&base, &base), from.as_ref(), &also),
            found => found,
        };
        tokio::task::spawn_blocking(look).await
    };
    let found = match surveyed {
        Ok(Ok(found)) => found,
        Ok(Err(NoSurvey::Answer(tree, result))) => return (tree, result),
        Ok(Err(NoSurvey::World(why))) => return (TreeId::new(""), PlanResult::Failed { why }),
        Err(panic) => return (TreeId::new(""), PlanResult::Failed { why: format!("planning stopped: {panic}") }),
    };
    let tree = found.tree.clone();
    let policy = found.policy.clone();
    let planned = match &request.restore {
        None => compiled(&repo, targets, sighted, &request, found).await,
        Some(restore) if restore.reverts => reverted(&repo, targets, sighted, &request, found).await,
        Some(restore) => taken_back(&repo, targets, sighted, &request, found, restore).await,
    };
    let result = match planned {
        Ok(plan) => PlanResult::Plan { plan: Arc::new(plan), policy },
        Err(Stop::Compile(CompileError::Refused(faults))) => PlanResult::Refused(faults),
        Err(Stop::Compile(broken @ CompileError::Broken(_))) => PlanResult::Failed { why: broken.to_string() },
        Err(Stop::World(error)) => world_fault(error),
        Err(Stop::Away(why)) => PlanResult::Failed { why },
    };
    (tree, result)
}

enum Stop {
    Compile(CompileError),
    World(ObserveError),
    /// Something beside the live systems that did not answer: a provider of secrets, another repository.
    Away(String),
}

impl From<Unresolved> for Stop {
    fn from(error: Unresolved) -> Self {
        match error {
            Unresolved::Refused(faults) => Self::Compile(CompileError::Refused(faults)),
            Unresolved::World { place, error } => Self::Away(format!("{place}: {error}")),
        }
    }
}

/// Where the repository asks for a resource, or did.
fn place(found: &Survey, id: &ResourceId) -> Place {
    found.merged.get(id).or(found.base.get(id)).map(|wanted| wanted.place.clone()).unwrap_or_default()
}

/// Hides what both sides ask for where it is sensitive, before core sees any of it.
fn hide(safe: &Safe, repo: &Repository, targets: &Targets, found: &mut Survey) -> (Hiding, Vec<Refusal>) {
    let policy = found.policy.clone();
    Hiding::new(safe, &policy, repo, &|id| kind(targets, id), safe::Sides { base: &mut found.base, merged: &mut found.merged })
}

impl From<CompileError> for Stop {
    fn from(error: CompileError) -> Self {
        Self::Compile(error)
    }
}

async fn compiled(repo: &Repository, targets: &Targets, sighted: Sighted<'_>, request: &Request, mut found: Survey) -> Result<Plan, Stop> {
    let mut notes = std::mem::take(&mut found.notes);
    notes.extend(request.takes_over.iter().filter(|_| request.restore.is_none()).map(said));
    let blind = Safe::blind().map_err(|error| Stop::Away(error.to_string()))?;
    let safe = match sighted {
        Sighted::Observe(safe) => safe,
        Sighted::Offline => &blind,
    };
    let (mut hiding, plain) = hide(safe, repo, targets, &mut found);
    let asked = wants(&scope(repo, &found, request, &|id| kind(targets, id)))?;
    if !plain.is_empty() {
        return Err(CompileError::Refused(plain).into());
    }
    let taken = owned_elsewhere(targets, request, &asked, &found).await?;
    if !taken.is_empty() {
        return Err(CompileError::Refused(taken).into());
    }
    if let Sighted::Observe(safe) = sighted {
        let place = |id: &ResourceId| place(&found, id);
        let mut faults = safe::lost(safe, &request.written, &request.ahead, &asked, &place);
        faults.extend(hiding.sealable(safe, &asked, &|id| kind(targets, id), &place));
        if !faults.is_empty() {
            return Err(CompileError::Refused(faults).into());
        }
        notes.extend(hiding.resolve(safe, repo, &asked, &place).await?);
    }
    let touched: BTreeSet<_> = asked.iter().map(|want| want.id.target.clone()).collect();
    notes.extend(touched.iter().filter_map(|name| Some(Note::Caution { target: name.clone(), what: targets.get(name)?.driver().caution()?.into() })));
    let seen = match sighted {
        Sighted::Offline => None,
        Sighted::Observe(safe) => match observe_all(targets, Look::planning(safe, &hiding), &asked, &facts(&found.policy), false).await {
            Ok(seen) => Some(seen),
            Err(error) => return Err(placed(error, &found)),
        },
    };
    if let Sighted::Observe(safe) = sighted {
        let beside = neighbours(targets, Look::planning(safe, &hiding), &asked, &found, &request.ahead).await;
        notes.extend(beside.notes);
        if !beside.faults.is_empty() {
            return Err(CompileError::Refused(beside.faults).into());
        }
    }
    let kinds = |id: &ResourceId| kind(targets, id);
    let material = Material {
        scope: scope(repo, &found, request, &kinds),
        sight: seen.as_deref().map_or(Sight::Offline, Sight::Observed),
        repo: &request.mr.repo,
        ahead: &request.ahead,
        overrides: &request.overrides,
        sizes: &found.sizes,
        conditions: &Cel,
        templates: &found.templates,
        notes,
        health: &found.health,
        parent: None,
        past: Past { wrote: &request.earlier, now: request.now },
    };
    let mut plan = compile(&material)?;
    plan.notes.extend(weak(targets, &plan.deltas));
    plan.notes.sort();
    if found.bootstrap && !plan.writes_nothing() {
        match sighted {
            Sighted::Observe(_) => return Err(CompileError::Refused(first_writes(&plan)).into()),
            // Whether these are writes at all is known once somebody looks.
            Sighted::Offline => plan.notes.push(Note::Remark { text: FIRST.into() }),
        }
        plan.notes.sort();
    }
    Ok(plan)
}

/// What approvers read of a branch that takes over.
fn said(takes: &TakesOver) -> Note {
    let TakesOver { from, into, at, newer } = takes;
    let at = at.as_str().get(..12).unwrap_or(at.as_str());
    let newest = newer.first().map(|newest| format!(". `{newest}` is there too and newer")).unwrap_or_default();
    let text = format!(
        "`{into}` takes over from `{from}` with this merge: the plan is all that differs from `{from}` at {at}, whose policy judges it. Afterwards `{from}` governs nothing, and merge requests into it are refused{newest}"
    );
    Note::TakesOver { from: from.clone(), into: into.clone(), text: text.into() }
}

/// What other repositories own of what is asked for: no second claimant reads or writes it.
async fn owned_elsewhere(targets: &Targets, request: &Request, asked: &[Want], found: &Survey) -> Result<Vec<Refusal>, Stop> {
    let Some(owners) = request.owners.clone().filter(|owners| owners.concern(&request.mr.repo)) else { return Ok(Vec::new()) };
    let given_up = |want: &Want| want.merged.is_none() && (found.released.contains(&want.id) || found.merged.left.contains_key(&want.id));
    let claimed: Vec<Want> = asked.iter().filter(|want| !given_up(want)).cloned().collect();
    let (mr, targets) = (request.mr.clone(), targets.clone());
    let judged = tokio::task::spawn_blocking(move || owners.judge(&mr, &targets, &claimed)).await;
    let faults = judged.unwrap_or_else(|panic| Err(format!("planning stopped: {panic}"))).map_err(Stop::Away)?;
    Ok(faults.into_iter().map(|(id, fault)| fault.at(place(found, &id))).collect())
}

/// What is measured for a plan beside content.
fn facts(policy: &Policy) -> Vec<Fact> {
    match policy.rollout {
        Rollout::Expand => vec![ABSENCE_LINGERS.into()],
        Rollout::AtOnce | Rollout::Wait => Vec::new(),
    }
}

/// What is said of a first merge request where nobody looked.
const FIRST: &str = "base has no trueup.yaml yet, so the server takes over what is live exactly as it is asked for here, and refuses whatever it would have to write";

/// Before base has a policy, nothing is written: the first merge request says what is live, and later ones change it.
fn first_writes(plan: &Plan) -> Vec<Refusal> {
    let written = plan.deltas.iter().filter(|delta| !matches!(delta.op, Op::Keep | Op::Adopt | Op::Release));
    let fault = |delta: &Delta| {
        let what = format!("{} would be written before the base branch has a policy", delta.id);
        Refusal::new(RefusalKind::Protected, what)
            .at(delta.place.clone())
            .advice("merge trueup.yaml with what is live first (`trueup import` writes it), then change it in a second merge request")
    };
    written.map(fault).collect()
}

fn scope<'a>(repo: &'a Repository, found: &'a Survey, request: &'a Request, kinds: &'a dyn Fn(&ResourceId) -> &'static dyn Kind) -> Scope<'a> {
    Scope {
        base: &found.base,
        merged: &found.merged,
        sources: Sources { released: &found.released, fresh: &found.fresh, moved: &found.moved, together: &found.together },
        orders: &found.orders,
        ours: &request.ours,
        kinds,
        policy: &found.policy,
        grants: &repo.grants,
    }
}

/// What a resource means. The survey refused every target that is not configured, so one without is what a run wrote before its target went.
pub(super) fn kind(targets: &Targets, id: &ResourceId) -> &'static dyn Kind {
    targets.get(&id.target).map_or_else(|| kinds::of(id), |target| target.kind())
}

/// What a merge request takes over from live goes back to what base asks for: its two sides the other way round, so that what is live now must be what people saw.
async fn reverted(repo: &Repository, targets: &Targets, sighted: Sighted<'_>, request: &Request, mut found: Survey) -> Result<Plan, Stop> {
    if !found.fresh.is_empty() || !found.released.is_empty() || !found.moved.is_empty() {
        let fault = Refusal::new(RefusalKind::Value, "this merge request changes sources too, and not only what drifted: there is no way back of that");
        return Err(CompileError::Refused(vec![fault.advice("take the change of trueup.yaml out of it, or undo the drift by hand")]).into());
    }
    std::mem::swap(&mut found.base, &mut found.merged);
    // Merging is not what this plan does, so what merging would change beside the resources is not approved with it.
    found.notes.clear();
    let mut plan = compiled(repo, targets, sighted, request, found).await?;
    for delta in &mut plan.deltas {
        delta.reason = Reason::Restores;
    }
    Ok(plan)
}

/// The way back of what this change wrote: what the runs left counts as base, what was there before as merged.
async fn taken_back(repo: &Repository, targets: &Targets, sighted: Sighted<'_>, request: &Request, mut found: Survey, restore: &Restore) -> Result<Plan, Stop> {
    let asked = plan::restore_wants(&request.written);
    let (mut seen, mut base) = (Vec::new(), BTreeMap::new());
    if let Sighted::Observe(safe) = sighted {
        let (mut hiding, _) = hide(safe, repo, targets, &mut found);
        let faults = safe::lost(safe, &request.written, &BTreeMap::new(), &asked, &|id| place(&found, id));
        if !faults.is_empty() {
            return Err(CompileError::Refused(faults).into());
        }
        for id in request.written.keys() {
            let asks = asks_now(targets, &found, id);
            base.insert(id, hiding.now(safe, repo, kind(targets, id), id, asks).await);
        }
        seen = observe_all(targets, Look::planning(safe, &hiding), &asked, &[], false).await.map_err(Stop::World)?;
    }
    let place = |id: &ResourceId| place(&found, id);
    let plans: Vec<&Plan> = restore.plan.iter().map(|plan| &**plan).collect();
    Ok(plan::restore(plan::Restoring {
        written: &request.written,
        place: &place,
        plans: &plans,
        seen: &seen,
        kinds: &|id| kind(targets, id),
        policy: &found.policy,
        rules: restore.plan.iter().flat_map(|plan| plan.rules.clone()).collect(),
        base: &|id| base.get(id).cloned().flatten(),
        repo: &request.mr.repo,
        ahead: &request.ahead,
        past: Past { wrote: &request.earlier, now: request.now },
    })?)
}

/// What base asks for; what its kind refuses today is compared as it stands.
fn asks_now(targets: &Targets, found: &Survey, id: &ResourceId) -> Option<Value> {
    let asked = found.base.get(id)?.value.clone();
    if matches!(asked, Value::Hidden(_) | Value::Secret(_)) {
        return Some(asked);
    }
    Some(kind(targets, id).canon(id, asked.clone()).unwrap_or(asked))
}

/// The targets whose precondition does not see something that this plan changes.
fn weak(targets: &Targets, deltas: &[Delta]) -> BTreeSet<Note> {
    let unseen = |delta: &Delta| match targets.get(&delta.id.target)?.driver().precondition() {
        Precondition::Token => None,
        Precondition::Partial(guarded) => delta.paths.iter().all(|path| *path.0 == [guarded.field.into()]).then_some(guarded.not_compared),
        Precondition::ReadThenWrite => Some("content"),
    };
    let written = deltas.iter().filter(|delta| !matches!(delta.op, Op::Keep | Op::Adopt | Op::Release));
    written.filter_map(|delta| Some(Note::WeakPrecondition { target: delta.id.target.clone(), what: unseen(delta)?.into() })).collect()
}

/// A unit that the server does not have is the merge request's fault and gets a place; the rest is the world's.
fn placed(error: ObserveError, found: &Survey) -> Stop {
    if error.kind != ObserveErrorKind::Missing {
        return Stop::World(error);
    }
    let place = error.about.iter().find_map(|id| found.merged.get(id).or(found.base.get(id))).map(|wanted| wanted.place.clone());
    let mut fault = Refusal::new(RefusalKind::Target, error.to_string());
    fault.place = place;
    Stop::Compile(CompileError::Refused(vec![fault]))
}

fn world_fault(error: ObserveError) -> PlanResult {
    PlanResult::Failed { why: error.to_string() }
}
