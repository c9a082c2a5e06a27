//! Plans of merge requests that follow others: what those took from where caches still lead waits as it would have in one of them.

use super::{
    earlier::{elapsed, lines, rolled},
    systems::read,
    toy::{World, toys},
};
use insta::assert_snapshot;
use proptest::{collection::vec, prelude::*};
use trueup::core::{
    model::{MrId, RepoId, Rollout, Span, Time},
    plan::{Act, EdgeReason, Needs, Plan, Remembered, kept, past},
};

const BASE: [&str; 2] = ["old A 300 192.0.2.1", "www CNAME 600 old.example.com."];
const MOVED: [&str; 3] = ["old A 300 192.0.2.1", "new A 300 192.0.2.2", "www CNAME 600 new.example.com."];
const GONE: [&str; 2] = ["new A 300 192.0.2.2", "www CNAME 600 new.example.com."];

fn mr(number: u64) -> MrId {
    MrId { repo: RepoId::new("dns"), number }
}

/// What the steps of a plan leave in caches, the one with number n proven in minute n.
fn left(plan: &Plan) -> Vec<Remembered> {
    let all: std::collections::BTreeSet<u32> = (0..100).collect();
    plan.steps.keys().flat_map(|step| Remembered::of(plan, (*step, &all), &mr(1), Time(i64::from(step.0) * 60_000), &|id| toys(id))).collect()
}

/// The next merge request, at this moment.
fn next(base: &[&str], merged: &[&str], left: Vec<Remembered>, now: Time) -> World {
    let mut world = rolled(base, merged, Rollout::Wait);
    world.past = past(Vec::new(), left, &mr(2), now);
    world.now = now;
    world
}

#[test]
fn what_the_merge_request_before_took_from_where_caches_lead_goes_once_they_forget() {
    let first = rolled(&BASE, &MOVED, Rollout::Wait).plan();
    let moves = first.steps.values().find(|step| step.writes().iter().any(|write| write.id.name.ends_with("/www/CNAME"))).unwrap().id;
    let since = Time(i64::from(moves.0) * 60_000);
    let rows = left(&first);
    assert_eq!(rows.iter().map(|row| (row.until, row.wrote.len())).collect::<Vec<_>>(), [(since + Span::mins(10), 1)], "what is new leaves nothing behind");
    let world = next(&MOVED, &GONE, rows.clone(), since + Span::mins(1));
    let plan = world.plan();
    assert_snapshot!(read(&plan));
    assert_eq!(elapsed(&plan), [(Some(since), Span::mins(10))]);
    // Approving it is approving the same once they have forgotten, and nothing is waited for then.
    let later = next(&MOVED, &GONE, rows.clone(), since + Span::mins(10)).plan();
    assert!(!later.steps.values().any(|step| matches!(step.act, Act::Earlier(_))) && elapsed(&later).is_empty());
    assert!(kept(&plan.leaves(), &later.leaves()).covers_all() && later.loosened(&plan).is_empty());
    // What a change wrote itself is known from its own journal.
    assert_eq!(past(Vec::new(), rows.clone(), &mr(1), since), []);
    // Whoever asks for nothing that they lead to waits for nothing.
    let beside = next(&MOVED, &["old A 300 192.0.2.9", "new A 300 192.0.2.2", "www CNAME 600 new.example.com."], rows.clone(), since);
    assert_eq!(elapsed(&beside.plan()), []);
    let mut at_once = next(&MOVED, &GONE, rows, since);
    at_once.policy.rollout = Rollout::AtOnce;
    assert_eq!(elapsed(&at_once.plan()), [], "policy says that nobody waits");
}

#[test]
fn a_row_of_what_is_remembered_is_read_as_it_was_written() {
    let rows = left(&rolled(&BASE, &MOVED, Rollout::Wait).plan());
    let text = serde_json::to_string(&rows).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Remembered>>(&text).unwrap(), rows);
    // A journal from before anybody was remembered.
    let old = r#"{"id":"inside/rrset/example.com./www/CNAME","from":null,"to":null,"at":5,"healthy":false}"#;
    let read: trueup::core::plan::Earlier = serde_json::from_str(old).unwrap();
    assert!(read.other.is_none() && serde_json::to_string(&read).unwrap() == old);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever asks for the same in two merge requests, the second when the first is merged, waits for caches as whoever asks in one.
    #[test]
    fn two_merge_requests_wait_as_long_as_one(hosts in vec((0u8..3, 0u8..3), 4..5), aliases in vec((0u8..5, 0u8..5), 4..5), seconds in 0i64..400) {
        let (base, merged) = (lines(&hosts, &aliases, false), lines(&hosts, &aliases, true));
        // In between nothing is removed that was there.
        let name = |line: &String| line.split(' ').take(2).map(str::to_owned).collect::<Vec<_>>();
        let is_alias = |line: &&String| line.contains(" CNAME ");
        let kept = base.iter().filter(|line| !is_alias(line)).filter(|line| !merged.iter().any(|other| name(other) == name(line)));
        let between: Vec<&str> = merged.iter().chain(kept).map(String::as_str).collect();
        let (base, merged): (Vec<&str>, Vec<&str>) = (base.iter().map(String::as_str).collect(), merged.iter().map(String::as_str).collect());
        let whole = rolled(&base, &merged, Rollout::Wait).plan();
        let first = rolled(&base, &between, Rollout::Wait).plan();
        let ended = Time(i64::try_from(first.steps.len()).unwrap() * 60_000);
        let now = ended + Span::secs(u64::try_from(seconds).unwrap());
        let second = next(&between, &merged, left(&first), now).plan();
        let id = |plan: &Plan, step, item: u32| match &plan.steps[&step].act {
            Act::Write(writes) => writes[item as usize].id.clone(),
            Act::Earlier(wrote) => wrote[item as usize].id.clone(),
            other => panic!("{other:?}"),
        };
        for edge in whole.edges.iter().chain(&whole.inside).filter(|edge| matches!(edge.reason, EdgeReason::LetsGo { .. })) {
            let Needs::Elapsed(span) = edge.needs else { continue };
            for (before, after) in &edge.items {
                let (wrote, goes) = (id(&whole, edge.before, *before), id(&whole, edge.after, *after));
                let at = first.steps.values().find(|step| step.writes().iter().any(|write| write.id == wrote)).map(|step| Time(i64::from(step.id.0) * 60_000)).unwrap();
                let same = |other: &&trueup::core::plan::Edge| {
                    second.since(other) == Some(at) && other.needs == Needs::Elapsed(span) && other.items.iter().any(|(a, b)| id(&second, other.before, *a) == wrote && id(&second, other.after, *b) == goes)
                };
                let waits = second.edges.iter().any(|other| same(&other) || second.since(other).is_some_and(|since| since > at) && other.items.iter().any(|(_, b)| id(&second, other.after, *b) == goes));
                prop_assert!(waits || at + span <= now, "`{goes}` does not wait for `{wrote}`:\n{}\n{}", read(&whole), read(&second));
            }
        }
        // And what nobody remembers is waited for by nobody.
        for edge in &second.edges {
            if let (Needs::Elapsed(span), Some(since)) = (edge.needs, second.since(edge)) {
                prop_assert!(since + span > now);
            }
        }
        prop_assert!(second.leaves().keys().all(|key| !key.0.starts_with("earlier")));
    }
}

#[test]
fn what_of_a_step_was_not_proven_leaves_nothing_behind() {
    let plan = rolled(&["a CNAME 600 old.example.com.", "b CNAME 600 old.example.com."], &["a CNAME 600 new.example.com.", "b CNAME 600 new.example.com."], Rollout::Wait).plan();
    let step = plan.steps.values().find(|step| step.writes().len() == 2).expect("one session takes both").id;
    let of = |items: &[u32]| {
        let rows = Remembered::of(&plan, (step, &items.iter().copied().collect()), &mr(1), Time(0), &|id| toys(id));
        rows.iter().flat_map(|row| row.wrote.iter().map(|one| one.id.name.to_string())).collect::<Vec<_>>()
    };
    let name = |item: usize| plan.steps[&step].writes()[item].id.name.to_string();
    assert_eq!((of(&[]), of(&[1]), of(&[0, 1])), (Vec::new(), vec![name(1)], vec![name(0), name(1)]));
}
