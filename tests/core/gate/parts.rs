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
fn what_the_forge_does_not_tell_keeps_the_gates_shut_with_its_reason_and_stops_no_way_back() {
    assert_eq!(judged(&sighting(), false), Verdict::Go(()));
    let unread = Sighting { unread: vec!["who pushed".into()], ..sighting() };
    assert_eq!(judged(&unread, false), Verdict::Wait(vec![Reason::Unread(vec!["who pushed".into()])]));
    assert_eq!(judged(&unread, true), Verdict::Go(()));
    let said = Waiting::Unread { what: vec!["@all <b>".into()] }.to_string();
    assert_eq!(said, "Waiting for the forge to tell what it does not tell now, on which this rests; it is asked again by itself: `@all <b>`.");
}
