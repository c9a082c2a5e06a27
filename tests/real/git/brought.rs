//! What merging would bring: how many commits, what all of them say within a bound, and how many do not fit it.

use super::scratch::Scratch;
use git2::{Oid, Signature};
use trueup::{core::model::CommitId, ports::StateRepo};

/// Commits with these messages on top of a commit; the last one.
fn said(scratch: &Scratch, on: &CommitId, messages: impl Iterator<Item = String>) -> CommitId {
    let who = Signature::new("Ana", "ana@example.com", &git2::Time::new(1_700_000_000, 0)).unwrap();
    let mut tip = Oid::from_str(on.as_str()).unwrap();
    for message in messages {
        let parent = scratch.repo.find_commit(tip).unwrap();
        tip = scratch.repo.commit(None, &who, &who, &message, &parent.tree().unwrap(), &[&parent]).unwrap();
    }
    CommitId::new(tip.to_string())
}

#[test]
fn every_message_is_told_and_not_the_newest_alone() {
    let scratch = Scratch::new();
    let base = scratch.commit("main", None, &[]);
    let head = said(&scratch, &base, (0..300).map(|n| if n == 0 { "oops".to_owned() } else { format!("dns: {n}\n\nbody") }));
    let brought = scratch.open().brought(&base, &head).unwrap();
    assert_eq!((brought.commits.len(), brought.messages.len(), brought.unsaid), (300, 300, 0));
    assert_eq!(brought.messages.last().map(|message| &**message), Some("oops"), "the oldest, too");
}

#[test]
fn what_does_not_fit_is_counted() {
    let scratch = Scratch::new();
    let base = scratch.commit("main", None, &[]);
    let long = said(&scratch, &base, ["x".repeat(401), format!("dns: www\n\n{}", "y".repeat(4000)), "z".repeat(400)].into_iter());
    let brought = scratch.open().brought(&base, &long).unwrap();
    assert_eq!((brought.messages.len(), brought.unsaid), (3, 1), "the first line of the first goes on beyond what is kept");
    let many = said(&scratch, &base, (0..1000).map(|n| format!("{n}: {}", "w".repeat(300))));
    let brought = scratch.open().brought(&base, &many).unwrap();
    assert_eq!((brought.commits.len(), brought.messages.len() + brought.unsaid), (1000, 1000));
    assert!(brought.unsaid > 700 && brought.messages[0].starts_with("999: "), "the newest are kept: {}", brought.unsaid);
}
