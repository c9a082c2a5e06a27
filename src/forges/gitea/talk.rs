//! A merge request's timeline, read from where it was read last: who pushed, who set a label, and what we said.

use super::{
    forge::{Gitea, Place},
    wire::{Event, Pull},
};
use crate::{
    core::model::{Fingerprint, User},
    forges::net::{Marked, NetError, encoded, marked, says},
};
use std::collections::BTreeSet;

/// What the timeline told so far.
#[derive(Clone, Debug, Default)]
pub struct Talk {
    /// Everyone who pushed since it was opened.
    pub pushers: BTreeSet<User>,
    /// Who set the label `incident` last, while it is set.
    pub incident: Option<User>,
    /// The marks of what we said.
    pub said: BTreeSet<String>,
    /// Our comment that is edited in place, and what it says.
    pub sticky: Option<(u64, Fingerprint)>,
    /// When the last entry changed, as the forge writes times.
    upto: Option<String>,
    /// The last comment that was handed on, with when it changed.
    pub comment: Option<(u64, String)>,
}

impl Gitea {
    /// Reads what is new in the timeline and answers with all of it.
    pub(super) async fn talk(&self, place: &Place, pull: &Pull) -> Result<Talk, NetError> {
        let mut talk = place.known().talks.get(&pull.number).cloned().unwrap_or_default();
        let since = talk.upto.as_deref().map_or_else(String::new, |upto| format!("&since={}", encoded(upto)));
        let bot = self.bot().await?;
        for event in self.timeline(place, pull, &since).await? {
            talk.take(self, bot, event);
        }
        place.known().talks.insert(pull.number, talk.clone());
        Ok(talk)
    }
}

impl Talk {
    fn take(&mut self, forge: &Gitea, bot: &User, event: Event) {
        let by = forge.whose(event.user.as_ref());
        match event.kind.as_str() {
            "pull_push" => drop(self.pushers.insert(by)),
            // What is added has a body, what is taken away has none.
            "label" if event.label.is_some_and(|label| label.name == "incident") => self.incident = (!event.body.is_empty()).then_some(by),
            // Whatever somebody made of it, mark and all.
            "comment" if by == *bot && self.sticky.is_some_and(|(id, _)| id == event.id) => self.sticky = Some((event.id, says(&event.body))),
            "comment" if by == *bot => match marked(&event.body) {
                Some(Marked::Sticky) if self.sticky.is_none_or(|(first, _)| first >= event.id) => self.sticky = Some((event.id, says(&event.body))),
                Some(Marked::Said(mark)) => drop(self.said.insert(mark)),
                Some(Marked::Sticky) | None => {}
            },
            _ => {}
        }
        // Times of one forge have one form, and only the order of entries is asked of them.
        if self.upto.as_deref().is_none_or(|upto| super::forge::time(upto) <= super::forge::time(&event.updated_at)) {
            self.upto = Some(event.updated_at);
        }
    }
}
