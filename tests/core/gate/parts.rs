//! Both gates judge a merge request from its parts, and a part that the forge does not tell speaks against it.

use crate::fixture::sighting;
use trueup::core::{
    gate::{Conditions, Reason, StartGate, Verdict},
    model::{CommitId, Policy, Time, TreeId},
    review::{Sighting, Waiting},
    run::PlanKey,
};

fn judged(seen: &Sighting, restore: bool) -> Verdict<()> {
    let key = PlanKey { base: CommitId::new("b"), head: CommitId::new("h"), tree: TreeId::new("t") };
    let conditions = Conditions { now: Time(0), sighting: seen, key: &key, policy: &Policy::default(), approvals: &[], halted: false };
    StartGate { conditions, said: true, restore, granted: Ok(()) }.judge()
}

#[test]
fn what_the_forge_would_never_take_is_not_begun_and_says_who_mends_it() {
    let why = trueup::core::model::Str::from("the project merges by fast-forward alone");
    let behind = Sighting { behind: Some(why.clone()), ..sighting() };
    let reason = Reason::Behind { branch: behind.base_branch.clone(), why: why.clone() };
    assert_eq!(judged(&behind, false), Verdict::Wait(vec![reason]));
    assert_eq!(judged(&behind, true), Verdict::Go(()), "a way back merges nothing");
    let said = Waiting::Behind { branch: "main".into(), why }.to_string();
    assert_eq!(
        said,
        "Waiting for the author to rebase it onto `main` or to merge `main` into it: the project merges by fast-forward alone, and this one lacks its newest commit. Approvals stay where the plan stays the same."
    );
}

#[test]
fn what_the_forge_does_not_tell_keeps_the_gates_shut_with_its_reason_and_stops_no_way_back() {
    assert_eq!(judged(&sighting(), false), Verdict::Go(()));
    let unread = Sighting { unread: vec!["who pushed".into()], ..sighting() };
    assert_eq!(judged(&unread, false), Verdict::Wait(vec![Reason::Unread(vec!["who pushed".into()])]));
    assert_eq!(judged(&unread, true), Verdict::Go(()));
    let said = Waiting::Unread { what: vec!["@all <b>".into()] }.to_string();
    assert_eq!(said, "Waiting for the forge to tell what it does not tell now, on which this rests; it is asked again by itself: `@all <b>`.");
}
