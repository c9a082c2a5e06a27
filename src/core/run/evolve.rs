//! The one transition table: what each event makes of a change. Recovery is this fold.

use super::{
    Change, ClaimAnswer, Event, PlanAnswer, PlanResult, PlanWhy, Sample, Stop, backoff,
    change::{ClaimState, Desk, Owed, PlanAsk},
};
use crate::core::{
    gate::{Approval, Window},
    model::{Digest, StepId, Time},
    review::{CommentId, Phase},
};
use std::{collections::BTreeSet, sync::Arc};

/// An event that cannot happen where the change is: the journal is not this change's, or the code that wrote it was wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event} cannot happen while {phase}: {why}; do not go on from this journal, keep it and report it")]
pub struct IllegalEvent {
    pub event: String,
    pub phase: Phase,
    pub why: &'static str,
}

/// What a handler of `evolve` says about an event that has no place here.
pub(super) type Fold = Result<(), &'static str>;

/// Fails with the rule that an event breaks.
pub(super) fn must(holds: bool, rule: &'static str) -> Fold {
    if holds { Ok(()) } else { Err(rule) }
}

impl Change {
    /// Applies one event, or leaves the change as it is and says why the event has no place here.
    pub fn evolve(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        self.apply(event).map(|()| self.note_idle()).map_err(|why| {
            let text = format!("{event:?}");
            let name = text.split([' ', '(', '{']).next().unwrap_or_default();
            IllegalEvent { event: name.to_owned(), phase: self.phase(), why }
        })
    }

    fn apply(&mut self, event: &Event) -> Fold {
        match event {
            Event::LookAsked => (self.look, self.merge_again) = (true, None),
            Event::Sighted { sighting, at } => {
                must(sighting.mr == self.mr, "it is another merge request's")?;
                self.tell(*at);
                self.fresh_look = self.look && self.stage == Phase::Merging;
                self.look = false;
                self.times.opened.get_or_insert(*at);
                self.retargeted |= self.sighting.as_ref().is_some_and(|known| known.base_branch != sighting.base_branch);
                if self.sighting.as_ref().is_none_or(|known| known.head != sighting.head) {
                    self.head_since = Some(*at);
                }
                self.sighting = Some(sighting.clone());
                self.judge_approvals();
                self.settle();
            }
            Event::Heard { comment } => {
                must(self.heard.is_none_or(|heard| heard < *comment), "the comment was heard before")?;
                self.heard = Some(*comment);
            }
            Event::Replying { to, text, overrides, upshot } => {
                let owed = self.owed.entry(*to).or_default();
                // Older versions told nobody in particular one text, which grew and was answered once.
                owed.pop_back_if(|known| *to == CommentId::NOBODY && text.strip_prefix(&*known.text).is_some_and(|more| more.starts_with("\n\n")));
                owed.push_back(Owed { text: text.clone(), overrides: overrides.clone(), upshot: *upshot });
            }
            Event::Replied { to } => self.replied(*to)?,

            Event::Vouched { head, .. } => self.vouched = Some(head.clone()),
            Event::ReplanAsked { base, head, restore, why, .. } => {
                must(!self.running, "a run is under way")?;
                self.retargeted = false;
                self.replan_asked(PlanAsk { base: base.clone(), head: head.clone(), restore: *restore, why: why.clone() });
            }
            Event::Planned { answer, at } => {
                let asked = self.asked.take().ok_or("no plan was asked for")?;
                self.tell(*at);
                self.answered = Some(answer.key.clone());
                self.planned(answer, &asked, *at);
            }
            Event::Approved { by, digest, steps, review, at } => {
                self.tell(*at);
                let desk = self.desk.as_ref().filter(|desk| desk.digest == *digest).ok_or("it is not the digest on the desk")?;
                let leaves = if steps.is_empty() { desk.leaves.clone() } else { Arc::new(leaves_of(desk, steps)) };
                let head = desk.key.head.clone();
                self.approvals.push(Approval {
                    by: by.clone(),
                    at: *at,
                    digest: *digest,
                    head,
                    leaves,
                    loosened: BTreeSet::new(),
                    plan: desk.plan.clone(),
                    steps: steps.clone(),
                    review: *review,
                });
                self.times.approved = Some(*at);
                self.judge_approvals();
                self.settle();
            }
            Event::ReviewEarly { by, given, at } => {
                self.tell(*at);
                self.early.insert(by.clone(), *given);
            }
            Event::Published { digest, at } => {
                self.published = Some((*digest, *at));
                if self.digest() == Some(*digest) {
                    self.spoken.clear();
                }
            }
            Event::ApprovalWaits(spoken) => self.spoken.push(spoken.clone()),
            Event::Withdrawn { by } => {
                self.approvals.retain(|approval| !(approval.review && approval.by == *by));
                self.judge_approvals();
                self.settle();
            }
            Event::StartSaid { at, .. } => {
                self.tell(*at);
                self.said_start = true;
            }

            Event::Held { reasons, until } => {
                (self.held, self.held_until) = (reasons.clone(), *until);
                // Asked again when the gate opens, not at a time that was set before it shut.
                (self.start_again, self.merge_again) = (None, None);
            }
            Event::ClaimAsked { n } => {
                must(*n == self.claims_asked + 1 && !matches!(self.claim, ClaimState::Asked | ClaimState::Freeing), "one claim at a time, numbered one by one")?;
                (self.claim, self.claims_asked) = (ClaimState::Asked, *n);
                (self.claims_for, self.claims_asked_for, self.claims_incident) = self.needs();
            }
            Event::Claimed { n, answer } => {
                must(*n == self.claims_asked && !matches!(self.claim, ClaimState::Free | ClaimState::Freeing), "it answers no open claim")?;
                self.claim = match answer {
                    ClaimAnswer::Granted => ClaimState::Granted,
                    ClaimAnswer::Queued { ahead } => ClaimState::Queued(ahead.clone()),
                };
            }
            Event::UnclaimAsked => {
                must(matches!(self.claim, ClaimState::Queued(_) | ClaimState::Granted), "nothing is held or asked for")?;
                (self.claim, self.claims_for) = (ClaimState::Freeing, None);
            }
            Event::Unclaimed => {
                must(self.claim == ClaimState::Freeing, "nothing is being given back")?;
                self.claim = ClaimState::Free;
            }
            Event::StartAsked { n, at } => {
                must(*n == self.starts + 1 && self.start_asked.is_none(), "one look before the start at a time")?;
                self.tell(*at);
                (self.starts, self.start_asked, self.start_again) = (*n, Some(*n), None);
            }
            Event::StartUnread { n, why, again } => {
                must(self.start_asked == Some(*n), "that look was not asked for")?;
                (self.start_asked, self.start_again, self.trouble) = (None, Some(*again), Some(why.clone()));
            }
            Event::StartMoved { n, .. } => {
                must(self.start_asked == Some(*n), "that look was not asked for")?;
                self.start_asked = None;
            }
            Event::Started { at } => {
                let desk = self.desk.as_ref().ok_or("there is no plan")?;
                must(self.start_asked.is_some() && self.claim == ClaimState::Granted, "nothing starts without claims and a fresh look")?;
                must(self.missing() == 0, "nothing starts without its approvals")?;
                let (plan, digest, policy, restore) = (desk.plan.clone(), desk.digest, desk.policy.clone(), desk.restore);
                self.tell(*at);
                self.ledger.begin(plan, digest, policy, *at);
                self.forget_given_up();
                self.stage = if restore { Phase::Restoring } else { Phase::Rolling };
                self.times.started.get_or_insert(*at);
                (self.running, self.start_asked, self.trouble, self.window, self.aborted) = (true, None, None, None, false);
                (self.held, self.held_until, self.replan_at) = (Vec::new(), None, None);
            }

            Event::ActIntended { step, attempt, skip, at } => self.act_intended(*step, *attempt, skip, *at)?,
            Event::Acted { step, attempt, outcome, at } => self.acted(*step, *attempt, outcome, *at)?,
            Event::ProofAsked { step, attempt, at } => self.proof_asked(*step, *attempt, *at)?,
            Event::Proven { step, attempt, at } => self.proven(*step, *attempt, *at)?,
            Event::ProofRead { step, attempt, items, at } => self.proof_read(*step, *attempt, items, *at)?,
            Event::Parked { step, attempt, at } => self.parked(*step, *attempt, *at)?,
            Event::Waited { step, attempt, good, why, at } => self.waited(*step, *attempt, *good, why, *at)?,
            Event::StepApproved { step, by, at } => self.step_approved(*step, by, *at)?,
            Event::StepBlocked { step } => self.step_blocked(*step)?,
            Event::Elapsed { edge } => self.elapsed(*edge)?,
            Event::Skipped { step, by, reason, until, at } => self.skipped(*step, by, reason, *until, *at)?,
            Event::Exempted { by, digest, at } => self.exempted(by, *digest, *at)?,
            Event::Retried { at, .. } => {
                must(!self.running && self.desk.is_some() && self.stage == Phase::Failed, "only what failed is tried again")?;
                must(self.claim == ClaimState::Granted, "nothing runs without claims")?;
                self.tell(*at);
                (self.trouble, self.alarm) = (None, false);
                if self.ledger.reopen(*at) {
                    self.stage = if self.is_restore() { Phase::Restoring } else { Phase::Rolling };
                    self.running = true;
                } else {
                    self.verify();
                }
            }
            Event::Finished { at } => {
                must(self.running && self.ledger.over == self.ledger.frontier.len(), "steps are left")?;
                self.tell(*at);
                self.finished(*at);
            }

            Event::SampleAsked { n, step, at } => self.sample_asked(*n, *step, *at)?,
            Event::ProbeAsked { probe, n, step, at } => self.probe_asked(*probe, *n, *step, *at)?,
            Event::Probed { probe, n, saw, at } => self.probed(*probe, *n, saw, *at)?,
            Event::Sampled { n, sample, at } => {
                self.tell(*at);
                if self.window.as_ref().and_then(Window::asked) != Some(*n) {
                    return self.step_sampled(*n, sample, *at);
                }
                let window = self.window.as_mut().filter(|window| window.asked() == Some(*n)).ok_or("that sample was not asked for")?;
                self.unhealthy.clear();
                self.blind = None;
                match sample {
                    Sample::Good => window.pass(*at),
                    Sample::Unhealthy(which) => {
                        window.miss(*at);
                        self.unhealthy.clone_from(which);
                    }
                    Sample::Drift(_) => window.miss(*at),
                    Sample::Gap(why) => {
                        self.blind = Some(why.clone());
                        window.miss(*at);
                    }
                }
                self.fall_back();
            }
            Event::GaveUp { why, at } => {
                self.tell(*at);
                (self.stage, self.trouble, self.window) = (Phase::Failed, Some(why.clone()), None);
                self.forget_exemption();
            }
            Event::MergeDue { at } => {
                must(self.window.as_ref().is_some_and(Window::held), "the window did not hold")?;
                self.tell(*at);
                (self.stage, self.look, self.fresh_look) = (Phase::Merging, true, false);
                (self.held, self.held_until) = (Vec::new(), None);
            }
            Event::MergeAsked { pin, at } => {
                let again = self.lost() == Some(&**pin);
                must(self.merge.is_none() && (self.stage == Phase::Merging || again), "one merge at a time, from the merge gate or to read one back")?;
                self.tell(*at);
                self.reads = again;
                // What was aborted stays so while it is read back.
                self.stage = if self.aborted { self.stage } else { Phase::Merging };
                (self.merge, self.merge_again, self.merge_after) = (Some((**pin).clone()), None, None);
                (self.held, self.held_until) = (Vec::new(), None);
            }
            Event::MergeAnswered { answer, at } => {
                let pin = self.merge.take().ok_or("no merge was asked for")?;
                self.tell(*at);
                self.fresh_look = false;
                self.merge_answered(answer, &pin, *at);
            }

            Event::Paused { by, .. } => (self.paused, self.stopped_by) = (Some(by.clone()), Some(by.clone())),
            Event::Resumed { at, .. } => {
                must(self.paused.is_some(), "nothing is paused")?;
                self.tell(*at);
                self.paused = None;
            }
            Event::Stopping { why, .. } => {
                match why {
                    Stop::Abort(by) | Stop::Restore(by) => self.stopped_by = Some(by.clone()),
                    Stop::Close | Stop::Amend | Stop::Included { .. } | Stop::Alarm(_) => {}
                }
                self.stopping = Some(why.clone());
            }
            Event::Stopped { at } => {
                must(!self.running || self.ledger.in_flight.is_empty(), "something is in flight")?;
                let why = self.stopping.take().ok_or("nothing was stopping")?;
                self.tell(*at);
                self.stopped(why, *at);
            }
            Event::Freed { by, reason, .. } => self.freed(by, reason)?,
            Event::Paged { at, .. } => {
                must(self.idle_since.is_some() && !self.paged, "nobody is called twice")?;
                self.tell(*at);
                self.paged = true;
            }
            // Whoever takes it has the same time again.
            Event::Taken { by, at } => {
                if let Some(at) = at {
                    self.tell(*at);
                }
                (self.owner, self.idle_since) = (Some(by.clone()), None);
            }
            Event::HaltSaid { by: _, on, at: _ } => self.halt_said = Some(*on),
            Event::Halted(halted) => {
                self.halted = *halted;
                self.halt_said = self.halt_said.filter(|said| said != halted);
            }
            Event::Carried { by, at: _ } => self.carried_by = Some(by.clone()),
            Event::ClockBack { now } => self.clock_back(*now),
        }
        Ok(())
    }

    fn replied(&mut self, to: CommentId) -> Fold {
        let owed = self.owed.get_mut(&to).ok_or("nobody waits for that answer")?;
        owed.pop_front();
        if owed.is_empty() {
            self.owed.remove(&to);
        }
        Ok(())
    }

    /// Notes an instant that an event told of.
    pub(super) fn tell(&mut self, at: Time) {
        self.clock = self.clock.max(at);
        self.times.updated = Some(self.clock);
    }

    /// Moves between waiting for approvals and the queue, as approvals come and go.
    fn settle(&mut self) {
        let restore = self.is_restore();
        self.stage = match self.stage {
            Phase::AwaitingApproval if self.missing() == 0 => {
                if restore {
                    Phase::Restoring
                } else {
                    Phase::Queued
                }
            }
            Phase::Queued if self.missing() > 0 => Phase::AwaitingApproval,
            Phase::Restoring if !self.running && self.asked.is_none() && self.missing() > 0 => Phase::AwaitingApproval,
            same @ (Phase::Planning
            | Phase::AwaitingApproval
            | Phase::Queued
            | Phase::Rolling
            | Phase::Verifying
            | Phase::Merging
            | Phase::Merged
            | Phase::Empty
            | Phase::Refused
            | Phase::Conflicted
            | Phase::Paused
            | Phase::Failed
            | Phase::Restoring
            | Phase::Restored
            | Phase::Closed) => same,
        };
    }

    fn replan_asked(&mut self, ask: PlanAsk) {
        let same_head = self.desk.as_ref().is_some_and(|desk| desk.key.head == ask.head);
        // While everything is true and only base moved, sampling goes on beside the planning.
        let aside = matches!(self.stage, Phase::Verifying | Phase::Merging) && same_head && !ask.restore && matches!(ask.why, PlanWhy::Moved | PlanWhy::Again);
        if !aside {
            self.stage = if ask.restore { Phase::Restoring } else { Phase::Planning };
            (self.window, self.alarm, self.aborted) = (None, false, false);
        }
        match &ask.why {
            PlanWhy::Moved | PlanWhy::Said(_) | PlanWhy::Restore(_) => (self.replan_tries, self.trouble) = (0, None),
            PlanWhy::Again => {}
            PlanWhy::PreImages(ids) => self.trouble = Some(moved_sentence(ids, "changed since it was planned, so nothing was written")),
            PlanWhy::Drift(ids) => self.trouble = Some(moved_sentence(ids, "changed after it was written and proven")),
        }
        if ask.restore {
            self.turn_back(&ask.why);
        }
        (self.start_asked, self.start_again, self.replan_at, self.merge_again) = (None, None, None, None);
        (self.held, self.held_until) = (Vec::new(), None);
        self.asked = Some(ask);
    }

    fn planned(&mut self, answer: &PlanAnswer, asked: &PlanAsk, at: Time) {
        if !matches!(answer.result, PlanResult::Failed { .. }) {
            (self.refusals, self.conflicts, self.replan_tries) = (Vec::new(), Vec::new(), 0);
        }
        match &answer.result {
            PlanResult::Plan { plan, policy } => {
                let aside = matches!(self.stage, Phase::Verifying | Phase::Merging);
                let pin_only = aside && self.moves_the_pin_alone(plan, at);
                let digest = plan.digest();
                if self.digest() != Some(digest) {
                    self.said_start = false;
                }
                let key = answer.key.clone();
                let leaves = Arc::new(plan.leaves().into_values().collect());
                let way_back = answer.way_back.clone();
                self.approvals.iter_mut().for_each(|approval| approval.follow(plan, digest));
                self.desk = Some(Desk { key, plan: plan.clone(), policy: policy.clone(), digest, leaves, restore: asked.restore, at, way_back });
                self.times.planned = Some(at);
                self.judge_approvals();
                if pin_only {
                    // A base that asks for other probes keeps the samples of those that stayed.
                    let health = self.window_health();
                    if let Some(window) = &mut self.window {
                        window.follow(&health, policy);
                    }
                    return self.fall_back();
                }
                self.window = None;
                self.stage = match (asked.restore, self.acts()) {
                    (true, false) => return self.restored(at),
                    (true, true) => {
                        if self.missing() == 0 {
                            Phase::Restoring
                        } else {
                            Phase::AwaitingApproval
                        }
                    }
                    (false, true) => {
                        if self.missing() == 0 {
                            Phase::Queued
                        } else {
                            Phase::AwaitingApproval
                        }
                    }
                    (false, false) if self.wrote() => return self.verify(),
                    (false, false) => {
                        self.window = Some(Window::single(policy).watching(&self.window_health(), policy));
                        Phase::Empty
                    }
                };
            }
            PlanResult::Refused(refusals) => {
                self.refusals.clone_from(refusals);
                self.stage = if asked.restore { Phase::Failed } else { Phase::Refused };
                self.window = None;
                if asked.restore {
                    self.let_go_again();
                }
            }
            PlanResult::Conflicted(paths) => {
                self.conflicts.clone_from(paths);
                self.stage = if asked.restore { Phase::Failed } else { Phase::Conflicted };
                self.window = None;
            }
            PlanResult::Failed { why } => {
                self.replan_tries += 1;
                self.replan_at = Some((at + backoff::slow(self.replan_tries), asked.restore));
                self.trouble = Some(why.clone());
            }
        }
    }

    /// Begins the window over everything touched.
    pub(super) fn verify(&mut self) {
        self.stage = Phase::Verifying;
        self.blind = None;
        self.unhealthy.clear();
        let health = self.window_health();
        self.window = self.desk.as_ref().map(|desk| Window::new(&desk.policy).watching(&health, &desk.policy));
        self.times.converged = Some(self.clock);
    }

    fn finished(&mut self, at: Time) {
        self.running = false;
        let counts = self.ledger.counts();
        let stop = self.stopping.take();
        if counts.failed + counts.blocked + counts.skipped > 0 {
            self.stage = Phase::Failed;
        } else if self.is_restore() {
            self.restored(at);
        } else {
            self.verify();
        }
        // What asked the run to stop came too late for a safe point before its end; it still holds.
        if let Some(why) = stop {
            self.stopped(why, at);
        }
    }

    fn clock_back(&mut self, now: Time) {
        let by = self.clock - now;
        let back = |at: Time| Time(at.0.saturating_sub_unsigned(by.0));
        self.clock = now;
        self.replan_at = self.replan_at.map(|(at, restore)| (back(at), restore));
        (self.start_again, self.spent, self.head_since) = (self.start_again.map(back), self.spent.map(back), self.head_since.map(back));
        self.merge_again = self.merge_again.map(back);
        self.idle_since = self.idle_since.map(back);
        self.ledger.clock_back(by);
        if let Some(window) = &mut self.window {
            window.clock_back(by);
            if self.stage == Phase::Merging && self.merge.is_none() {
                self.stage = if self.wrote() { Phase::Verifying } else { Phase::Empty };
            }
        }
    }
}

fn moved_sentence(ids: &[crate::core::model::ResourceId], what: &str) -> String {
    match ids {
        [] => format!("live state {what}"),
        [one] => format!("{one} {what}"),
        [one, rest @ ..] => format!("{one} and {} more {what}", rest.len()),
    }
}

fn leaves_of(desk: &Desk, steps: &[StepId]) -> BTreeSet<Digest> {
    steps.iter().filter(|id| desk.plan.steps.contains_key(id)).flat_map(|id| desk.plan.step_leaves(*id).into_values()).collect()
}
