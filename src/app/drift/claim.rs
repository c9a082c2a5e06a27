//! Overrides claimed and ended: what is live is read first, so that one covers exactly what somebody saw.

use super::{
    book::look_again,
    ground::{Ground, Only},
    look::{AtOnce, Looked, Looker, Open},
};
use crate::{
    app::{
        desk::Desk,
        orders::Order,
        worker::Mail,
        world::{Repository, World},
    },
    core::{
        drift::{Ending, Override, OverrideAsk, OverrideEvent, OverrideFault, Overrides, Row, terms},
        model::{MrId, RepoId, ResourceId, Time, User, Value},
        review::{Command, Phase, Right, escape::code},
    },
};
use std::sync::Arc;

/// Why nothing was claimed.
#[derive(Debug)]
pub enum ClaimFault {
    /// It was not said so that it could be done, or there is nothing to do.
    Refused(String),
    /// Something that is needed does not answer.
    Unavailable(String),
}

impl ClaimFault {
    pub fn what(&self) -> &str {
        match self {
            Self::Refused(what) | Self::Unavailable(what) => what,
        }
    }
}

/// Claims what is live of one resource; on return it is durable, and the answer says what it covers. Claiming the same twice is claiming it once.
pub async fn claim(world: &Arc<World>, desk: &Desk, repo: &RepoId, ask: &OverrideAsk, on: Option<MrId>) -> Result<String, ClaimFault> {
    let refused = |what: String| ClaimFault::Refused(what);
    let (reason, until) = terms(&ask.reason, &ask.until, ask.at).map_err(|fault| refused(fault.to_string()))?;
    let id = ResourceId::parse(&ask.resource).ok_or_else(|| refused(format!("`{}` names no resource; write `target/kind/name`, as `trueup drift -o json` does", ask.resource)))?;
    let known = world.repositories.get(repo).ok_or_else(|| refused(format!("no repository `{repo}` here; check its name")))?;
    let target = world.targets.get(&id.target).ok_or_else(|| refused(format!("no target `{}` here; `target/kind/name` begins with one", id.target)))?;
    if !known.grants.iter().any(|grant| grant.covers(&id, target.kind())) {
        return Err(refused(format!("`{id}` is not granted to {repo}; claim it from the repository that governs it")));
    }
    if world.owners.concern(repo) {
        let (world, repo, id) = (world.clone(), repo.clone(), id.clone());
        let owner = tokio::task::spawn_blocking(move || world.owners.elsewhere(&repo, &world.targets, &id)).await.map_err(|panic| ClaimFault::Unavailable(panic.to_string()))?;
        if let Some(whose) = owner.map_err(ClaimFault::Unavailable)? {
            return Err(refused(format!("{whose}; claim it there, because only who asks for it can answer for what is live instead")));
        }
    }
    let words = Override { id: id.clone(), repo: repo.clone(), by: ask.by.clone(), reason, until, covers: None, on, at: ask.at, noticed: false };
    let now = world.overrides.now().await;
    if now.was_said(&words) {
        // A comment that was heard before a crash. What became of it since stands, whatever is live now.
        let stands = now.get(repo, &id).is_some_and(|known| known.at == words.at && known.by == words.by);
        let (by, what) = (code(ask.by.as_str()), code(&target.kind().title(&id)));
        let over = if stands { "" } else { "; that is over since" };
        return Ok(format!("Overridden by {by} until {until}: {what} on {}{over}.", code(&id.target)));
    }
    let live = seen(world, desk, known, &id).await?;
    let (title, lines) = (target.kind().title(&id), live.as_ref().map(|live| target.kind().lines(&id, live.value()).join(", ")));
    let covers = live.as_ref().map(|live| live.value().fingerprint());
    let claimed = Override { covers, ..words };
    let decide = |now: &Overrides, _: Time| -> Result<Vec<OverrideEvent>, OverrideFault> {
        let same = now.get(repo, &id).is_some_and(|known| Override { noticed: false, ..known.clone() } == claimed);
        Ok(if same { Vec::new() } else { vec![OverrideEvent::Claimed(claimed.clone())] })
    };
    world.overrides.write(decide).await.map_err(|fault| match fault {
        Ok(fault) => ClaimFault::Refused(fault.to_string()),
        Err(what) => ClaimFault::Unavailable(what),
    })?;
    // What the page and the numbers say is not older than what was said here.
    look_again(world.clone(), repo.clone()).await;
    let shown = match (&live, lines) {
        (Some(Live::Hidden(_)), _) => "differs (its value is sensitive)".to_owned(),
        (Some(Live::Shown(_)), Some(lines)) => format!("is {}", code(&lines)),
        (None, _) | (Some(_), None) => "is gone".to_owned(),
    };
    Ok(format!(
        "Overridden by {} until {until}: {} on {} {shown}, and that is no drift. The next change of it may write over exactly that, which ends the override.",
        code(ask.by.as_str()),
        code(&title),
        code(&id.target)
    ))
}

/// Ends an override of a repository before its time.
pub async fn end(world: &Arc<World>, repo: &RepoId, id: &ResourceId, by: &User) -> Result<(), ClaimFault> {
    let ended = world.overrides.write(|now, at| now.end(repo, id, by, at).map(|event| vec![event])).await;
    ended.map_err(|fault| match fault {
        Ok(fault) => ClaimFault::Refused(fault.to_string()),
        Err(what) => ClaimFault::Unavailable(what),
    })?;
    look_again(world.clone(), repo.clone()).await;
    Ok(())
}

/// Ends overrides of what was found as it is asked for: there is nothing left to answer for.
pub(super) async fn gone(world: &World, repo: &RepoId, looked: &Looked) {
    let over = |known: &&Override| known.repo == *repo && looked.same.contains(&known.id);
    if world.overrides.known().standing().all(|known| !over(&known)) {
        return;
    }
    let ended = world.overrides.write(|now: &Overrides, at| {
        let all = now.standing().filter(over).map(|known| known.ends(Ending::Gone, at));
        Ok::<_, OverrideFault>(all.collect())
    });
    if let Err(Err(why)) = ended.await {
        tracing::warn!("an override that is over is not kept as such: {why}");
    }
}

/// What is live of a resource that drifted.
enum Live {
    Shown(Value),
    Hidden(Value),
}

impl Live {
    fn value(&self) -> &Value {
        match self {
            Self::Shown(value) | Self::Hidden(value) => value,
        }
    }
}

/// What is live; a fault where it is what is asked for, or nobody can tell now.
async fn seen(world: &Arc<World>, desk: &Desk, repo: &Arc<Repository>, id: &ResourceId) -> Result<Option<Live>, ClaimFault> {
    let unavailable = |what: String| ClaimFault::Unavailable(what);
    let base = world.base(&repo.id).ok_or_else(|| unavailable(format!("{} has no governed branch yet; push it first", repo.id)))?;
    let target = world.targets.get(&id.target).cloned().ok_or_else(|| unavailable(format!("no target `{}` here; put it back", id.target)))?;
    let open = Open::Server { desk: desk.clone(), world: world.clone() };
    let ahead = open.ahead(repo).await.map_err(unavailable)?;
    let mut ground = {
        let repo = repo.clone();
        Arc::new(tokio::task::spawn_blocking(move || Ground::at(&repo, &base)).await.map_err(|panic| unavailable(panic.to_string()))?.map_err(unavailable)?)
    };
    let only = Arc::new(Only { id: Some(id.clone()), ..Only::default() });
    let reads = AtOnce(world.safe.clone());
    let mut looker =
        Looker { repo: repo.clone(), safe: world.safe.clone(), target: target.clone(), open, reads: &reads, only, ahead, met: Default::default(), overrides: Arc::default() };
    let bundles = {
        let (repo, ground, id) = (repo.clone(), ground.clone(), id.clone());
        tokio::task::spawn_blocking(move || ground.bundles_of(&repo, &id)).await.map_err(|panic| unavailable(panic.to_string()))?.map_err(unavailable)?
    };
    for bundle in bundles {
        let looked = looker.part(&mut ground, &bundle).await;
        if let Some(told) = judged(looked, id) {
            return told;
        }
    }
    // No file asks for it: what is live is somebody's own, or an open change's.
    judged(looker.unasked(&ground, id).await, id).unwrap_or_else(|| Err(ClaimFault::Refused(format!("nobody asks for `{id}`, and it is not live; check its name"))))
}

/// What a look says of one resource; `None`: it did not speak of it.
fn judged(looked: Looked, id: &ResourceId) -> Option<Result<Option<Live>, ClaimFault>> {
    if let Some(drifted) = looked.drifted.into_iter().find(|drifted| drifted.id == *id) {
        let live = drifted.live;
        return Some(Ok(live.map(|live| if drifted.sensitive { Live::Hidden(live) } else { Live::Shown(live) })));
    }
    if looked.same.contains(id) {
        return Some(Err(ClaimFault::Refused(format!("`{id}` is live as it is asked for: there is nothing to override"))));
    }
    for row in looked.rows {
        match row {
            Row::Fault(fault) => return Some(Err(ClaimFault::Unavailable(fault.what))),
            Row::Part(part) if !part.ahead.is_empty() || !part.writing.is_empty() => {
                let change = part.ahead.iter().chain(&part.writing).map(|of| of.change.clone()).next().unwrap_or_default();
                return Some(Err(ClaimFault::Refused(format!("`{id}` is what the open change {change} wrote: there is nothing to override"))));
            }
            Row::Part(_) | Row::Drift(_) | Row::End(_) => {}
        }
    }
    None
}

/// Has merge requests that drift holds up planned again: one, or every refused one of the repository.
pub async fn plan_again(world: &World, desk: &Desk, repo: &RepoId, by: &User, only: Option<&MrId>) {
    let cards = match world.store.cards().await {
        Ok(cards) => cards,
        Err(error) => return tracing::warn!("the cards cannot be read, nothing is planned again: {error}"),
    };
    let held_up = cards.into_iter().filter(|card| card.mr.repo == *repo && only.map_or(card.phase == Phase::Refused, |only| card.mr == *only && waits(card.phase)));
    for card in held_up {
        let order = Order { mr: card.mr.clone(), by: by.clone(), right: Right::Approve, command: Command::PlanAgain, plan: None, asker: None };
        match order.keep(&world.store, world.clock.now()).await {
            Ok(n) => desk.send(&card.mr, Mail::Command { n, answer: None }),
            Err(error) => tracing::warn!(change = %card.mr, "it is not planned again: {error}"),
        }
    }
}

/// Phases in which a plan may be another one after an override was claimed.
fn waits(phase: Phase) -> bool {
    match phase {
        Phase::Refused | Phase::AwaitingApproval | Phase::Empty => true,
        Phase::Planning
        | Phase::Queued
        | Phase::Rolling
        | Phase::Verifying
        | Phase::Merging
        | Phase::Merged
        | Phase::Conflicted
        | Phase::Paused
        | Phase::Failed
        | Phase::Restoring
        | Phase::Restored
        | Phase::Closed => false,
    }
}
