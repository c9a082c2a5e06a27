//! The list of changes.

use super::{
    page::{Reader, with_frame},
    template::{render, sentence, when},
};
use crate::core::{
    review::{Links, Phase, words},
    run::Card,
};
use serde_json::{Value as Json, json};

/// All changes: those that wait for people first, what is over last, the newest first in each.
pub fn changes(cards: &[Card], reader: &Reader) -> String {
    let mut sorted: Vec<&Card> = cards.iter().collect();
    sorted.sort_by(|a, b| (rank(a.phase), b.updated, &a.mr).cmp(&(rank(b.phase), a.updated, &b.mr)));
    let (over, open): (Vec<&Card>, Vec<&Card>) = sorted.into_iter().partition(|card| card.phase.is_over());
    let rows = |cards: &[&Card]| cards.iter().map(|card| row(card)).collect::<Vec<_>>();
    render("changes.html", with_frame(reader, "Changes", json!({ "open": rows(&open), "over": rows(&over) })))
}

fn row(card: &Card) -> Json {
    json!({
        "page": Links::new("", &card.mr).change(), "name": card.mr.to_string(), "title": card.title, "draft": card.draft,
        "phase": card.phase.as_str(), "phase_words": words::phase_words(card.phase), "waits_for": sentence(&card.waits_for),
        "updated": card.updated.to_string(), "when": when(card.updated),
    })
}

/// Who must act: a person now, the machine, the author, nobody.
fn rank(phase: Phase) -> u8 {
    match phase {
        Phase::Failed | Phase::Paused | Phase::AwaitingApproval | Phase::Empty => 0,
        Phase::Planning | Phase::Queued | Phase::Rolling | Phase::Verifying | Phase::Merging | Phase::Restoring => 1,
        Phase::Refused | Phase::Conflicted => 2,
        Phase::Merged | Phase::Restored | Phase::Closed => 3,
    }
}
