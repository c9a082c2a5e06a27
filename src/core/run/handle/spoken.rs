//! Approvals that name no digest: they are of the plan that stood on the forge when they were written (I2).

use super::Pass;
use crate::core::{
    model::{Digest, StepId, Time, User},
    review::{Answer, Command, Comment, CommentId, Phase, Right, Sighting, words::list},
    run::{Change, Event, Spoken},
};

impl Change {
    /// Whether whoever wrote then could read the plan on the desk; `None`: the forge does not show it yet, as far as is known.
    fn could_read(&self, at: Time) -> Option<bool> {
        if self.is_spent(at) {
            return Some(false);
        }
        let (published, since) = self.published?;
        (self.digest()? == published).then_some(since <= at)
    }

    /// Whether what was said then was for a run that was stopped since.
    pub(super) fn is_spent(&self, at: Time) -> bool {
        self.spent.is_some_and(|spent| at < spent)
    }

    /// Whether what was planned is of another head or base than what is refused now, so that nobody is shown it.
    pub(in crate::core::run) fn is_outdated(&self) -> bool {
        matches!(self.stage, Phase::Refused | Phase::Conflicted) && !self.wrote()
    }
}

impl Pass<'_> {
    /// An approval in a comment without a digest; `None`: it waits.
    pub(super) fn approve_shown(&mut self, comment: &Comment, steps: &[StepId]) -> Option<Answer> {
        let spoken = Spoken { comment: comment.id, by: comment.by.clone(), right: comment.right, steps: steps.to_vec(), at: comment.at };
        let shows = self.change.desk.is_some() && !self.change.is_outdated();
        // Who may not approve whatever they read is told so at once.
        let may = spoken.right >= Right::Approve && !self.change.own(&spoken.by);
        if shows && may && self.change.could_read(spoken.at).is_none() {
            self.emit(Event::ApprovalWaits(spoken));
            return None;
        }
        Some(self.judge_spoken(&spoken))
    }

    fn judge_spoken(&mut self, spoken: &Spoken) -> Answer {
        let command = Command::Approve { digest: None, steps: spoken.steps.clone() };
        let may = spoken.right >= command.needs() && !self.change.own(&spoken.by);
        match self.change.digest().filter(|_| may && self.change.could_read(spoken.at) == Some(false)) {
            Some(now) => Answer::NotRead { now },
            None => self.command(&spoken.by, spoken.right, &command),
        }
    }

    /// The forge shows a plan: what was said of it without its digest is judged by when that was.
    pub(super) fn shown(&mut self, digest: Digest, at: Time) {
        let known = self.change.published.filter(|(known, _)| *known == digest);
        let waited = if self.change.digest() == Some(digest) { self.change.spoken.clone() } else { Vec::new() };
        if known.is_none() || !waited.is_empty() {
            // What is shown once more could be read ever since it was first.
            self.emit(Event::Published { digest, at: known.map_or(at, |(_, since)| since) });
        }
        for spoken in waited {
            let answer = self.judge_spoken(&spoken);
            self.emit(Event::Replying { to: spoken.comment, text: answer.to_string(), overrides: Vec::new(), upshot: Some(answer.upshot()) });
        }
        self.reviews();
    }

    /// The plan on the desk may be again the one that the forge shows, because the one in between was never shown: what was said meanwhile is of it.
    pub(super) fn shown_still(&mut self) {
        if let Some((digest, since)) = self.change.published.filter(|(digest, _)| self.change.digest() == Some(*digest)) {
            self.shown(digest, since);
        }
    }

    /// Counts reviews where policy does, for the digest that was last shown before them.
    pub(super) fn reviews(&mut self) {
        let change = &*self.change;
        let (Some(sighting), Some(desk)) = (&change.sighting, &change.desk) else { return };
        // What could not be read now was not withdrawn; nothing starts or merges meanwhile.
        let stands = |by: &User| !sighting.unread.is_empty() || sighting.reviews.iter().any(|review| review.by == *by);
        let gone: Vec<_> = change.approvals.iter().filter(|given| given.review && !stands(&given.by)).map(|given| given.by.clone()).collect();
        let wants = match change.stage {
            Phase::AwaitingApproval | Phase::Empty => true,
            // One that was withdrawn on the way may be given again.
            Phase::Rolling | Phase::Verifying | Phase::Merging => change.missing() > 0,
            Phase::Planning
            | Phase::Queued
            | Phase::Merged
            | Phase::Refused
            | Phase::Conflicted
            | Phase::Paused
            | Phase::Failed
            | Phase::Restoring
            | Phase::Restored
            | Phase::Closed => false,
        };
        let counts = desk.policy.reviews_count && !change.aborted && wants;
        // What the forge does not show yet nobody reviewed, and whoever reviews in the moment in which it is shown did not read it.
        let since = change.published.filter(|(digest, _)| counts && *digest == desk.digest).map(|(_, since)| change.spent.map_or(since, |spent| since.max(spent)));
        let judged = |sighting: &Sighting, early: bool| -> Vec<(User, Time)> {
            let fits = |at: Time| since.is_some_and(|since| (at <= since) == early);
            let fit = sighting.reviews.iter().filter(|review| fits(review.at) && review.right >= Right::Approve && review.head == desk.key.head && !change.own(&review.by));
            fit.map(|review| (review.by.clone(), review.at)).collect()
        };
        let new: Vec<_> = judged(sighting, false).into_iter().filter(|(by, _)| !change.approvals.iter().any(|given| given.by == *by && given.digest == desk.digest)).collect();
        let digest = desk.digest;
        let late = |by: &User| change.approvals.iter().any(|given| given.by == *by && given.covers(&change.shown(desk)));
        let early: Vec<_> = judged(sighting, true).into_iter().filter(|(by, at)| !late(by) && change.early.get(by) != Some(at)).collect();
        self.early(early, digest);
        for by in gone {
            self.emit(Event::Withdrawn { by });
        }
        for (by, _) in new {
            self.emit(Event::Approved { by, digest, steps: Vec::new(), review: true, at: self.now });
        }
    }

    /// Tells those who approved before there was what they would have approved; forges tell whole seconds, so that may have been a moment.
    fn early(&mut self, early: Vec<(User, Time)>, digest: Digest) {
        if early.is_empty() {
            return;
        }
        let who: Vec<_> = early.iter().map(|(by, _)| by.as_str().into()).collect();
        let who = list(&who, "and");
        let shown = self.change.published.map(|(_, since)| since);
        let text = match early.iter().any(|(_, given)| shown.is_some_and(|shown| *given > shown)) {
            // Shown before it was given: it was for a run that is over.
            true => format!("What {who} approved was used up when this change was stopped: approve it again, or say `/trueup approve {}`.", digest.short()),
            false => format!(
                "{who} approved before the plan `{}` was shown, so that does not count: read it, then approve again, or say `/trueup approve {}`.",
                digest.short(),
                digest.short()
            ),
        };
        for (by, given) in early {
            self.emit(Event::ReviewEarly { by, given, at: self.now });
        }
        self.emit(Event::Replying { to: CommentId::NOBODY, text, overrides: Vec::new(), upshot: None });
    }
}
