//! Merging exactly what a ticket pins.

use super::house::House;
use trueup::{
    core::{model::MrId, review::MrState, run::MergeAnswer},
    ports::{Fault, ForgeWriter, StateRepo},
};

#[tokio::test]
async fn a_merge_puts_the_planned_tree_on_the_branch_and_says_whose_it_is() {
    let house = House::furnished().await;
    let mr = house.open("add a record").await;
    let ticket = house.ticket(&mr).await;
    let answer = house.forge.merge(ticket.clone()).await.unwrap();
    let tip = house.tip("main");
    assert_eq!(answer, MergeAnswer::Merged { commit: tip.clone(), parents: vec![ticket.base().clone(), ticket.head().clone()], tree: ticket.tree().clone() });
    house.git("ada", &["fetch", "-q", "origin"]);
    let message = house.git("ada", &["log", "-1", "--format=%an <%ae>%n%B", "origin/main"]);
    assert_eq!(message, format!("trueup <trueup@localhost>\nMerge request #1: add a record\n\nTrueup-Change: dns!1\nTrueup-Digest: {}", ticket.digest()));
    assert_eq!(house.look(&mr).await.state, MrState::Merged { commit: tip, by: trueup::core::model::User::new("trueup"), with: None });
}

#[tokio::test]
async fn a_base_that_moved_is_not_merged_onto() {
    let house = House::furnished().await;
    house.branch("other", "b", "1\n");
    let (mr, other) = (house.open("t").await, house.open_by("ada", "other", "other").await.unwrap());
    let (ticket, first) = (house.ticket(&mr).await, house.ticket(&other).await);
    assert!(matches!(house.forge.merge(first).await.unwrap(), MergeAnswer::Merged { .. }));
    let tip = house.tip("main");
    let MergeAnswer::Moved { why } = house.forge.merge(ticket.clone()).await.unwrap() else { panic!("merged") };
    assert_eq!(why, format!("`main` is at {tip}, not at {}", ticket.base()));
    assert_eq!((house.tip("main"), house.look(&mr).await.state), (tip, MrState::Open));
}

#[tokio::test]
async fn a_head_that_moved_is_not_merged() {
    let house = House::furnished().await;
    let mr = house.open("t").await;
    let ticket = house.ticket(&mr).await;
    house.git("ada", &["checkout", "-q", "mr"]);
    house.write("ada", "zone", "5\n");
    house.git("ada", &["push", "-q", "origin", "mr"]);
    let MergeAnswer::Moved { why } = house.forge.merge(ticket.clone()).await.unwrap() else { panic!("merged") };
    assert_eq!(why, format!("`mr` is at {}, not at {}", house.tip("mr"), ticket.head()));
    assert_eq!(house.tip("main"), *ticket.base());
}

#[tokio::test]
async fn a_closed_merge_request_is_not_merged() {
    let house = House::furnished().await;
    let mr = house.open("t").await;
    let ticket = house.ticket(&mr).await;
    house.forge.close(&mr).await.unwrap();
    assert_eq!(house.forge.merge(ticket.clone()).await.unwrap(), MergeAnswer::Moved { why: "dns!1 is closed".into() });
    assert_eq!(house.tip("main"), *ticket.base());
}

#[tokio::test]
async fn a_crash_between_the_branch_and_the_record_merges_once() {
    let house = House::furnished().await;
    let mr = house.open("t").await;
    let ticket = house.ticket(&mr).await;
    house.kv.fail(Fault::IoBefore);
    house.forge.merge(ticket.clone()).await.unwrap_err();
    let tip = house.tip("main");
    assert_ne!(tip, *ticket.base(), "the branch moved, the record failed");
    // The next process: the same ticket, from the journal.
    let again = house.restarted().await.merge(ticket.clone()).await.unwrap();
    assert_eq!(again, MergeAnswer::Merged { commit: tip.clone(), parents: vec![ticket.base().clone(), ticket.head().clone()], tree: ticket.tree().clone() });
    assert_eq!(house.forge.merge(ticket).await.unwrap(), again);
    assert_eq!(house.tip("main"), tip);
    assert!(matches!(house.look(&mr).await.state, MrState::Merged { .. }));
}

#[tokio::test]
async fn what_is_told_as_merged_is_only_read_when_it_is_asked_for_again() {
    let house = House::furnished().await;
    let mr = house.open("t").await;
    let ticket = house.ticket(&mr).await;
    assert!(matches!(house.forge.merge(ticket.clone()).await.unwrap(), MergeAnswer::Merged { .. }));
    // An admin with the folder took it off the branch again: everything is as the ticket pins it.
    let moved = trueup::git::program::git(&house.bare()).args(["update-ref", "refs/heads/main", ticket.base().as_str()]).status().unwrap();
    assert!(moved.success());
    assert_eq!(house.forge.merge(ticket.clone()).await.unwrap(), MergeAnswer::Moved { why: "dns!1 is merged, and not by this".into() });
    assert_eq!(house.tip("main"), *ticket.base(), "nothing is put on the branch a second time");
}

#[tokio::test]
async fn a_look_alone_finds_a_merge_that_was_never_recorded() {
    let house = House::furnished().await;
    let mr = house.open("t").await;
    let ticket = house.ticket(&mr).await;
    house.kv.fail(Fault::IoBefore);
    house.forge.merge(ticket).await.unwrap_err();
    let seen = house.look(&mr).await;
    assert_eq!(seen.state, MrState::Merged { commit: house.tip("main"), by: trueup::core::model::User::new("trueup"), with: None });
}

#[tokio::test]
async fn a_merge_found_after_others_followed_is_still_this_one() {
    let house = House::furnished().await;
    house.branch("other", "b", "1\n");
    let (mr, other) = (house.open("t").await, house.open_by("ada", "other", "other").await.unwrap());
    let ticket = house.ticket(&mr).await;
    let MergeAnswer::Merged { commit, .. } = house.forge.merge(ticket.clone()).await.unwrap() else { panic!("moved") };
    let next = house.ticket(&other).await;
    assert!(matches!(house.forge.merge(next).await.unwrap(), MergeAnswer::Merged { .. }));
    let MergeAnswer::Merged { commit: again, .. } = house.forge.merge(ticket).await.unwrap() else { panic!("moved") };
    assert_eq!(again, commit);
}

#[tokio::test]
async fn a_branch_moved_by_hand_is_never_taken_for_our_merge() {
    let house = House::furnished().await;
    let mr = house.open("t").await;
    let ticket = house.ticket(&mr).await;
    // An admin with the folder: around every hook.
    let moved = trueup::git::program::git(&house.bare()).args(["update-ref", "refs/heads/main", ticket.head().as_str()]).status().unwrap();
    assert!(moved.success());
    assert!(matches!(house.forge.merge(ticket).await.unwrap(), MergeAnswer::Moved { .. }));
    let MrState::Merged { by, .. } = house.look(&mr).await.state else { panic!("open") };
    assert_eq!(by.as_str(), "somebody with access to the repository");
}

#[tokio::test]
async fn a_source_reset_to_its_base_is_empty_and_not_merged() {
    let house = House::furnished().await;
    let mr = house.open("t").await;
    house.look(&mr).await;
    house.git("ada", &["push", "-qf", "origin", "origin/main:mr"]);
    let seen = house.look(&mr).await;
    assert_eq!((seen.head, seen.state), (seen.base, MrState::Open));
}

#[tokio::test]
async fn merges_at_once_leave_a_straight_line_of_merges() {
    let house = House::furnished().await;
    let mut tickets = Vec::new();
    let mut open: Vec<MrId> = Vec::new();
    for n in 0..4 {
        let name = format!("b{n}");
        house.branch(&name, &name, "1\n");
        open.push(house.open_by("ada", &name, "t").await.unwrap());
    }
    for mr in &open {
        tickets.push(house.ticket(mr).await);
    }
    let answers = futures::future::join_all(tickets.into_iter().map(|ticket| house.forge.merge(ticket))).await;
    let merged = answers.iter().filter(|answer| matches!(answer, Ok(MergeAnswer::Merged { .. }))).count();
    assert_eq!((merged, answers.len()), (1, 4), "all were pinned to one base");
    assert_eq!(house.state().files(&house.state().tree(&house.tip("main")).unwrap(), "").unwrap().len(), 2);
}

#[tokio::test]
async fn a_head_that_came_in_with_our_merge_of_a_stacked_one_is_merged_with_it() {
    let house = House::furnished().await;
    let mr = house.open("lower").await;
    house.git("ada", &["checkout", "-q", "-b", "upper", "mr"]);
    house.write("ada", "c", "1\n");
    house.git("ada", &["push", "-q", "origin", "upper"]);
    let upper = house.open_by("ada", "upper", "upper").await.unwrap();
    assert_eq!(house.look(&mr).await.state, MrState::Open);
    let ticket = house.ticket(&upper).await;
    let MergeAnswer::Merged { commit, .. } = house.forge.merge(ticket).await.unwrap() else { panic!("moved") };
    let state = house.look(&mr).await.state;
    assert_eq!(state, MrState::Merged { commit, by: trueup::core::model::User::new("trueup"), with: Some(upper) });
}
