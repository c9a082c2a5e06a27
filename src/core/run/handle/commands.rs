//! Commands: who may say what when, and what it does. Every command is answered.

use super::Pass;
use crate::core::{
    drift::terms,
    model::{Digest, Policy, StepId, User},
    plan::Act,
    review::{Answer, Command, Phase, Right, means},
    run::{
        Event, PlanWhy, Stop,
        ledger::{At, Doing},
    },
};

impl Pass<'_> {
    pub(super) fn command(&mut self, by: &User, right: Right, command: &Command) -> Answer {
        if right < command.needs() {
            let needs = match command.needs() {
                Right::None | Right::Read => "read",
                Right::Write => "write",
                Right::Approve => "approve",
                Right::Admin => "administer",
            };
            return Answer::NotAllowed { by: by.clone(), needs };
        }
        match command {
            Command::Plan => self.say_plan(by),
            Command::Approve { digest, steps } => self.say_approve(by, digest.as_deref(), steps),
            Command::Start => self.say_start(by),
            Command::Pause => self.say_pause(by),
            Command::Resume => self.say_resume(by),
            Command::Retry => self.say_retry(by),
            Command::Skip { step, until, reason } => self.say_skip(by, *step, until.as_deref(), reason),
            Command::Abort => self.say_abort(by),
            Command::Restore => self.say_restore(by),
            Command::Free { reason } => self.say_free(by, reason),
            Command::Take => {
                self.emit(Event::Taken { by: by.clone(), at: Some(self.now) });
                Answer::Taken { by: by.clone() }
            }
            // Said in a comment it is kept with the reply, and by page or CLI it never comes here.
            Command::Override { .. } => self.not_now("override"),
            Command::Halt { on } => {
                self.emit(Event::HaltSaid { by: by.clone(), on: *on, at: self.now });
                Answer::Halting { on: *on }
            }
            Command::Help => Answer::Help,
            Command::PlanAgain if self.change.is_trusted() => self.say_plan(by),
            Command::PlanAgain => self.not_now("plan"),
            Command::Unknown { text, nearest } => Answer::Unknown { text: text.clone(), nearest: nearest.clone() },
        }
    }

    /// The answer to a command about a plan that is not the one on the desk any more: it names steps that are others by now.
    pub(super) fn of_another_plan(&self, command: &Command, said_of: Option<Digest>) -> Option<Answer> {
        if !command.is_of_a_plan() || said_of == self.change.digest() {
            return None;
        }
        let now = self.change.digest();
        if let (Command::Approve { .. }, Some(now)) = (command, now) {
            return Some(Answer::StaleDigest { asked: said_of.map_or_else(|| "what was shown when you said it".to_owned(), |of| of.short()), now });
        }
        Some(Answer::PlanChanged { command: command.verb().to_owned(), now })
    }

    fn not_now(&self, command: &'static str) -> Answer {
        Answer::NotNow { command, phase: self.change.phase() }
    }

    fn say_plan(&mut self, by: &User) -> Answer {
        let change = &*self.change;
        let Some(sighting) = &change.sighting else { return self.not_now("plan") };
        let head = sighting.head.clone();
        let busy = change.running || change.stopping.is_some() || change.merge.is_some();
        let never = matches!(change.stage, Phase::Merged | Phase::Closed | Phase::Restoring) || sighting.state != crate::core::review::MrState::Open;
        if busy || never {
            return self.not_now("plan");
        }
        if change.vouched.as_ref() != Some(&head) {
            self.emit(Event::Vouched { by: by.clone(), head, at: Some(self.now) });
        }
        self.replan(PlanWhy::Said(by.clone()));
        Answer::Replanning
    }

    fn say_approve(&mut self, by: &User, named: Option<&str>, steps: &[StepId]) -> Answer {
        if let Some(answer) = self.approve_parked(by, named, steps) {
            return answer;
        }
        if let Some(answer) = self.approve_exemption(by, named, steps) {
            return answer;
        }
        let change = &*self.change;
        let Some(desk) = &change.desk else { return Answer::NothingToApprove };
        let digest: Digest = desk.digest;
        match change.stage {
            Phase::Planning | Phase::AwaitingApproval | Phase::Queued | Phase::Empty => {}
            // An approver who pushed since does not count any more; another one may say yes.
            Phase::Rolling | Phase::Verifying | Phase::Merging if change.missing() > 0 => {}
            // After an abort a new approval runs on, from what is really there: that plan comes first.
            Phase::Failed if change.aborted => return self.say_plan(by),
            Phase::Rolling
            | Phase::Verifying
            | Phase::Merging
            | Phase::Merged
            | Phase::Refused
            | Phase::Conflicted
            | Phase::Paused
            | Phase::Failed
            | Phase::Restoring
            | Phase::Restored
            | Phase::Closed => return Answer::NothingToApprove,
        }
        if change.own(by) {
            return Answer::OwnChange { by: by.clone() };
        }
        if let Some(asked) = named
            && !digest.to_string().starts_with(&asked.to_lowercase())
        {
            return Answer::StaleDigest { asked: asked.to_owned(), now: digest };
        }
        if let Some(step) = steps.iter().find(|step| !desk.plan.steps.contains_key(step)) {
            let last = desk.plan.steps.keys().next_back().copied().unwrap_or(StepId(0));
            return Answer::NoSuchStep { step: *step, last };
        }
        let rules = &desk.plan.rules;
        let counts = |names: &[crate::core::model::Str]| means(names, by, change.teams());
        if !rules.is_empty() && !rules.iter().any(|rule| counts(&rule.rule.by)) {
            let named = rules.iter().flat_map(|rule| rule.rule.by.iter().cloned()).collect::<std::collections::BTreeSet<_>>().into_iter().collect();
            return Answer::NotNamed { by: by.clone(), named };
        }
        if change.approvals.iter().any(|given| given.by == *by && (given.covers(&change.shown(desk)) || !steps.is_empty() && given.digest == digest && given.steps == steps)) {
            return Answer::ApprovedAlready { digest };
        }
        self.emit(Event::Approved { by: by.clone(), digest, steps: steps.to_vec(), review: false, at: self.now });
        Answer::Approved { by: by.clone(), digest, missing: self.change.missing() }
    }

    /// Approves steps of a run that wait for people.
    fn approve_parked(&mut self, by: &User, named: Option<&str>, steps: &[StepId]) -> Option<Answer> {
        let change = &*self.change;
        if !change.running || steps.is_empty() {
            return None;
        }
        let digest = change.digest()?;
        if let Some(asked) = named.filter(|named| !digest.to_string().starts_with(&named.to_lowercase())) {
            return Some(Answer::StaleDigest { asked: asked.to_owned(), now: digest });
        }
        let plan = change.ledger.plan.clone();
        let mut missing = 0;
        for id in steps {
            let (Some(step), Some(spec)) = (self.change.ledger.frontier.at(*id), plan.steps.get(id)) else {
                let last = plan.steps.keys().next_back().copied().unwrap_or(StepId(0));
                return Some(Answer::NoSuchStep { step: *id, last });
            };
            let Act::Approve { by: rule } = &spec.act else { return Some(Answer::NothingToApprove) };
            if self.doing(step) != Doing::Parked {
                return Some(Answer::NothingToApprove);
            }
            if self.change.own(by) {
                return Some(Answer::OwnChange { by: by.clone() });
            }
            if !means(&rule.by, by, self.change.teams()) {
                return Some(Answer::NotNamed { by: by.clone(), named: rule.by.clone() });
            }
            let said = self.change.ledger.said(*id);
            if said.is_some_and(|said| said.contains(by)) {
                return Some(Answer::ApprovedAlready { digest });
            }
            missing = missing.max(rule.count.saturating_sub(said.map_or(0, |said| said.len() as u32) + 1));
            self.emit(Event::StepApproved { step: *id, by: by.clone(), at: self.now });
        }
        Some(Answer::Approved { by: by.clone(), digest, missing })
    }

    fn say_start(&mut self, by: &User) -> Answer {
        match self.change.stage {
            Phase::AwaitingApproval | Phase::Queued => {
                self.emit(Event::StartSaid { by: by.clone(), at: self.now });
                Answer::Starting
            }
            Phase::Planning
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
            | Phase::Closed => self.not_now("start"),
        }
    }

    fn say_pause(&mut self, by: &User) -> Answer {
        match self.change.stage {
            Phase::Planning | Phase::AwaitingApproval | Phase::Queued | Phase::Rolling | Phase::Verifying | Phase::Merging | Phase::Empty | Phase::Restoring
                if self.change.merge.is_none() =>
            {
                self.emit(Event::Paused { by: by.clone(), at: Some(self.now) });
                Answer::Pausing { in_flight: self.change.ledger.in_flight() }
            }
            Phase::Planning
            | Phase::AwaitingApproval
            | Phase::Queued
            | Phase::Rolling
            | Phase::Verifying
            | Phase::Merging
            | Phase::Empty
            | Phase::Restoring
            | Phase::Merged
            | Phase::Refused
            | Phase::Conflicted
            | Phase::Paused
            | Phase::Failed
            | Phase::Restored
            | Phase::Closed => self.not_now("pause"),
        }
    }

    fn say_resume(&mut self, by: &User) -> Answer {
        let parked = self.pauses();
        if self.change.paused.is_none() && parked.is_empty() {
            return self.not_now("resume");
        }
        if self.change.paused.is_some() {
            self.emit(Event::Resumed { by: by.clone(), at: self.now });
        }
        for (step, attempt) in parked {
            self.emit(Event::Waited { step, attempt, good: true, why: String::new(), at: self.now });
        }
        Answer::Resumed
    }

    /// Pause steps that wait for a person's go.
    fn pauses(&self) -> Vec<(StepId, u32)> {
        let ledger = &self.change.ledger;
        let pauses = ledger.plan.steps.values().filter(|step| self.change.running && step.act == Act::Pause && ledger.doing(step.id) == Doing::Parked);
        pauses.filter_map(|step| Some((step.id, ledger.attempts[ledger.frontier.at(step.id)? as usize]))).collect()
    }

    fn say_retry(&mut self, by: &User) -> Answer {
        let change = &*self.change;
        match change.stage {
            // The way back was refused: it is the way back that is tried again.
            Phase::Failed if change.restore_stopped() => self.say_restore(by),
            Phase::Failed if change.aborted || change.alarm || !change.holds_claims() => {
                if change.sighting.as_ref().is_none_or(|sighting| sighting.state != crate::core::review::MrState::Open) {
                    return self.not_now("retry");
                }
                self.say_plan(by)
            }
            // What ran is not what is asked for any more.
            Phase::Failed if !change.ran() => self.say_plan(by),
            Phase::Failed => {
                let counts = change.ledger.counts();
                let items = counts.all - counts.proven;
                self.emit(Event::Retried { by: by.clone(), at: self.now });
                if items == 0 { Answer::Resumed } else { Answer::Retrying { items } }
            }
            Phase::Refused | Phase::Conflicted | Phase::Planning => self.say_plan(by),
            Phase::AwaitingApproval
            | Phase::Queued
            | Phase::Rolling
            | Phase::Verifying
            | Phase::Merging
            | Phase::Merged
            | Phase::Empty
            | Phase::Paused
            | Phase::Restoring
            | Phase::Restored
            | Phase::Closed => self.not_now("retry"),
        }
    }

    fn say_skip(&mut self, by: &User, step: StepId, until: Option<&str>, reason: &str) -> Answer {
        // One line, wherever it is shown.
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        if reason.is_empty() {
            return Answer::SkipNeedsReason { step };
        }
        let change = &*self.change;
        // A way back merges nothing that something could be left out of.
        if change.running || change.stage != Phase::Failed || change.aborted || change.alarm || change.is_restore() || !change.holds_claims() {
            return self.not_now("skip");
        }
        if change.ledger.frontier.at(step).is_none() {
            let last = change.ledger.plan.steps.keys().next_back().copied().unwrap_or(StepId(0));
            return Answer::NoSuchStep { step, last };
        }
        if !change.ledger.items(step).contains(&At::Failed) {
            return self.not_now("skip");
        }
        if change.ledger.plan.steps.get(&step).is_some_and(|step| matches!(step.act, Act::Approve { .. })) {
            return Answer::SkipsApproval { step };
        }
        if change.skips_all(step) {
            return Answer::SkipsAll;
        }
        let lasts = change.policy().map_or_else(|| Policy::default().exemption, |policy| policy.exemption);
        let (reason, until) = match terms(&reason, &until.map_or_else(|| (self.now + lasts).to_string(), str::to_owned), self.now) {
            Ok(terms) => terms,
            Err(fault) => return Answer::SkipTerms { fault: fault.to_string() },
        };
        self.emit(Event::Skipped { step, by: by.clone(), reason: reason.clone(), until: Some(until), at: Some(self.now) });
        Answer::Skipped { step, reason, until }
    }

    fn say_abort(&mut self, by: &User) -> Answer {
        let change = &*self.change;
        let possible = change.running || matches!(change.stage, Phase::Queued | Phase::Verifying | Phase::Merging) && change.merge.is_none();
        if !possible || change.stopping.is_some() {
            return self.not_now("abort");
        }
        let in_flight = change.ledger.in_flight();
        self.stop(Stop::Abort(by.clone()));
        Answer::Aborted { in_flight }
    }

    fn say_restore(&mut self, by: &User) -> Answer {
        let change = &*self.change;
        if change.merge.is_some() || change.stage == Phase::Restoring || matches!(change.stopping, Some(Stop::Restore(_))) {
            return self.not_now("restore");
        }
        if !change.running && !change.wrote() && change.ledger.given_up.is_empty() && !change.reverts() {
            return Answer::NothingToRestore;
        }
        let items = change.ledger.written.len().max(change.ledger.given_up.len());
        self.stop(Stop::Restore(by.clone()));
        Answer::Restoring { items }
    }

    /// Where something is written, freeing gives up the hold on it, so it needs a reason, and the answer says what stays.
    fn say_free(&mut self, by: &User, reason: &str) -> Answer {
        let change = &*self.change;
        if !change.frees() || change.claim == crate::core::run::change::ClaimState::Asked {
            return self.not_now("free");
        }
        let waits = matches!(change.stage, Phase::Verifying | Phase::Merging);
        let given_up = change.ledger.given_up.keys().filter(|_| !change.wrote());
        let left: Vec<String> = change.ledger.written.keys().chain(given_up).map(|id| change.frame.kinds.title(id)).collect();
        if !left.is_empty() && reason.trim().is_empty() {
            return Answer::FreeNeedsReason { left };
        }
        // A plan that goes on from what was written is none any more.
        let again = !left.is_empty() && (waits || matches!(change.stage, Phase::Planning | Phase::AwaitingApproval)) && !change.is_restore();
        self.emit(Event::Freed { by: by.clone(), reason: reason.trim().to_owned(), at: Some(self.now) });
        self.give_back();
        if again {
            self.replan(PlanWhy::Said(by.clone()));
        }
        Answer::Freed { left }
    }

    /// Gives back what the board holds for this change, or may.
    pub(super) fn give_back(&mut self) {
        use crate::core::run::change::ClaimState;
        match self.change.claim {
            ClaimState::Queued(_) | ClaimState::Granted => self.emit(Event::UnclaimAsked),
            // One word with the board at a time: effects of one turn and the next may overtake each other. It is given back when answered.
            ClaimState::Asked | ClaimState::Free | ClaimState::Freeing => {}
        }
    }
}
