//! The sweep: looks at everything governed, part by part, again and again, never in anybody's way; it goes on where it was after a restart.

use super::{
    book::{PAUSE, SweepBook, longer},
    ground::{Bundle, Ground, Only},
    look::{Looked, Looker, Open, Reads},
    propose,
};
use crate::{
    app::{
        config,
        desk::Desk,
        replicas,
        safe::Safe,
        targets::Target,
        world::{Repository, World},
    },
    core::{
        drift::{Row, Stray, Stretch, Swept, Told},
        model::{Fact, MrId, Observed, RepoId, Span, Str, User, Want},
    },
    ports::{Fut, ObserveError},
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::{sync::watch, time::Instant};

/// Reads as the sweep does: in its own time, and only while nobody else wants the target.
pub(super) struct Gently<'a> {
    pub book: &'a SweepBook,
    pub safe: Arc<Safe>,
    pub apart: Duration,
}

impl Reads for Gently<'_> {
    fn read<'a>(&'a self, target: &'a Target, wants: &'a [Want], facts: &'a [Fact]) -> Fut<'a, Result<Vec<Observed>, ObserveError>> {
        Box::pin(async move {
            tokio::time::sleep_until(self.book.turn(&target.name, self.apart)).await;
            target.observe_last(self.safe.secrets(), wants, facts).await
        })
    }
}

/// What a round looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Whatever is due with so much between two looks, going on where the last round stopped.
    Due(Span),
    /// The parts in which something was found.
    Known,
    /// Everything, now.
    All,
}

/// Sweeps one repository until told to stop.
pub async fn sweep(world: Arc<World>, desk: Desk, repo: Arc<Repository>, drift: config::Drift, mut stop: watch::Receiver<bool>) {
    let Some(every) = drift.every else { return };
    let reads = Gently { book: &world.sweeps, safe: world.safe.clone(), apart: Duration::from_secs(60) / drift.reads.max(1) };
    // How often another look was asked for, and when to take one because the last did not come to its end.
    let (mut seen, mut later): (u64, Option<Later>) = (0, None);
    if let Err(error) = world.sweeps.open(&world, &repo.id).await {
        tracing::warn!(repo = %repo.id, "what the last sweep found cannot be read, and is found again: {error}");
    }
    loop {
        if elsewhere(&world, &repo.id).await {
            let follow = async {
                tokio::time::sleep(PAUSE).await;
                if let Err(error) = world.sweeps.open(&world, &repo.id).await {
                    tracing::warn!(repo = %repo.id, "what another server's sweep found cannot be read: {error}");
                }
            };
            tokio::select! {
                () = follow => continue,
                changed = stop.wait_for(|stop| *stop) => {
                    drop(changed);
                    return;
                }
            }
        }
        let due = next_round(&world, &repo, every);
        let retry = later.map_or(Duration::MAX, |later| later.at.saturating_duration_since(Instant::now()));
        // Where several servers share the work, who sweeps is asked now and then.
        let nap = if world.store.shared() { PAUSE } else { Duration::MAX };
        // After a round that did not come to its end nothing is done at once; what cannot be proposed keeps nobody from looking.
        let (next, round) = match later {
            Some(later) if later.asked || !due.is_zero() => (retry, Round::Known),
            Some(_) => (retry, Round::Due(every)),
            None => (due, Round::Due(every)),
        };
        let round = tokio::select! {
            () = tokio::time::sleep(next.min(nap)) => (next <= nap).then_some(round),
            () = world.sweeps.asked(&world, &repo.id, &mut seen) => Some(Round::Known),
            changed = stop.wait_for(|stop| *stop) => {
                drop(changed);
                return;
            }
        };
        let round = match round {
            Some(round) => round,
            None if world.sweeps.told(&world, &repo.id).await => Round::Known,
            None => continue,
        };
        metrics::counter!("trueup_sweeps_total", "repo" => repo.id.to_string(), "of" => "drift").increment(1);
        let swept = async {
            let base = world.base(&repo.id);
            look_round(&world, &desk, &repo, &reads, round).await.map_err(|why| format!("the sweep for drift waits: {why}"))?;
            if drift.propose && world.sweeps.known_of(&repo.id).values().any(|swept| swept.began.is_some()) {
                propose::propose(&world, &desk, &repo, &reads, None).await.map_err(|why| format!("drift is not proposed: {why}"))?;
                if world.base(&repo.id) != base {
                    return Err("the branch moved while drift was looked for and proposed".to_owned());
                }
            }
            Ok(())
        };
        let whole = matches!(round, Round::Due(_) | Round::All);
        tokio::select! {
            done = swept => match done {
                Ok(()) => later = None,
                Err(why) => {
                    let wait = longer(later.map(|later| later.wait), every);
                    tracing::warn!(repo = %repo.id, "{why}; it is tried again in {} s", wait.as_secs());
                    later = Some(Later { wait, at: Instant::now() + wait, asked: false });
                }
            },
            // A whole round may take hours, and goes on where it was.
            () = world.sweeps.asked(&world, &repo.id, &mut seen), if whole => later = Some(Later { wait: PAUSE, at: Instant::now(), asked: true }),
            changed = stop.wait_for(|stop| *stop) => {
                drop(changed);
                return;
            }
        }
        if world.sweeps.known_of(&repo.id).is_empty() {
            // The branch governs nothing that there is a target for.
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                changed = stop.wait_for(|stop| *stop) => {
                    drop(changed);
                    return;
                }
            }
        }
    }
}

/// Another look at what was found, after one that did not come to its end.
#[derive(Clone, Copy)]
struct Later {
    wait: Duration,
    at: Instant,
    /// Somebody asked for it, in the middle of a whole round.
    asked: bool,
}

/// Whether another server over the same store is meant to sweep it, so that its targets are read once.
async fn elsewhere(world: &World, repo: &RepoId) -> bool {
    if !world.store.shared() {
        return false;
    }
    let members: BTreeSet<String> = world.store.members().await.unwrap_or_default().into_iter().collect();
    replicas::falls_to(&members, repo.as_str()).is_some_and(|other| *other != world.store.me())
}

/// How long until the next whole round of any target: one that was cut off goes on at once, or when its target has rested.
fn next_round(world: &World, repo: &Repository, every: Span) -> Duration {
    let now = world.clock.now();
    world.sweeps.known_of(&repo.id).iter().map(|(target, swept)| world.sweeps.wait(&repo.id, target, swept, every, now)).min().unwrap_or_default()
}

/// One round over every target that the repository speaks of, side by side.
pub async fn look_round(world: &Arc<World>, desk: &Desk, repo: &Arc<Repository>, reads: &dyn Reads, round: Round) -> Result<(), String> {
    let base = world.base(&repo.id).ok_or_else(|| format!("{} has no governed branch yet", repo.id))?;
    let ground = {
        let repo = repo.clone();
        Arc::new(tokio::task::spawn_blocking(move || Ground::at(&repo, &base)).await.map_err(|panic| panic.to_string())??)
    };
    world.sweeps.retain(world, &repo.id, &ground.targets()).await;
    let walks = ground.targets().into_iter().map(|name| walk(world, desk, repo, ground.clone(), name, reads, round));
    // Each to its end: what one target lacks is no reason to leave another.
    futures::future::join_all(walks).await.into_iter().collect()
}

/// A walk over one target, as it was when it began.
struct Walk {
    bundles: Vec<Bundle>,
    stretches: Vec<Stretch>,
    strays: Vec<Stray>,
    /// Where a whole round goes on; none where it begins, or where the round is not whole.
    after: Option<String>,
    whole: bool,
    /// What was found before is looked at, wherever the round is.
    known: bool,
}

impl Walk {
    /// Whether the whole round has this part before it.
    fn ahead(&self, at: usize) -> bool {
        self.whole && self.after.as_ref().is_none_or(|after| self.stretches[at].last > *after)
    }

    fn takes(&self, at: usize, swept: &Swept) -> bool {
        self.ahead(at) || self.known && swept.parts.contains_key(&self.stretches[at].key()) || self.strays.iter().any(|stray| stray.needs.contains(&at))
    }

    /// Parts of an earlier cut of which all was looked at.
    fn over<'a>(&'a self, done: &'a BTreeSet<usize>) -> impl Iterator<Item = &'a String> {
        self.strays.iter().filter(|stray| stray.needs.is_subset(done)).map(|stray| &stray.key)
    }
}

async fn walk(world: &Arc<World>, desk: &Desk, repo: &Arc<Repository>, mut ground: Arc<Ground>, name: Str, reads: &dyn Reads, round: Round) -> Result<(), String> {
    let Some(target) = world.targets.get(&name).cloned() else { return Ok(()) };
    let swept = world.sweeps.load(world, &repo.id, &name).await.map_err(|error| error.to_string())?;
    let now = world.clock.now();
    if let Round::Due(every) = round
        && world.sweeps.wait(&repo.id, &name, &swept, every, now) > Duration::ZERO
    {
        return Ok(());
    }
    let rest = world.sweeps.wakes(&repo.id, &name);
    let (whole, known) = match round {
        Round::Due(every) => (swept.due(every).is_none_or(|due| due <= now), rest.is_some_and(|rest| rest.known)),
        Round::Known => (false, true),
        Round::All => (true, true),
    };
    // What somebody asked for on their own is a round of its own, beside one that is under way.
    let goes_on = matches!(round, Round::Due(_)) && swept.under_way();
    let (began, mut compared) = if goes_on { (swept.began.unwrap_or(now), swept.compared) } else { (now, 0) };
    if matches!(round, Round::Due(_)) && whole && !goes_on {
        world.sweeps.change(world, &repo.id, &name, |swept| swept.begin(now)).await;
    }
    let walk = cut(repo, &ground, &name, &swept, if goes_on { swept.after.clone() } else { None }, whole, known).await?;
    let every = match round {
        Round::Due(every) => every,
        Round::Known | Round::All => Span::mins(5),
    };
    let open = Open::Server { desk: desk.clone(), world: world.clone() };
    let (ahead, overrides) = (open.ahead(repo).await?, open.overrides().await);
    let mut looker = Looker { repo: repo.clone(), safe: world.safe.clone(), target, open, reads, only: Arc::new(Only::default()), ahead, met: BTreeSet::new(), overrides };
    let mut done = BTreeSet::new();
    let gone: Vec<&String> = walk.over(&done).collect();
    if !gone.is_empty() {
        world.sweeps.change(world, &repo.id, &name, |swept| swept.forget(gone.iter().copied())).await;
    }
    for at in (0..walk.bundles.len()).filter(|at| walk.takes(*at, &swept)) {
        let (bundle, stretch) = (&walk.bundles[at], &walk.stretches[at]);
        let looked = looker.part(&mut ground, bundle).await;
        let told = told(&looked);
        if told.anything() {
            done.insert(at);
        }
        let counted: u64 = looked.rows.iter().map(|row| if let Row::Part(part) = row { part.resources } else { 0 }).sum();
        compared += if walk.ahead(at) { counted } else { 0 };
        let time = world.clock.now();
        let edit = |swept: &mut Swept| {
            swept.take(Some(stretch), told, time);
            swept.forget(walk.over(&done));
            if matches!(round, Round::Due(_)) && walk.ahead(at) && !looked.away {
                (swept.after, swept.compared) = (Some(stretch.last.clone()), compared);
            }
        };
        world.sweeps.change(world, &repo.id, &name, edit).await;
        if looked.away {
            // Whatever follows would be a fault too. The round goes on here when the target is back.
            world.sweeps.rests(&repo.id, &name, rest, every, known);
            return Ok(());
        }
    }
    if whole {
        let beyond = looker.beyond(&ground).await;
        let time = world.clock.now();
        if beyond.away {
            world.sweeps.change(world, &repo.id, &name, |swept| swept.take(None, told(&beyond), time)).await;
            world.sweeps.rests(&repo.id, &name, rest, every, known);
            return Ok(());
        }
        let edit = |swept: &mut Swept| {
            swept.take(None, told(&beyond), time);
            swept.end(began, time, compared);
        };
        world.sweeps.change(world, &repo.id, &name, edit).await;
    }
    Ok(())
}

fn told(looked: &Looked) -> Told<'_> {
    Told { rows: &looked.rows, same: &looked.same, unknown: &looked.unknown }
}

/// The walk over one target as the branch has it now, and what was found by walks that were cut in another way.
async fn cut(repo: &Arc<Repository>, ground: &Arc<Ground>, name: &Str, swept: &Swept, after: Option<String>, whole: bool, known: bool) -> Result<Walk, String> {
    let (repo, ground, name, swept) = (repo.clone(), ground.clone(), name.clone(), swept.clone());
    let made = tokio::task::spawn_blocking(move || {
        let bundles = ground.bundles(&repo, &name)?;
        let stretches: Vec<Stretch> = bundles.iter().map(Bundle::stretch).collect();
        let mut strays = swept.strays(&stretches);
        for stray in &mut strays {
            for id in &stray.ids {
                stray.needs.extend(ground.asking(&repo, &bundles, id)?);
            }
        }
        Ok::<_, String>(Walk { bundles, stretches, strays, after, whole, known })
    });
    made.await.map_err(|panic| panic.to_string())?
}

/// Looks at everything now and proposes what is found, because somebody asks for it.
pub async fn propose_now(world: &Arc<World>, desk: &Desk, repo: &Arc<Repository>, by: &User) -> Result<Option<MrId>, String> {
    let reads = super::look::AtOnce(world.safe.clone());
    look_round(world, desk, repo, &reads, Round::All).await?;
    propose::propose(world, desk, repo, &reads, Some(by)).await
}
