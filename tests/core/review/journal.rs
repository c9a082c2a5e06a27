//! The journal in words: when, who, what, and repeats told once.

use trueup::core::{
    model::{CommitId, Time, TreeId, User},
    review::{Check, MrState, Sighting, words},
    run::{Event, PlanAnswer, PlanKey, PlanResult, PlanWhy, Stop},
};

fn sighting(head: &str, base: &str) -> Sighting {
    Sighting { head: CommitId::new(head), base: CommitId::new(base), ..crate::fixture::sighting() }
}

fn saw(sighting: Sighting, at: i64) -> Event {
    Event::Sighted { sighting: Box::new(sighting), at: Time(at * 1000) }
}

fn conflicted(base: &str, at: i64) -> [Event; 3] {
    let key = PlanKey { base: CommitId::new(base), head: CommitId::new("h1"), tree: TreeId::new("") };
    let answer = PlanAnswer { key, restore: false, result: PlanResult::Conflicted(vec!["zones/a.yaml".into()]), way_back: None };
    let asked = Event::ReplanAsked { base: CommitId::new(base), head: CommitId::new("h1"), restore: false, why: PlanWhy::Moved, at: Some(Time(at * 1000)) };
    [saw(sighting("h1", base), at), asked, Event::Planned { answer: Box::new(answer), at: Time(at * 1000) }]
}

fn told(events: &[Event]) -> String {
    let line = |row: &words::Row| {
        let again = if row.times > 1 { format!(" ×{} until {}", row.times, row.until.map(|at| at.to_string()).unwrap_or_default()) } else { String::new() };
        format!("{} {} {}: {}{again}\n", row.seq, row.at.map(|at| at.to_string()).unwrap_or_default(), row.who.as_ref().map_or("-", User::as_str), row.text)
    };
    words::journal(events).iter().map(line).collect()
}

#[test]
fn what_repeats_around_a_moving_base_is_told_once() {
    let events: Vec<Event> = (1..=5).flat_map(|n| conflicted(&format!("b{n}"), 60 * n)).collect();
    insta::assert_snapshot!(told(&events), @r"
    1 1970-01-01T00:01:00Z -: saw head `h1` on base `b1`
    2 1970-01-01T00:01:00Z -: planning head `h1` ×5 until 1970-01-01T00:05:00Z
    3 1970-01-01T00:01:00Z -: conflicted: 1 path ×5 until 1970-01-01T00:05:00Z
    4 1970-01-01T00:02:00Z -: the base branch moved ×4 until 1970-01-01T00:05:00Z
    ");
}

#[test]
fn a_look_tells_only_what_is_new() {
    let mut checked = sighting("h2", "b1");
    checked.checks.insert("ci/test".into(), Check::Success);
    let closed = Sighting { state: MrState::Closed, draft: true, ..checked.clone() };
    let events = [
        saw(sighting("h1", "b1"), 1),
        saw(sighting("h1", "b1"), 2),
        saw(sighting("h2", "b1"), 3),
        saw(checked, 4),
        saw(closed, 5),
        Event::Stopping { why: Stop::Restore(User::new("ben")), at: Some(Time(6000)) },
        Event::Freed { by: User::new("ben"), reason: "the `pool` is gone".into(), at: Some(Time(7000)) },
    ];
    insta::assert_snapshot!(told(&events), @r"
    1 1970-01-01T00:00:01Z -: saw head `h1` on base `b1`
    3 1970-01-01T00:00:03Z -: saw the new head `h2`
    4 1970-01-01T00:00:04Z -: `ci/test` passed
    5 1970-01-01T00:00:05Z -: it is a draft now; it was closed
    6 1970-01-01T00:00:06Z ben: asked to restore
    7 1970-01-01T00:00:07Z ben: freed what it held: `` the `pool` is gone ``
    ");
}
