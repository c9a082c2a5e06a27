//! The one place where effects become real. Doing an effect twice is safe; its answer goes back as mail.

use super::{
    code_owners,
    desk::Desk,
    drift, faults, governing, hooks, merging,
    replan::{Asked, Question, replan},
    safe::Look,
    service::Service,
    starting::{Outdated, Starts, start},
    targets::{Owned, observe_all},
    worker::{Mail, Tokens},
    world::{Repository, World},
};
use crate::{
    core::{
        diff::{Delta, Op},
        drift::OverrideAsk,
        model::{CommitId, MrId, ResourceId, StepId, Str, Token},
        plan::{Act, Earlier, Plan, Written},
        review::{Brings, CommentId, Sighting, Team, Teams, Upshot, escape::code},
        run::{Ask, Effect, Input, Item, Outcome},
    },
    ports::{Fence, ForgeError, ForgeErrorKind, KvError, Reaction, Stand, Stands},
    stores::Store,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// Everything an effect may use.
pub struct Hands {
    pub world: Arc<World>,
    pub desk: Desk,
    pub mr: MrId,
    pub plan: Option<Arc<Plan>>,
    /// What this change wrote and is not merged or restored yet; filled where a plan is asked for.
    pub written: BTreeMap<ResourceId, Written>,
    /// The same one by one.
    pub earlier: Vec<Earlier>,
    /// The way back is of what somebody changed by hand.
    pub reverts: bool,
    /// What the change knows of its merge request; filled where a run is about to start.
    pub known: Option<Sighting>,
    /// The branch it merges into, as it was last seen.
    pub into: Option<Str>,
    pub fence: Fence,
    pub tokens: Tokens,
    /// Which of its questions for a plan this is, where it is one.
    pub question: Option<Question>,
    /// How its starts went.
    pub starts: Starts,
}

/// The first wait before asking a forge again that did not answer; doubles up to `FORGE_WAIT_MOST`.
pub(super) const FORGE_WAIT: Duration = Duration::from_millis(500);
/// A forge that is down for an hour is asked twice a minute: soon enough for people, cheap enough for it.
pub(super) const FORGE_WAIT_MOST: Duration = Duration::from_secs(30);

/// The wait before a board that could not be written is tried again: its disk is full or gone, which takes people.
const BOARD_WAIT: Duration = Duration::from_secs(2);

/// How often it is looked whether a lease that may have ended was renewed.
const OURS_WAIT: Duration = Duration::from_millis(200);

/// Waits until a change is certainly ours; false: it is not any more, and nothing of what was begun for it is done.
pub(super) async fn is_ours(store: &Store, fence: &Fence) -> bool {
    while !store.is_lost(fence) {
        if store.stands(fence) != Stands::Gone {
            return true;
        }
        tokio::time::sleep(OURS_WAIT).await;
    }
    false
}

/// Makes one effect real and mails the answer.
pub async fn perform(hands: Hands, effect: Effect) {
    if !is_ours(&hands.world.store, &hands.fence).await {
        return;
    }
    let answer = match effect {
        Effect::Replan { base, head, ours, restore } => match &hands.question {
            Some(question) => replan(&hands, question, Asked { base, head, ours, restore }).await,
            None => None,
        },
        Effect::Observe { ask: ask @ Ask::Start { .. }, wants, facts, health } => {
            let (turns, again) = (&hands.world.turns, Look::again(&hands.world.safe));
            let seen = start(turns, &hands.mr, &hands.starts, outdated(&hands), observe_all(&hands.world.targets, again, &wants, &facts, health)).await;
            if seen.is_err() {
                hands.desk.send(&hands.mr, Mail::Look);
            }
            Some(Input::Observed { ask, seen: seen.and_then(|seen| seen.map_err(|error| error.to_string())) })
        }
        Effect::Observe { ask, wants, facts, health } => {
            let seen = observe_all(&hands.world.targets, Look::again(&hands.world.safe), &wants, &facts, health).await;
            Some(Input::Observed { ask, seen: seen.map_err(|error| error.to_string()) })
        }
        Effect::Probe { n, probe } => {
            let saw = hands.world.probe(&hands.mr.repo, &probe).await;
            Some(Input::Probed { probe: probe.key(), n, saw })
        }
        Effect::Act { step, attempt, skip } => {
            faults::point("before act");
            let outcome = act(&hands, step, &skip).await;
            faults::point("after act");
            Some(Input::Acted { step, attempt, outcome })
        }
        Effect::Claim { n, claims, incident } => {
            while let Err(why) = hands.world.board.claim(&hands.desk, hands.mr.clone(), &hands.fence, n, claims.clone(), incident).await {
                tracing::error!(change = %hands.mr, "the board cannot be written, trying again: {why}");
                tokio::time::sleep(BOARD_WAIT).await;
                if !is_ours(&hands.world.store, &hands.fence).await {
                    return;
                }
            }
            None
        }
        Effect::Unclaim => {
            while let Err(why) = hands.world.board.release(&hands.desk, hands.mr.clone(), &hands.fence).await {
                tracing::error!(change = %hands.mr, "the board cannot be written, trying again: {why}");
                tokio::time::sleep(BOARD_WAIT).await;
                if !is_ours(&hands.world.store, &hands.fence).await {
                    return;
                }
            }
            Some(Input::Unclaimed)
        }
        Effect::Halt(on) => {
            // Its own worker hears of it with all others.
            while let Err(error) = Service::set_halt(&hands.world, &hands.desk, on).await {
                tracing::error!(change = %hands.mr, "the halt cannot be kept, trying again: {error}");
                tokio::time::sleep(BOARD_WAIT).await;
                if !is_ours(&hands.world.store, &hands.fence).await {
                    return;
                }
            }
            None
        }
        Effect::Reply { to, text, overrides, upshot } => {
            mark(&hands, to, upshot.map(|_| Reaction::Seen));
            let claims = !overrides.is_empty();
            if claims {
                faults::point("before claim");
            }
            let (said, all) = claimed(&hands, text.clone(), overrides).await;
            if claims {
                faults::point("after claim");
            }
            reply(&hands, to, &said).await;
            mark(&hands, to, upshot.map(|upshot| if all && upshot == Upshot::Done { Reaction::Done } else { Reaction::Refused }));
            Some(Input::Replied { to, text })
        }
        Effect::Merge(ticket) => {
            faults::point("before merge");
            let answer = merging::merge(&hands, ticket).await;
            faults::point("after merge");
            Some(Input::Merged(answer))
        }
        // The worker keeps its own timer, face and looks.
        Effect::Show(_) | Effect::Wake(_) | Effect::Look => None,
    };
    if let Some(input) = answer.filter(|_| !hands.world.store.is_lost(&hands.fence)) {
        // By the desk: an answer that comes after the worker ended starts it again.
        hands.desk.send(&hands.mr, Mail::Input(Box::new(input)));
    }
}

/// The changes whose writes the plan keeps and that hold them no more.
pub async fn unbacked(desk: &Desk, mr: &MrId, plan: Option<&Plan>) -> Option<BTreeSet<MrId>> {
    let kept: Vec<_> = plan?.deltas.iter().filter(|delta| delta.op == Op::Keep).filter_map(|delta| Some((delta, delta.reason.ahead_by()?))).collect();
    if kept.is_empty() {
        return None;
    }
    // Who cannot say holds what it held, as far as anybody knows.
    let ahead = desk.applied_by_others(mr).await.ok()?;
    let stands = |delta: &Delta, by: &MrId| ahead.get(&delta.id).is_some_and(|(other, applied)| other == by && *applied == delta.to);
    let gone: BTreeSet<MrId> = kept.into_iter().filter(|(delta, by)| !stands(delta, by)).map(|(_, by)| by.clone()).collect();
    (!gone.is_empty()).then_some(gone)
}

/// Whether another repository has become the owner of something that the plan asks for, or is it no more; or another branch governs.
pub async fn owners_moved(world: &Arc<World>, mr: &MrId, into: Option<&Str>) -> bool {
    if world.reigns.moved(world, mr, into) {
        return true;
    }
    if !world.owners.concern(&mr.repo) {
        return false;
    }
    let (world, mr) = (world.clone(), mr.clone());
    // What cannot be told is found by the plan that is made for it.
    tokio::task::spawn_blocking(move || world.owners.moved(&mr, &world.targets)).await.unwrap_or(true)
}

/// Whether the merge request is not what the change knows any more: its base moved while nobody looked, say. Nothing starts on that.
async fn outdated(hands: &Hands) -> Option<Outdated> {
    // A way back starts whatever became of the merge request and of what others ask for: it asks for nothing that could be theirs by now.
    let known = hands.known.as_ref()?;
    if owners_moved(&hands.world, &hands.mr, hands.into.as_ref()).await {
        return Some(Outdated { moved: false, why: "what another repository or branch asks for has changed".to_owned() });
    }
    match sight(&hands.world, &hands.mr, Some(CommentId(u64::MAX))).await {
        // What is only told, and not judged, is no news.
        Ok(now) => {
            let moved = now.base != known.base;
            let same = Sighting { edited: Vec::new(), altered: None, ..now } == *known;
            (!same).then(|| Outdated { moved, why: "the merge request or its base moved since it was last looked at".to_owned() })
        }
        // The forge being away stops no run (I14); the branch itself is as near as the repository.
        Err(error) if error.kind.passes() || error.kind == ForgeErrorKind::Stranger => hands
            .world
            .base(&hands.mr.repo)
            .filter(|base| *base != known.base)
            .map(|base| Outdated { moved: true, why: format!("base is {base} by now, and the forge does not answer") }),
        // It answers, and the merge request cannot be read: somebody may have seen to that.
        Err(error) => Some(Outdated { moved: false, why: format!("the merge request cannot be read: {error}") }),
    }
}

/// The merge request as its forge shows it, with what git says that it brings, and those who pushed as signed deliveries said.
async fn sight(world: &World, mr: &MrId, since: Option<CommentId>) -> Result<Sighting, ForgeError> {
    let mut seen = world.forge.look(mr, since).await?;
    let Some(repo) = world.repositories.get(&mr.repo) else { return Ok(seen) };
    let (state, base, head) = (repo.state.clone(), seen.base.clone(), seen.head.clone());
    // What is not here yet is read by the look that follows the fetch; rules that ask for it are not kept until then.
    let brought = tokio::task::spawn_blocking(move || state.brought(&base, &head).ok()).await.ok().flatten();
    let unread = |error: KvError| ForgeError { what: format!("who pushed cannot be read: {error}"), kind: ForgeErrorKind::Unavailable };
    let pushed = hooks::pushers(&world.store, (&**repo, &*world.people), &seen, brought.as_deref()).await.map_err(unread)?;
    seen.own_head &= pushed.iter().all(|who| *who == seen.author);
    seen.pushers.extend(pushed);
    // Whoever approves is held against who is in the teams now; a run that is about to start, too.
    let fresh = !seen.comments.is_empty() || !seen.reviews.is_empty() || since == Some(CommentId(u64::MAX));
    seen.teams = teams(world, repo, (&judged_by(repo, &seen), &seen.base, &seen.head), fresh).await?;
    let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    seen.brings =
        brought.map(|brought| Brings { commits: small(brought.commits.len()), messages: brought.messages.clone(), unsaid: small(brought.unsaid), files: small(brought.files) });
    Ok(seen)
}

/// The edited ones among what was read after `since` that nobody `heard` meanwhile: another look took these as they were written. Where an edit tells its own time, the next
/// look tells of it; where our own answer to a command counts as one (GitLab), nobody edited anything.
pub fn unheard(edited: Vec<CommentId>, since: Option<CommentId>, heard: Option<CommentId>) -> Vec<CommentId> {
    edited.into_iter().filter(|id| since.is_some_and(|since| *id <= since) || heard.is_none_or(|heard| *id > heard)).collect()
}

/// Says once of each edited comment with commands that what it says now is not heard; beside what else there is to do, as the forge may be slow.
pub fn tell_edited(world: &Arc<World>, mr: &MrId, edited: Vec<CommentId>) {
    if edited.is_empty() {
        return;
    }
    let (world, mr) = (world.clone(), mr.clone());
    tokio::spawn(async move { say_edited(&world, &mr, edited).await });
}

async fn say_edited(world: &World, mr: &MrId, edited: Vec<CommentId>) {
    for id in edited.into_iter().filter(|id| world.news.tells(mr, *id)) {
        let text = "A comment with a command was edited (on GitLab a reaction counts as that), and edited comments are no commands. What it said before may have been done: the answers here say so. What it says now is not: for that, write a new comment.";
        if let Err(error) = world.forge.tell(mr, &format!("edited {}", id.0), text).await {
            tracing::warn!(change = %mr, "that an edited comment is no command could not be said; the next look says it: {error}");
            world.news.untold(mr, id);
        }
    }
}

/// The commit whose policy judges: the tip of the branch that governs, whichever the request goes to.
fn judged_by(repo: &Repository, seen: &Sighting) -> CommitId {
    let governs = match repo.governed.stand(&seen.base_branch) {
        Stand::Governs | Stand::Open => None,
        Stand::Newer(from) => Some(from),
        Stand::Retired(by) => Some(by),
        Stand::Stray => repo.governed.now(),
    };
    governs.and_then(|branch| repo.state.commit(&format!("refs/heads/{branch}")).ok()).unwrap_or_else(|| seen.base.clone())
}

/// Who is in the teams that base's policy names, or that own what is changed where it asks owners. One that cannot be read has no members, and says why.
async fn teams(world: &World, repo: &Arc<Repository>, (base, onto, head): (&CommitId, &CommitId, &CommitId), fresh: bool) -> Result<Teams, ForgeError> {
    let known = repo.teams.lock().unwrap_or_else(std::sync::PoisonError::into_inner).as_ref().filter(|(at, _)| at == base).map(|(_, teams)| teams.clone());
    let named = match known {
        Some(named) => named,
        None => {
            let (of, at) = (repo.clone(), base.clone());
            // A base that is not here yet is read by the look that follows the fetch.
            let read = tokio::task::spawn_blocking(move || governing::teams(&of, &at).ok()).await.ok().flatten();
            let Some(read) = read.map(Arc::new) else { return Ok(Teams::new()) };
            *repo.teams.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some((base.clone(), read.clone()));
            read
        }
    };
    let owning = code_owners::teams(repo.clone(), [base, onto, head].map(Clone::clone)).await;
    let mut teams = Teams::new();
    for name in named.union(&owning) {
        let team = match world.forge.team(&repo.id, name, fresh).await {
            Ok(members) => Team::Members(members),
            // It is asked again, and what was said waits.
            Err(error) if error.kind.passes() => return Err(error),
            Err(error) => Team::Unread(error.what.into()),
        };
        teams.insert(name.clone(), team);
    }
    Ok(teams)
}

/// Reads the merge request, whenever its forge answers; none when the forge does not know it.
pub async fn look(world: &World, mr: &MrId, last_comment: Option<CommentId>) -> Option<Box<Sighting>> {
    let (mut wait, mut told) = (FORGE_WAIT, false);
    loop {
        match sight(world, mr, last_comment).await {
            Ok(sighting) => {
                if let Some(altered) = sighting.altered {
                    let text = "Somebody edited the server's own comment, or set a status in its name. It is made right again; read it again before you approve.";
                    if let Err(error) = world.forge.tell(mr, &format!("altered {altered}"), text).await {
                        tracing::warn!(change = %mr, "that somebody spoke in our name could not be said: {error}");
                    }
                }
                return Some(Box::new(sighting));
            }
            Err(error) if error.kind == ForgeErrorKind::NotFound => {
                tracing::warn!(change = %mr, "the forge does not know this merge request: {error}");
                return None;
            }
            Err(error) => {
                tracing::warn!(change = %mr, "the forge did not answer, asking again in {}s: {error}", wait.as_secs_f32());
                if !told && !error.kind.passes() {
                    told = true;
                    let text = format!(
                        "This merge request cannot be read ({}). It is asked again by itself; until it can be, nothing of it starts and nothing merges.",
                        code(&error.what)
                    );
                    if let Err(error) = world.forge.tell(mr, &format!("unreadable: {:?}", error.kind), &text).await {
                        tracing::warn!(change = %mr, "nor could that be said there: {error}");
                    }
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(FORGE_WAIT_MOST);
            }
        }
    }
}

async fn act(hands: &Hands, step: StepId, skip: &BTreeSet<u32>) -> Outcome {
    let Some(step) = hands.plan.as_ref().and_then(|plan| plan.steps.get(&step)) else {
        return Outcome { items: Vec::new(), report: Some("the plan has no such step".into()) };
    };
    let items = step.items() as usize;
    let Some(target) = hands.world.targets.get(&step.target) else {
        let why = format!("target {} is no longer in the server's configuration; put it back and retry", step.target);
        return Outcome::all(items, Item::Failed { transient: false, why });
    };
    let tokens = tokens_of(hands, &step.act);
    let stands = || hands.world.store.stands(&hands.fence);
    hands.world.safe.act(target, Owned { fence: &hands.fence, stands: &stands }, step, skip, &tokens).await
}

fn tokens_of(hands: &Hands, act: &Act) -> Vec<Token> {
    let Act::Write(writes) = act else { return Vec::new() };
    let known = hands.tokens.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    writes.iter().map(|write| known.get(&write.id).cloned().unwrap_or_default()).collect()
}

/// Keeps the revisions that came with an observation, for the preconditions of the acts that follow.
pub fn keep_tokens(tokens: &Tokens, inputs: &[Input]) {
    let mut known = tokens.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for input in inputs {
        if let Input::Observed { seen: Ok(seen), .. } = input {
            known.extend(seen.iter().filter(|one| one.token.0.is_some()).map(|one| (one.id.clone(), one.token.clone())));
        }
    }
}

/// Claims what a comment overrides; the answer tells what came of each, and whether all is claimed. A merge request that was held up by it is planned again.
async fn claimed(hands: &Hands, text: String, overrides: Vec<OverrideAsk>) -> (String, bool) {
    let mut all = true;
    let mut said: Vec<String> = (!text.is_empty()).then_some(text).into_iter().collect();
    for ask in overrides {
        match drift::claim(&hands.world, &hands.desk, &hands.mr.repo, &ask, Some(hands.mr.clone())).await {
            Ok(done) => {
                drift::plan_again(&hands.world, &hands.desk, &hands.mr.repo, &ask.by, Some(&hands.mr)).await;
                said.push(done);
            }
            Err(fault) => {
                all = false;
                said.push(format!("Not overridden: {}.", fault.what()));
            }
        }
    }
    (said.join("\n\n"), all)
}

/// Marks a comment beside everything else: nothing waits for it, and nothing comes of it when it fails.
fn mark(hands: &Hands, to: CommentId, how: Option<Reaction>) {
    let Some(how) = how.filter(|_| hands.world.forge.abilities(&hands.mr.repo).reactions) else { return };
    let (world, mr) = (hands.world.clone(), hands.mr.clone());
    tokio::spawn(async move {
        if let Err(error) = world.forge.react(&mr, to, how).await {
            tracing::debug!(change = %mr, "a comment is not marked: {error}");
        }
    });
}

async fn reply(hands: &Hands, to: CommentId, text: &str) {
    let mut wait = FORGE_WAIT;
    while let Err(error) = hands.world.forge.reply(&hands.mr, to, text).await {
        if hands.world.store.is_lost(&hands.fence) {
            return;
        }
        match error.kind {
            // Whether it is gone, or only not to be written by us: what somebody asked for is not dropped for that.
            ForgeErrorKind::NotFound if is_gone(&hands.world, &hands.mr).await => return tracing::warn!(change = %hands.mr, "nobody is there to be answered: {error}"),
            // Said again it would be refused again.
            ForgeErrorKind::Invalid => return tracing::error!(change = %hands.mr, "a reply is given up: {error}"),
            ForgeErrorKind::NotFound | ForgeErrorKind::Stranger | ForgeErrorKind::Denied | ForgeErrorKind::Conflict | ForgeErrorKind::Limited | ForgeErrorKind::Unavailable => {}
        }
        tracing::warn!(change = %hands.mr, "a reply waits for the forge: {error}");
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(FORGE_WAIT_MOST);
    }
}

/// Whether the forge knows the merge request no more. A whole repository that it knows no more is another matter while the configuration names it: an app that is not
/// let in there any longer, or an account that was taken out of it, hears the same, and is let in again.
async fn is_gone(world: &World, mr: &MrId) -> bool {
    let gone = matches!(world.forge.look(mr, Some(CommentId(u64::MAX))).await, Err(error) if error.kind == ForgeErrorKind::NotFound);
    gone && world.forge.open(&mr.repo).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_another_look_took_as_it_was_written_is_not_told_as_edited() {
        let of = |all: &[u64]| all.iter().map(|id| CommentId(*id)).collect::<Vec<_>>();
        let left = |since: Option<u64>, heard: Option<u64>| unheard(of(&[3, 5, 7]), since.map(CommentId), heard.map(CommentId));
        assert_eq!(left(Some(4), Some(5)), of(&[3, 7]), "3 was heard long before: its edit tells its own time");
        assert_eq!(left(None, Some(5)), of(&[7]));
        assert_eq!((left(Some(4), Some(4)), left(None, None)), (of(&[3, 5, 7]), of(&[3, 5, 7])));
    }
}
