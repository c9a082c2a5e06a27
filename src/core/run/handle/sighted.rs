//! The forge was read: what changed, who said what.

use super::Pass;
use crate::core::{
    drift::OverrideAsk,
    model::{CommitId, Span, Str},
    review::{Answer, Command, Comment, CommentId, MrState, Phase, Sighting, Upshot, command, words::list},
    run::{Event, PlanWhy, Stop},
};
use std::collections::BTreeSet;

/// Commands of one comment that are heard. More in one breath is no person's, and each is answered and kept in the journal.
const COMMANDS: usize = 20;

/// How old a comment may be where a change is seen for the first time: a repository that was renamed, or a store that was lost, has a past.
const FRESH: Span = Span::mins(60);

/// Characters of an answer; forges refuse more than about 65,000, and a reason may be as long as a comment.
const ANSWER: usize = 50_000;

impl Pass<'_> {
    pub(super) fn sighted(&mut self, sighting: &Sighting) {
        if sighting.mr != self.change.mr {
            return;
        }
        let first = self.change.sighting.is_none();
        let was_open = self.change.sighting.as_ref().is_some_and(|seen| seen.state == MrState::Open);
        let bare = Sighting { comments: Vec::new(), edited: Vec::new(), altered: None, ..sighting.clone() };
        if self.change.look || self.change.sighting.as_deref() != Some(&bare) {
            self.emit(Event::Sighted { sighting: Box::new(bare), at: self.now });
        }
        self.lifecycle();
        if was_open {
            self.merged_on_the_way_back();
        }
        self.reviews();
        let mut old = BTreeSet::new();
        for comment in &sighting.comments {
            match self.change.heard.is_none_or(|heard| heard < comment.id) {
                // Said to a server that is no more, or to nobody: what it was about is long over.
                true if first && comment.at + FRESH < self.now => {
                    self.emit(Event::Heard { comment: comment.id });
                    old.extend(command::parse(&comment.body).first().map(|said| Str::from(format!("/trueup {}", said.verb()))));
                }
                true => self.heard(comment),
                false => {}
            }
        }
        if !old.is_empty() && sighting.state == MrState::Open {
            let old: Vec<Str> = old.into_iter().collect();
            let text = format!("Said here before this server knew of the merge request, and not carried out by it: {}. Say again what still holds.", list(&old, "and"));
            self.emit(Event::Replying { to: CommentId::NOBODY, text, overrides: Vec::new(), upshot: None });
        }
        self.consider_plan();
    }

    fn heard(&mut self, comment: &Comment) {
        self.emit(Event::Heard { comment: comment.id });
        let said = command::parse(&comment.body);
        let (mut answers, mut overrides, mut upshot) = (Vec::new(), Vec::new(), Upshot::Done);
        for said in said.iter().take(COMMANDS) {
            match said {
                Command::Override { resource, until, reason } if comment.right >= said.needs() => {
                    let (resource, until, reason) = (resource.clone(), until.clone(), reason.clone());
                    overrides.push(OverrideAsk { by: comment.by.clone(), resource, until, reason, at: comment.at });
                }
                other => {
                    let Some(answer) = self.said_in(comment, other) else { continue };
                    upshot = upshot.max(answer.upshot());
                    let answer = answer.to_string();
                    if !answers.contains(&answer) {
                        answers.push(answer);
                    }
                }
            }
        }
        if said.len() > COMMANDS {
            let more = Answer::TooMany { heard: COMMANDS };
            upshot = upshot.max(more.upshot());
            answers.push(more.to_string());
        }
        if !answers.is_empty() || !overrides.is_empty() {
            self.emit(Event::Replying { to: comment.id, text: cut(answers.join("\n\n")), overrides, upshot: Some(upshot) });
        }
    }

    /// A command in a comment; `None`: it is answered later. One about a plan is of the plan that stood when it was written, never of a newer one.
    fn said_in(&mut self, comment: &Comment, said: &Command) -> Option<Answer> {
        // What would vouch for the head that is seen now.
        let vouches = matches!(said, Command::Plan | Command::Retry) || matches!(said, Command::Approve { .. }) && self.change.stage == Phase::Failed;
        if vouches && let Some(head) = self.unseen_head(comment) {
            return Some(Answer::HeadIsNew { head });
        }
        if let (Command::Approve { digest: Some(_), .. }, Some(now)) = (said, self.change.digest())
            && self.change.is_spent(comment.at)
        {
            return Some(Answer::NotRead { now });
        }
        if let Command::Approve { digest: None, steps } = said {
            return self.approve_shown(comment, steps);
        }
        if said.is_of_a_plan()
            && let Some(desk) = self.change.desk.as_ref().filter(|desk| desk.at > comment.at)
        {
            return Some(Answer::PlanChanged { command: said.verb().to_owned(), now: Some(desk.digest) });
        }
        Some(self.command(&comment.by, comment.right, said))
    }

    /// The head of somebody whom nobody vouched for, where it may have come after the comment was written: its writer looked at another one (I10).
    fn unseen_head(&self, comment: &Comment) -> Option<CommitId> {
        let change = &*self.change;
        let sighting = change.sighting.as_ref().filter(|_| !change.is_trusted())?;
        change.head_since.is_none_or(|since| comment.at < since).then(|| sighting.head.clone())
    }

    /// Follows the merge request's own state.
    fn lifecycle(&mut self) {
        let change = &*self.change;
        let Some(state) = change.sighting.as_ref().map(|sighting| sighting.state.clone()) else { return };
        let ours = change.merge.is_some() || change.stage == Phase::Merged || change.alarm;
        match state {
            MrState::Open => {
                if matches!(change.stopping, Some(Stop::Close)) {
                    // Reopened before the safe point was reached: there is nothing to undo.
                    self.emit(Event::Stopping { why: Stop::Amend, at: Some(self.now) });
                }
            }
            MrState::Closed => {
                // What was merged elsewhere is closed as far as we are concerned, and stays an alarm.
                let elsewhere = change.alarm && change.merged.is_some();
                let going = elsewhere || matches!(change.stopping, Some(Stop::Close)) || change.goes_back() || change.lost().is_some();
                if !change.stage.is_over() && !going && change.merge.is_none() {
                    self.stop(Stop::Close);
                }
            }
            MrState::Merged { commit, by: _, with: Some(with) } => {
                let going = matches!(change.stopping, Some(Stop::Included { .. } | Stop::Alarm(_)));
                if !ours && !going && change.stage != Phase::Restored {
                    self.stop(Stop::Included { commit, with });
                }
            }
            MrState::Merged { commit, by, with: None } => {
                // What goes back goes back from wherever it was merged; a merge of ours is read back before anybody is blamed.
                let known = ours || change.merged.is_some() || change.goes_back() || change.lost().is_some();
                if !known && !matches!(change.stopping, Some(Stop::Alarm(_))) && change.stage != Phase::Restored {
                    let what = if change.wrote() {
                        format!(
                            "{by} merged it as {commit} past the merge gate, before everything was proven: look at what is live, say `/trueup free REASON`, and open a merge request that brings live and branch together"
                        )
                    } else {
                        format!("{by} merged it as {commit} past the gates and nothing was run: open a merge request that brings live and branch together again")
                    };
                    self.stop(Stop::Alarm(what));
                }
            }
        }
    }

    /// Tells of a merge past the gate while what it asks for is taken back, or after; that goes on all the same.
    fn merged_on_the_way_back(&mut self) {
        let change = &*self.change;
        let back = change.goes_back() || change.stage == Phase::Restored;
        let Some(MrState::Merged { commit, by, with: None }) = change.sighting.as_ref().map(|seen| &seen.state).filter(|_| back && change.merged.is_none()) else { return };
        let text = format!(
            "{by} merged it as {commit} past the merge gate, while what it asks for is taken back: the branch asks for it, and nothing runs it. Open a merge request that brings live and branch together."
        );
        self.emit(Event::Replying { to: CommentId::NOBODY, text, overrides: Vec::new(), upshot: None });
    }

    /// Stops at the next safe point, which is now when nothing runs.
    pub(super) fn stop(&mut self, why: Stop) {
        self.emit(Event::Stopping { why, at: Some(self.now) });
        if !self.change.running {
            self.stopped();
        }
    }

    /// Asks for a plan when head or base is not what the last one was made from.
    pub(super) fn consider_plan(&mut self) {
        let change = &*self.change;
        let Some(sighting) = &change.sighting else { return };
        if sighting.state != MrState::Open || change.stopping.is_some() || change.merge.is_some() {
            return;
        }
        let (base, head) = (&sighting.base, &sighting.head);
        let asked = change.asked.as_ref().map(|ask| (&ask.base, &ask.head));
        let planned = change.desk.as_ref().map(|desk| (&desk.key.base, &desk.key.head));
        let tried = asked.or(change.answered.as_ref().map(|key| (&key.base, &key.head))).or(planned);
        let new_head = tried.is_none_or(|(_, known)| known != head);
        let new_base = change.retargeted || tried.is_none_or(|(known, _)| known != base);
        // A way back asks for nothing of the head, and so for nobody's word on it.
        let back = change.waits_to_go_back();
        let trusted = back || change.is_trusted();
        let wanted = match change.stage {
            // It is planned from what base asks for; a push is planned when it is over.
            Phase::AwaitingApproval if back => new_base,
            // A run goes on over a new base: it is planned again at its end. A new head amends it.
            Phase::Rolling => new_head,
            Phase::Restoring | Phase::Merged | Phase::Paused => false,
            Phase::Restored => new_head,
            Phase::Failed => (new_head || new_base && !change.wrote() && !change.aborted) && !change.alarm,
            Phase::Closed => true,
            Phase::Planning | Phase::AwaitingApproval | Phase::Queued | Phase::Verifying | Phase::Merging | Phase::Empty | Phase::Refused | Phase::Conflicted => {
                new_head || new_base
            }
        };
        if !wanted || !trusted {
            return;
        }
        if change.running {
            return self.stop(Stop::Amend);
        }
        self.replan_same_way();
    }

    /// Asks for the plan that waits for approval anew, whichever way it goes: nobody is shown another one under their hands than they asked for.
    pub(super) fn replan_same_way(&mut self) {
        let change = &*self.change;
        let (Some(sighting), Some(desk)) = (&change.sighting, change.desk.as_ref().filter(|_| change.waits_to_go_back())) else { return self.replan(PlanWhy::Moved) };
        let (base, head) = (sighting.base.clone(), desk.key.head.clone());
        self.emit(Event::ReplanAsked { base, head, restore: true, why: PlanWhy::Moved, at: Some(self.now) });
    }

    /// Asks for a plan of what the forge shows now.
    pub(super) fn replan(&mut self, why: PlanWhy) {
        let Some(sighting) = &self.change.sighting else { return };
        let restore = matches!(why, PlanWhy::Restore(_));
        let (base, head) = (sighting.base.clone(), sighting.head.clone());
        self.emit(Event::ReplanAsked { base, head, restore, why, at: Some(self.now) });
    }
}

/// An answer that every forge takes.
fn cut(text: String) -> String {
    match text.char_indices().nth(ANSWER) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
