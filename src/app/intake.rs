//! Intake: starts the changes that have something to do, hands news from the forge to them, and sweeps for news that was lost.

use super::{
    desk::Desk,
    orders, reign, replicas,
    service::Service,
    worker::Mail,
    world::{Repository, World},
};
use crate::core::{
    model::{CommitId, MrId, RepoId, Span},
    review::{Phase, escape::code},
    run::Card,
};
use crate::ports::{ForgeError, MrRef};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::watch;

/// Wakes what was under way when the last process ended; reads cards only. How many there are.
pub async fn resume(world: &World, desk: &Desk) -> Result<usize, String> {
    if world.store.shared() {
        // Each replica takes its share of what nobody owns, as it does whenever one leaves.
        return Ok(0);
    }
    let cards = world.store.cards().await.map_err(|error| error.to_string())?;
    // Those ahead of base first: what is planned from here on asks them what they wrote.
    desk.seat_all(cards.iter().filter(|card| card.ahead).map(|card| &card.mr));
    // A command may wait for a change that rests.
    for (_, mr) in orders::waiting(&world.store).await.map_err(|error| error.to_string())? {
        desk.send(&mr, Mail::Look);
    }
    let mut woken = 0;
    for card in cards.iter().filter(|card| has_to_do(card)) {
        desk.send(&card.mr, Mail::Look);
        woken += 1;
    }
    Ok(woken)
}

/// Whether a change goes on by itself.
pub fn has_to_do(card: &Card) -> bool {
    card.outstanding || card.ahead || card.next_wake.is_some() || is_busy(card.phase)
}

/// Phases in which something happens by itself.
fn is_busy(phase: Phase) -> bool {
    match phase {
        Phase::Planning | Phase::Queued | Phase::Rolling | Phase::Verifying | Phase::Merging | Phase::Restoring => true,
        Phase::AwaitingApproval | Phase::Merged | Phase::Empty | Phase::Refused | Phase::Conflicted | Phase::Paused | Phase::Failed | Phase::Restored | Phase::Closed => false,
    }
}

/// Every open change of a repository looks again, whether its worker runs or not, but the one that it is because of, and those that look when it is their turn to
/// merge or start; how many are open. Costs the open ones only.
pub async fn look_all(world: &World, desk: &Desk, repo: &RepoId, but: Option<&MrId>) -> Result<usize, ForgeError> {
    let open = world.forge.open(repo).await?;
    let (count, merging) = (open.len(), world.turns.line(repo));
    let (mut acting, mut rest) = (Vec::new(), Vec::new());
    for found in open.into_iter().filter(|found| Some(&found.mr) != but) {
        let comes = |card: &Card| merging.contains(&found.mr) && matches!(card.phase, Phase::Merging | Phase::Queued) && (card.outstanding || card.next_wake.is_some());
        // One that was restored stays open at the forge and is over for us; what cannot be read is looked at.
        match world.store.card(&found.mr).await {
            Ok(Some(card)) if card.phase.is_over() || comes(&card) => {}
            Ok(Some(card)) if !card.ahead && !matches!(card.phase, Phase::Queued | Phase::Verifying | Phase::Merging) => rest.push(found.mr),
            Ok(_) | Err(_) => acting.push(found.mr),
        }
    }
    acting.append(&mut rest);
    desk.hint(world.news.spared(repo, acting, world.elsewhere.contains_key(repo)));
    Ok(count)
}

/// A merge request was merged, closed, opened again or described anew: those that wait for others before they start look again.
pub async fn look_queued(world: &World, desk: &Desk, repos: impl Iterator<Item = &RepoId>, but: Option<&MrId>) {
    let mut news = Vec::new();
    for repo in repos {
        let open = match world.forge.open(repo).await {
            Ok(open) => open,
            Err(error) => {
                tracing::warn!(%repo, "the forge did not say which changes are open; the sweep will: {error}");
                continue;
            }
        };
        for found in open.into_iter().filter(|found| Some(&found.mr) != but) {
            let waits = |card: &Card| matches!(card.phase, Phase::Queued | Phase::AwaitingApproval | Phase::Empty | Phase::Merging | Phase::Refused);
            if matches!(world.store.card(&found.mr).await, Ok(Some(card)) if waits(&card)) {
                news.push(found.mr);
            }
        }
    }
    desk.hint(news);
}

/// Counts what of a network forge moved and no webhook told of: hooks that are missing or late are seen there.
fn count_unannounced<'a>(world: &World, repo: &RepoId, moved: impl Iterator<Item = &'a MrRef>) {
    if !world.elsewhere.contains_key(repo) {
        return;
    }
    let now = world.clock.now();
    for found in world.news.unannounced(repo, moved) {
        metrics::counter!("trueup_news_swept_total", "repo" => repo.to_string()).increment(1);
        let late = now.0.saturating_sub(found.updated.0).max(0);
        metrics::histogram!("trueup_news_late_seconds", "by" => "sweep").record(late as f64 / 1000.0);
    }
}

/// Tells once where a merge request goes to a branch that governs nothing, and leaves it alone. Those that were there before the server are nobody's news.
async fn told(world: &World, mr: &MrId, into: &str) {
    let mut all = world.beside(&mr.repo);
    // Of several that are one there the first speaks, and none where one of them governs.
    if world.beside(&mr.repo).any(|known| known.governed.holds(into)) || all.next().is_none_or(|first| first.id != mr.repo) {
        return;
    }
    let govern: Vec<String> = world.beside(&mr.repo).map(|known| code(&known.governed.said())).collect();
    let text = format!("{} governs nothing here, so this merge request is none of trueup's. What goes to {} is planned and run.", code(into), govern.join(" or "));
    if let Err(error) = world.forge.tell(mr, "stray", &text).await {
        tracing::warn!(change = %mr, "that its branch governs nothing could not be told: {error}");
    }
}

/// Reads which branch governs. What this replica planned under another one looks again: the replica that merged the takeover tells its own alone.
async fn settled(world: &World, service: &Service, repo: &Repository) {
    let before = repo.governed.now();
    if let Err(why) = reign::settle(world, repo).await {
        tracing::warn!(repo = %repo.id, "which branch governs is not known yet: {why}");
    }
    if before.is_some() && before != repo.governed.now() {
        service.hint_all(world.reigns.planned(&repo.id));
    }
}

/// Whether the forge shows something that the card does not know.
fn is_news(card: &Card, found: &MrRef) -> bool {
    card.head.as_ref() != Some(&found.head) || found.updated > card.updated || found.open != !matches!(card.phase, Phase::Closed | Phase::Merged)
}

/// Whether base moved since the change was last looked at: a round that was owed for it ended with the last process.
fn owes_a_round(card: &Card, base: Option<&CommitId>) -> bool {
    !card.phase.is_over() && card.base.is_some() && base.is_some() && card.base.as_ref() != base
}

/// Looks at every merge request that changed since the last sweep and at some that did not, again and again, until told to stop.
pub async fn sweep(service: Service, every: Span, mut stop: watch::Receiver<bool>) {
    let mut cursors: BTreeMap<RepoId, u64> = BTreeMap::new();
    let world: Arc<World> = service.world().clone();
    let mut known: BTreeMap<MrId, Card> = match world.store.cards().await {
        Ok(cards) => cards.into_iter().map(|card| (card.mr.clone(), card)).collect(),
        Err(error) => {
            tracing::warn!("the cards cannot be read, looking at everything: {error}");
            BTreeMap::new()
        }
    };
    loop {
        let members: BTreeSet<String> = match world.store.shared() {
            true => world.store.members().await.unwrap_or_default().into_iter().collect(),
            false => BTreeSet::new(),
        };
        let me = world.store.me();
        for (repo, known_as) in &world.repositories {
            settled(&world, &service, known_as).await;
            // Several replicas divide the repositories among them.
            if replicas::falls_to(&members, repo.as_str()).is_some_and(|other| *other != me) {
                continue;
            }
            metrics::counter!("trueup_sweeps_total", "repo" => repo.to_string(), "of" => "forge").increment(1);
            let mut news: Vec<MrId> = Vec::new();
            let since = cursors.get(repo).copied().unwrap_or_default();
            match world.forge.sweep(repo, since).await {
                Ok((found, next)) => {
                    let (open, over): (Vec<MrRef>, Vec<MrRef>) = found.into_iter().partition(|found| found.open);
                    let moved = world.news.moved(repo, world.base(repo), &open, world.elsewhere.contains_key(repo));
                    if known.is_empty() {
                        count_unannounced(&world, repo, open.iter().filter(|found| moved.contains(&found.mr)));
                        news.extend(moved.into_iter().chain(world.news.in_turn(repo, world.elsewhere.contains_key(repo))));
                    } else {
                        // On the first sweep most is as the journals hold it: only what moved since is looked at.
                        let base = world.base(repo);
                        let moved = |card: &Card, found: &MrRef| is_news(card, found) || owes_a_round(card, base.as_ref());
                        open.iter().filter(|found| known.get(&found.mr).is_none_or(|card| moved(card, found))).for_each(|found| news.push(found.mr.clone()));
                    }
                    for found in over {
                        if let Some(into) = found.stray.as_ref().filter(|_| since > 0) {
                            told(&world, &found.mr, into).await;
                        }
                        if found.stray.is_some() && matches!(world.store.card(&found.mr).await, Ok(None)) {
                            continue;
                        }
                        // What is over here and there is left alone, unless people may still say what becomes of what it wrote.
                        let moved = match known.get(&found.mr) {
                            Some(card) => is_news(card, &found),
                            None => !matches!(world.store.card(&found.mr).await, Ok(Some(card)) if card.phase.is_over() && !card.ahead),
                        };
                        if moved {
                            news.push(found.mr);
                        }
                    }
                    cursors.insert(repo.clone(), next);
                    service.hint_all(news);
                }
                Err(error) => tracing::warn!(%repo, "the sweep got no answer: {error}"),
            }
        }
        known.clear();
        tokio::select! {
            () = tokio::time::sleep(every.std()) => {}
            changed = stop.wait_for(|stop| *stop) => {
                drop(changed);
                return;
            }
        }
    }
}
