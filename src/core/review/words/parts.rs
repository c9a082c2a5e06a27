//! The small pieces sentences are made of.

use crate::core::{
    model::{CommitId, ResourceId, StepId, Str, Time, User},
    review::{Phase, escape::code},
};
use std::collections::BTreeSet;

/// What a change ahead in the queue keeps from one behind it, and when it asked for that.
pub fn keeps(holds: bool, ids: &BTreeSet<&ResourceId>, asked: Option<Time>) -> String {
    let verb = if holds { "holds" } else { "asked first for" };
    let what = match (ids.first(), ids.len()) {
        (None, _) => verb.to_owned(),
        (Some(one), 1) => format!("{verb} {}", code(&one.to_string())),
        (Some(first), n) => format!("{verb} {} and {} more", code(&first.to_string()), n - 1),
    };
    match asked {
        Some(at) if holds => format!("{what}, which it asked for at {}", code(&when(at))),
        Some(at) => format!("{what}, at {}", code(&when(at))),
        None => what,
    }
}

/// What the owner of a change that holds claims and does nothing is told; `frees`: what it holds is given back at a word, else it is stopped first.
pub fn overdue(owner: &User, claims: usize, since: Time, frees: bool) -> String {
    let plain = owner.as_str().chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    // A name in a code span calls nobody; one of harmless characters needs none.
    let who = if plain { format!("@{}", owner.as_str()) } else { code(owner.as_str()) };
    let first = if frees { "" } else { "`/trueup abort` and then " };
    format!(
        "{who}: this change does nothing since {} and holds {}, which keeps others waiting. Go on or go back; anyone who may approve can say `/trueup take` to answer for it, or {first}`/trueup free REASON` to let go.",
        code(&when(since)),
        count(claims, "claim")
    )
}

/// A phase as words in a sentence.
pub fn phase_words(phase: Phase) -> &'static str {
    match phase {
        Phase::AwaitingApproval => "awaiting approval",
        Phase::Planning
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
        | Phase::Closed => phase.as_str(),
    }
}

/// `1 fault`, `3 faults`.
pub fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// A commit for people.
pub fn short(commit: &CommitId) -> &str {
    commit.as_str().get(..12).unwrap_or(commit.as_str())
}

/// An instant for people.
pub fn when(time: Time) -> String {
    time.to_string()
}

/// `a, b or c`, each escaped; of very many only the first.
pub fn list(items: &[Str], last: &str) -> String {
    let shown = &items[..items.len().min(10)];
    match (shown, items.len() - shown.len()) {
        ([], _) => "nobody".to_owned(),
        ([one], 0) => code(one),
        ([init @ .., end], 0) => format!("{} {last} {}", init.iter().map(|item| code(item)).collect::<Vec<_>>().join(", "), code(end)),
        (some, more) => format!("{} {last} {more} more", some.iter().map(|item| code(item)).collect::<Vec<_>>().join(", ")),
    }
}

/// `step 3`, or `step 3 and 2 more`.
pub fn steps_list(steps: &[StepId]) -> String {
    match steps {
        [one] => format!("step {one}"),
        [first, ..] => format!("step {first} and {} more", steps.len() - 1),
        [] => "no step".to_owned(),
    }
}
