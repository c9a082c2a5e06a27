//! What a reader sees of a change: its sentence, its view, its face.

use super::{At, Change, Doing, PlanWhy, Stop, change::ClaimState, ledger::Timer};
use crate::core::{
    diff::Op,
    gate::{self, Approval, Reason, RuleStanding, Window},
    model::{MrId, ResourceId, Time, User},
    plan::{ItemRef, MatchedRule, Plan},
    review::{
        ApprovalView, Direction, Face, Failure, Given, HealthView, ItemState, Left, Phase, Queue, Since, StepView, Team, View, Waiting, means, team_of,
        words::{self, Mend},
    },
};
use std::collections::BTreeSet;

impl Change {
    /// One sentence: what it waits for and who can unblock it.
    pub fn waits_for(&self) -> String {
        if let Some(what) = &self.trouble
            && self.alarm
            && self.freed.is_none()
        {
            return format!("Alarm: {what}.");
        }
        self.waiting().map_or_else(|| "Reading the merge request.".to_owned(), |waiting| waiting.to_string())
    }

    /// What it waits for, as a value.
    pub fn waiting(&self) -> Option<Waiting> {
        let then = self.waits()?;
        let phase = self.phase();
        let exempt = self.exemption().filter(|exemption| exemption.missing == 0 && matches!(phase, Phase::Verifying | Phase::Merging | Phase::Merged));
        Some(match exempt {
            Some(exemption) => Waiting::Exempted { items: exemption.except.items.len(), then: Box::new(then) },
            None => then,
        })
    }

    /// The same of what is not left out.
    fn waits(&self) -> Option<Waiting> {
        let sighting = self.sighting.as_ref()?;
        let counts = self.ledger.counts();
        if self.phase() == Phase::Paused {
            return Some(Waiting::Paused { by: self.paused.clone(), in_flight: self.ledger.in_flight(), running: self.running, wrote: self.wrote() });
        }
        Some(match self.stage {
            Phase::Planning if !self.is_trusted() => Waiting::Trust { author: sighting.author.clone() },
            Phase::AwaitingApproval | Phase::Queued | Phase::Empty | Phase::Refused | Phase::Conflicted if self.lacks_trust() => Waiting::Trust { author: sighting.author.clone() },
            Phase::Planning | Phase::Restoring if self.replan_at.is_some() => Waiting::World { why: self.trouble.clone().unwrap_or_default() },
            Phase::Planning | Phase::Paused => Waiting::Plan,
            Phase::AwaitingApproval => self.gate_sentence().unwrap_or(Waiting::PreImages),
            Phase::Queued => self.gate_sentence().unwrap_or(match &self.claim {
                ClaimState::Asked | ClaimState::Free | ClaimState::Freeing => Waiting::Claims { ahead: Vec::new() },
                ClaimState::Queued(ahead) => Waiting::Claims { ahead: ahead.iter().map(|(mr, _)| mr.clone()).collect::<Vec<MrId>>() },
                ClaimState::Granted if self.start_again.is_some() => Waiting::World { why: self.trouble.clone().unwrap_or_default() },
                ClaimState::Granted => Waiting::PreImages,
            }),
            Phase::Rolling | Phase::Restoring if self.halted => Waiting::Halted,
            Phase::Rolling | Phase::Restoring if let Some((watched, wrong)) = self.ledger.health.values().flat_map(Window::wrong).next().filter(|_| self.running) => {
                Waiting::Probe { probe: watched.probe.ask.to_string(), saw: wrong.saw.clone(), since: wrong.since, silent: wrong.silent }
            }
            Phase::Rolling | Phase::Restoring if self.running && !self.ledger.slow.is_empty() => {
                let why = self.ledger.slow.values().next().cloned().unwrap_or_default();
                Waiting::Slow { done: counts.proven, all: counts.all, why }
            }
            Phase::Rolling | Phase::Restoring if let Some(why) = self.ledger.waits.values().find_map(|wait| wait.why.clone()).filter(|_| self.running) => {
                Waiting::Fact { done: counts.proven, all: counts.all, why }
            }
            Phase::Rolling | Phase::Restoring if let Some(until) = self.caches_until() => Waiting::Caches { done: counts.proven, all: counts.all, until },
            Phase::Rolling => Waiting::Rolling { done: counts.proven, all: counts.all },
            Phase::Restoring if self.asked.is_some() => Waiting::Restoring { done: 0, all: self.ledger.written().len() },
            Phase::Restoring if !self.running => self.gate_sentence().unwrap_or(Waiting::Restoring { done: 0, all: self.ledger.written().len() }),
            Phase::Restoring => Waiting::Restoring { done: counts.proven, all: counts.all },
            Phase::Verifying => self.window_sentence(),
            Phase::Merging if self.merge_again.is_some() && self.merge_after.is_some() => Waiting::MergeAfter { why: self.merge_after.clone().unwrap_or_default() },
            Phase::Merging if self.merge_again.is_some() => Waiting::MergeRefused { why: self.trouble.clone().unwrap_or_else(|| "base or head moved".to_owned()) },
            Phase::Merging | Phase::Empty => self.gate_sentence().unwrap_or(Waiting::Merge),
            Phase::Merged => Waiting::Merged { commit: self.merged.clone()?, with: self.merged_with.clone() },
            Phase::Refused => Waiting::Refused(Mend::of(&self.refusals)),
            Phase::Conflicted => Waiting::Conflicts { paths: self.conflicts.len() },
            Phase::Failed if self.restore_stopped() => {
                Waiting::RestoreStopped { items: self.refusals.len(), partly: self.is_restore() && self.plan().is_some_and(|plan| !plan.left.is_empty()) }
            }
            Phase::Failed | Phase::Closed if let Some((by, reason)) = self.freed.as_ref().filter(|_| !self.ledger.given_up().is_empty()) => {
                Waiting::Freed { by: by.clone(), reason: reason.clone(), left: self.ledger.given_up().len(), open: self.stage != Phase::Closed }
            }
            Phase::Failed if self.aborted => Waiting::Aborted { by: self.stopped_by.clone(), wrote: self.wrote() },
            Phase::Failed if counts.failed + counts.blocked == 0 && self.trouble.is_some() => {
                Waiting::Broken { why: self.trouble.clone().unwrap_or_default(), wrote: self.wrote() }
            }
            Phase::Failed if let Some(waiting) = self.exemption_sentence() => waiting,
            Phase::Failed => Waiting::Failed { items: counts.failed + counts.skipped, blocked: counts.blocked, wrote: self.wrote() },
            Phase::Restored => Waiting::Restored,
            Phase::Closed if self.wrote() => Waiting::ClosedHolding { written: self.ledger.written().len() },
            Phase::Closed => Waiting::Closed,
        })
    }

    /// Whether the head that is seen may be planned: its author may write here, or somebody vouched for it (I10).
    pub(super) fn is_trusted(&self) -> bool {
        self.sighting.as_ref().is_some_and(|seen| seen.author_trusted || self.vouched.as_ref() == Some(&seen.head))
    }

    /// Whether a head was pushed that is planned by nobody before somebody vouches for it.
    fn lacks_trust(&self) -> bool {
        let asked = self.asked.as_ref().map(|ask| &ask.head);
        let tried = asked.or(self.answered.as_ref().map(|key| &key.head)).or(self.desk.as_ref().map(|desk| &desk.key.head));
        !self.is_trusted() && !self.waits_to_go_back() && self.sighting.as_ref().map(|seen| &seen.head) != tried
    }

    /// When the next wait for caches is over, where nothing else is under way.
    fn caches_until(&self) -> Option<Time> {
        let idle = self.running && self.ledger.in_flight.is_empty() && !self.ledger.timers.is_empty() && !self.ledger.doing.contains(&Doing::Parked);
        let edge = |(at, timer): &(Time, Timer)| if let Timer::Edge(_) = timer { Some(*at) } else { None };
        // Whatever else is timed is under way as well.
        let all: Option<Vec<Time>> = self.ledger.timers.iter().map(edge).collect();
        all.filter(|_| idle)?.first().copied()
    }

    fn window_sentence(&self) -> Waiting {
        if let (Some(why), Some(_)) = (&self.blind, &self.window) {
            return Waiting::Blind { why: why.clone() };
        }
        if let (None, Some((watched, wrong))) = (self.unhealthy.first(), self.window.as_ref().and_then(|window| window.wrong().next())) {
            return Waiting::Probe { probe: watched.probe.ask.to_string(), saw: wrong.saw.clone(), since: wrong.since, silent: wrong.silent };
        }
        match (self.unhealthy.first(), &self.window) {
            (Some((id, why)), _) => Waiting::Unhealthy { what: format!("{id}: {why}") },
            (None, Some(window)) => Waiting::Samples { taken: window.good(), needed: window.needed(), every: window.every() },
            (None, None) => Waiting::Plan,
        }
    }

    /// The first of what keeps the gate shut.
    fn gate_sentence(&self) -> Option<Waiting> {
        let missing = || self.standings.iter().find(|rule| rule.missing > 0);
        if let (Some(rule), Some(digest)) = (missing(), self.digest()) {
            let by = rule.rule.as_ref().map_or_else(Vec::new, |matched| matched.rule.by.clone());
            return Some(Waiting::Approvals { missing: rule.missing, by, digest, cannot: self.cannot(rule) });
        }
        self.held.first().and_then(|reason| self.sentence(reason))
    }

    /// A gate's reason as a sentence that names who can mend it.
    fn sentence(&self, reason: &Reason) -> Option<Waiting> {
        Some(match reason {
            Reason::NotOpen => Waiting::Closed,
            Reason::Conflict => Waiting::Conflicts { paths: self.conflicts.len() },
            Reason::Outdated => Waiting::Plan,
            Reason::Draft => Waiting::Draft,
            Reason::Approvals { missing, by } => {
                let stuck = self.standings.iter().filter(|rule| rule.missing == *missing).find_map(|rule| self.cannot(rule));
                Waiting::Approvals { missing: *missing, by: by.clone(), digest: self.digest()?, cannot: stuck }
            }
            Reason::ChecksPending(pending) => Waiting::Checks { pending: pending.clone() },
            Reason::ChecksFailed(failed) => Waiting::ChecksFailed { failed: failed.clone() },
            Reason::Threads(open) => Waiting::Threads { open: *open },
            Reason::Behind { branch, why } => Waiting::Behind { branch: branch.clone(), why: why.clone() },
            Reason::Unread(what) => Waiting::Unread { what: what.clone() },
            Reason::Rules(unmet) => Waiting::Rules { unmet: unmet.clone() },
            Reason::Frozen { reason, until, .. } => Waiting::Freeze { reason: reason.clone(), until: until.clone() },
            Reason::NotStarted => Waiting::Start,
            Reason::Queued { ahead } => Waiting::Claims { ahead: ahead.clone() },
            Reason::Halted => Waiting::Halted,
            Reason::NotConverged { .. } | Reason::Stale => self.window_sentence(),
            Reason::DependsOn(first) => Waiting::DependsOn { first: first.clone() },
            Reason::Unmerged { by } => Waiting::Unmerged { by: by.clone() },
            Reason::Skipped(items) => self.exemption_sentence().unwrap_or(Waiting::Failed { items: *items as usize, blocked: 0, wrote: self.wrote() }),
        })
    }

    /// Who can let it merge without what was skipped.
    fn exemption_sentence(&self) -> Option<Waiting> {
        let exemption = self.exemption()?;
        let (items, digest) = (exemption.except.items.len(), exemption.except.digest);
        Some(Waiting::Exemption { items, missing: exemption.missing.max(1), digest, until: exemption.except.until(), failed: self.stage == Phase::Failed, wrote: self.wrote() })
    }

    /// Everything a comment, a page or `mr show` needs.
    pub fn view(&self, _now: Time) -> View {
        let mut view = View::new(self.mr.clone(), self.frame.links.clone());
        if let Some(sighting) = &self.sighting {
            view.title.clone_from(&sighting.title);
            view.author = sighting.author.clone();
            view.source_branch = sighting.source_branch.clone();
            view.base_branch = sighting.base_branch.clone();
            view.draft = sighting.draft;
            view.base = Some(sighting.base.clone());
            view.head = Some(sighting.head.clone());
            view.pushers.clone_from(&sighting.pushers);
            view.tasks = self.desk.as_ref().map_or_else(Vec::new, |desk| gate::tasks(&desk.policy, sighting));
        }
        view.awaits_trust = matches!(self.waiting(), Some(Waiting::Trust { .. }));
        view.phase = self.phase();
        view.waits_for = self.waits_for();
        view.reasons = self.held.iter().filter_map(|reason| Some(self.sentence(reason)?.to_string())).chain(self.trouble.as_ref().map(|what| words::code(what))).collect();
        view.reasons.extend(self.overdue_sentence());
        view.overdue = self.overdue();
        view.merged = self.merged.clone();
        if let (Some(_), Some(desk)) = (&self.merged, &self.desk) {
            // What was merged onto, not where the branch went since.
            (view.base, view.head) = (Some(desk.key.base.clone()), Some(desk.key.head.clone()));
        }
        view.direction = if self.is_restore() { Direction::Back } else { Direction::Forward };
        // What was planned for another head or base says nothing about what is refused now.
        if let Some(desk) = self.desk.as_ref().filter(|_| !self.is_outdated()) {
            view.plan = Some(desk.plan.clone());
            view.planned = Some(desk.key.head.clone());
            view.digest = Some(desk.digest);
            view.way_back.clone_from(&desk.way_back);
            view.sensitive.clone_from(&desk.policy.sensitive);
            // The ledger is of the plan that ran last; of a newer one nothing ran yet.
            if self.ledger.plan == desk.plan {
                view.steps = self.ledger.plan.steps.keys().map(|id| self.step_view(*id)).collect();
            }
        }
        view.approvals = self.approval_views();
        view.since = self.since();
        view.queue = match &self.claim {
            ClaimState::Queued(ahead) => Some(Queue { ahead: ahead.clone() }),
            ClaimState::Free | ClaimState::Asked | ClaimState::Granted | ClaimState::Freeing => None,
        };
        view.refusals.clone_from(&self.refusals);
        view.conflicts.clone_from(&self.conflicts);
        view.failures = self.failures();
        view.exemption = self.exemption();
        view.health = self.window.as_ref().map(|window| HealthView {
            samples: window.good(),
            needed: window.needed(),
            every: window.every(),
            unhealthy: self.unhealthy.iter().cloned().chain(self.unhealthy_probes()).collect(),
        });
        view.stopped_by.clone_from(&self.stopped_by);
        view.written = self.ledger.written().len();
        view.given_up = self.given_up();
        view.times = self.times;
        view.kinds = self.frame.kinds.clone();
        view
    }

    fn given_up(&self) -> Vec<Left> {
        self.ledger.given_up().iter().map(|(id, written)| Left { id: id.clone(), before: written.before.clone(), after: written.after.clone() }).collect()
    }

    fn step_view(&self, id: crate::core::model::StepId) -> StepView {
        let ledger = &self.ledger;
        let doing = ledger.doing(id);
        let ready = ledger.frontier.at(id).is_some_and(|step| ledger.frontier.is_ready(step));
        let blocker = || ledger.faults.keys().next().copied().unwrap_or(ItemRef { step: id, item: 0 });
        let blocked_by = || ledger.why_stuck(id).unwrap_or_else(blocker);
        let one = |(item, at): (u32, &At)| match at {
            At::Pending => match doing {
                Doing::Acting | Doing::Parked => ItemState::Acting,
                Doing::Nothing if ready => ItemState::Ready,
                Doing::Nothing | Doing::Proving | Doing::Reproving | Doing::Backoff | Doing::Over => ItemState::Waiting,
            },
            At::Applied => ItemState::Applied,
            At::Unknown => ItemState::Acting,
            At::Proven => ItemState::Proven,
            At::Failed => ItemState::Failed,
            At::Blocked => ItemState::Blocked { by: blocked_by() },
            At::Skipped => match ledger.skips.get(&ItemRef { step: id, item }) {
                Some(skip) => ItemState::Skipped { by: skip.by.clone(), reason: skip.reason.clone() },
                None => ItemState::Failed,
            },
        };
        StepView { id, items: (0..).zip(ledger.items(id)).map(one).collect(), attempts: ledger.attempts(id) }
    }

    fn approval_views(&self) -> Vec<ApprovalView> {
        let one = |standing: &RuleStanding| {
            let rule = standing.rule.clone().unwrap_or_else(MatchedRule::otherwise);
            let given = self.approvals.iter().filter(|given| means(&rule.rule.by, &given.by, self.teams())).map(|given| Given {
                by: given.by.clone(),
                at: given.at,
                digest: given.digest,
                steps: given.steps.clone(),
                void: if self.own(&given.by) {
                    Some("they pushed to this merge request".to_owned())
                } else if standing.given.contains(&given.by) || !given.steps.is_empty() {
                    None
                } else {
                    Some("the plan changed since".to_owned())
                },
            });
            ApprovalView { given: given.collect(), missing: standing.missing, cannot: self.cannot(standing), rule: rule.clone() }
        };
        self.standings.iter().map(one).collect()
    }

    /// Why nobody can give what a rule misses, where the server knows who may approve.
    fn cannot(&self, standing: &RuleStanding) -> Option<String> {
        let rule = standing.rule.clone().unwrap_or_else(MatchedRule::otherwise).rule;
        let unread = |name: &crate::core::model::Str| match self.teams().get(team_of(name)?) {
            Some(Team::Members(_)) => None,
            Some(Team::Unread(why)) => Some(words::team_unread(name, why)),
            None => Some(words::team_unread(name, "it was not asked for yet")),
        };
        if let Some(why) = rule.by.iter().find_map(unread).filter(|_| standing.missing > 0) {
            return Some(why);
        }
        let obstacle = gate::obstacle(&rule, self.frame.approvers.as_deref()?, &|user| self.own(user))?;
        (standing.missing > 0).then(|| words::obstacle(&obstacle))
    }

    /// What the plan on the desk has that approvers have not seen; none before anybody approved, and while the approved plan is the one shown.
    fn since(&self) -> Option<Since> {
        let desk = self.desk.as_ref().filter(|desk| !desk.restore)?;
        let counted: Vec<&Approval> = self.approvals.iter().filter(|given| !self.own(&given.by)).collect();
        let last = counted.last().filter(|given| given.digest != desk.digest)?;
        let items = desk.plan.item_leaves();
        let (kept, rest): (Vec<_>, Vec<_>) = items.into_iter().partition(|(_, leaf)| counted.iter().any(|given| given.holds(leaf)));
        let (loosened, new): (Vec<_>, Vec<_>) = rest.into_iter().partition(|(_, leaf)| counted.iter().any(|given| given.leaves.contains(leaf)));
        let touched = |plan: &Plan| plan.deltas.iter().filter(|delta| delta.op != Op::Keep).map(|delta| delta.id.clone()).collect::<BTreeSet<ResourceId>>();
        let by: BTreeSet<&User> = counted.iter().filter(|given| given.digest == last.digest).map(|given| &given.by).collect();
        Some(Since {
            digest: last.digest,
            by: by.into_iter().cloned().collect(),
            kept: kept.len() as u32,
            new: new.into_iter().map(|(item, _)| item).collect(),
            loosened: loosened.into_iter().map(|(item, _)| item).collect(),
            gone: touched(&last.plan).difference(&touched(&desk.plan)).cloned().collect(),
        })
    }

    fn failures(&self) -> Vec<Failure> {
        let one = |(item, fault): (&ItemRef, &super::Fault)| Failure {
            step: item.step,
            item: item.item,
            id: self.ledger.plan.steps.get(&item.step).and_then(|step| step.writes().get(item.item as usize)).map(|write| write.id.clone()),
            kind: fault.kind.clone(),
            why: fault.why.clone(),
            attempts: self.ledger.attempts(item.step),
        };
        self.ledger.faults.iter().map(one).collect()
    }

    /// The face as it should be now; `None` before the merge request was ever read.
    pub fn face(&self) -> Option<Face> {
        self.sighting.as_ref()?;
        Some(crate::core::review::face(&self.view(self.clock)))
    }

    /// Why the last plan was asked for, while it is being made.
    pub fn planning_because(&self) -> Option<&PlanWhy> {
        self.asked.as_ref().map(|ask| &ask.why)
    }

    /// What the run stops for at its next safe point.
    pub fn stopping(&self) -> Option<&Stop> {
        self.stopping.as_ref()
    }
}
