//! Scenarios of overrides: each is a list of events and what stands after it.

use trueup::core::{
    drift::{Ending, LONGEST, Override, OverrideEvent, OverrideFault, Overrides, WrittenOver, terms},
    model::{MrId, RepoId, ResourceId, Span, Time, User, Value},
};

const NOON: Time = Time(1_800_000_000_000);

fn id(name: &str) -> ResourceId {
    ResourceId::new("inside", "rrset", format!("example.com./{name}/A"))
}

fn dns() -> Option<RepoId> {
    Some(RepoId::new("dns"))
}

fn mr() -> MrId {
    MrId { repo: RepoId::new("dns"), number: 7 }
}

fn claimed(name: &str, live: Option<&str>, lasts: Span) -> Override {
    let covers = live.map(|live| Value::str(live).fingerprint());
    Override { id: id(name), repo: RepoId::new("dns"), by: User::new("ben"), reason: "moved by hand".into(), until: NOON + lasts, covers, on: None, at: NOON, noticed: false }
}

fn folded(events: &[OverrideEvent]) -> Overrides {
    let mut all = Overrides::default();
    events.iter().for_each(|event| all.apply(event));
    all
}

fn endings(all: &Overrides) -> Vec<(String, Ending)> {
    all.ended().map(|ended| (ended.was.id.name.to_string(), ended.why.clone())).collect()
}

#[test]
fn a_change_ends_exactly_the_override_of_what_it_wrote_over() {
    let (hand, other) = (Value::str("hand"), Value::str("other"));
    let mut all = folded(&[OverrideEvent::Claimed(claimed("www", Some("hand"), Span::mins(60))), OverrideEvent::Claimed(claimed("mail", None, Span::mins(60)))]);
    assert!(all.covering([(&id("www"), Some(&other))]).is_empty(), "something else was there: the override covered none of it");
    assert!(all.covering([(&id("ftp"), Some(&hand))]).is_empty());
    let what = WrittenOver { by: mr(), overrides: all.covering([(&id("www"), Some(&hand)), (&id("mail"), None)]) };
    for event in all.written_over(&what, NOON) {
        all.apply(&event);
    }
    assert_eq!(all.standing().count(), 0);
    let mut ended = endings(&all);
    ended.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(ended, [("example.com./mail/A".into(), Ending::Changed(mr())), ("example.com./www/A".into(), Ending::Changed(mr()))]);
    assert_eq!(all.written_over(&what, NOON), [], "once is enough");
}

#[test]
fn what_is_found_out_late_to_be_written_over_ends_nothing_that_was_claimed_since() {
    let hand = Value::str("hand");
    let mut all = folded(&[OverrideEvent::Claimed(claimed("www", Some("hand"), Span::mins(60)))]);
    let what = WrittenOver { by: mr(), overrides: all.covering([(&id("www"), Some(&hand))]) };
    // The same content, by hand once more after the change wrote something else.
    let again = Override { at: NOON + Span::mins(10), ..claimed("www", Some("hand"), Span::mins(60)) };
    all.apply(&OverrideEvent::Claimed(again));
    assert_eq!(all.written_over(&what, NOON + Span::mins(20)), []);
    // An announcement in between makes it no other.
    let mut all = folded(&[OverrideEvent::Claimed(claimed("www", Some("hand"), Span::mins(60)))]);
    all.due(NOON + Span::mins(45)).iter().for_each(|event| all.apply(event));
    assert_eq!(all.written_over(&what, NOON + Span::mins(46)).len(), 1);
}

#[test]
fn words_heard_again_are_known_whatever_became_of_the_claim_and_of_what_is_live() {
    let first = claimed("www", Some("hand"), Span::mins(60));
    let mut all = folded(&[OverrideEvent::Claimed(first.clone())]);
    let later = Override { covers: None, ..first.clone() };
    assert!(all.was_said(&first) && all.was_said(&later));
    for event in all.due(NOON + Span::mins(60)) {
        all.apply(&event);
    }
    assert_eq!(all.standing().count(), 0);
    assert!(all.was_said(&first), "it is over, and was said all the same");
    for other in [Override { by: User::new("ana"), ..first.clone() }, Override { at: NOON + Span::mins(1), ..first.clone() }, Override { reason: "another".into(), ..first }] {
        assert!(!all.was_said(&other), "{other:?}");
    }
}

#[test]
fn an_end_is_announced_once_and_in_time_and_comes_once() {
    // Of a long one a day before, of a short one when a quarter of its time is left.
    for (lasts, notice) in [(Span::mins(60 * 24 * 10), Span::mins(60 * 24 * 9)), (Span::mins(60), Span::mins(45))] {
        let mut all = folded(&[OverrideEvent::Claimed(claimed("www", Some("hand"), lasts))]);
        let (before, at) = (Time((NOON + notice).0 - 1), NOON + notice);
        assert_eq!((all.next_wake(), all.due(before)), (Some(at), Vec::new()));
        let due = all.due(at);
        assert_eq!(due, [OverrideEvent::Noticed { repo: dns(), id: id("www"), at }]);
        due.iter().for_each(|event| all.apply(event));
        assert_eq!((all.next_wake(), all.due(at)), (Some(NOON + lasts), Vec::new()), "said once");
        let end = NOON + lasts;
        let due = all.due(end);
        assert_eq!(due, [OverrideEvent::Ended { repo: dns(), id: id("www"), why: Ending::Deadline, at: end }]);
        due.iter().for_each(|event| all.apply(event));
        assert_eq!((all.next_wake(), all.due(end)), (None, Vec::new()));
        assert_eq!(endings(&all), [("example.com./www/A".into(), Ending::Deadline)]);
    }
}

#[test]
fn a_server_that_slept_past_both_ends_it_without_an_announcement() {
    let all = folded(&[OverrideEvent::Claimed(claimed("www", Some("hand"), Span::mins(1)))]);
    assert_eq!(all.due(NOON + Span::mins(5)).len(), 1);
}

#[test]
fn claiming_again_replaces_what_was_claimed_and_its_announcement() {
    let again = Override { by: User::new("ana"), ..claimed("www", Some("newer"), Span::mins(120)) };
    let events = [
        OverrideEvent::Claimed(claimed("www", Some("hand"), Span::mins(60))),
        OverrideEvent::Noticed { repo: dns(), id: id("www"), at: NOON },
        OverrideEvent::Claimed(again.clone()),
    ];
    let all = folded(&events);
    assert_eq!(all.get(&RepoId::new("dns"), &id("www")), Some(&again));
    assert!(
        all.get(&RepoId::new("dns"), &id("www")).is_some_and(|known| known.covers(Some(&Value::str("newer"))) && !known.covers(Some(&Value::str("hand"))) && !known.covers(None))
    );
}

#[test]
fn one_repositorys_word_says_nothing_for_anothers_and_a_change_of_either_ends_both() {
    let (web, hand) = (RepoId::new("web"), Value::str("hand"));
    let theirs = Override { repo: web.clone(), by: User::new("ana"), ..claimed("www", Some("hand"), Span::mins(30)) };
    let mut all = folded(&[OverrideEvent::Claimed(claimed("www", Some("hand"), Span::mins(60))), OverrideEvent::Claimed(theirs.clone())]);
    assert_eq!(all.get(&RepoId::new("dns"), &id("www")).map(|known| known.by.clone()), Some(User::new("ben")), "it is not replaced");
    assert_eq!(all.get(&web, &id("www")), Some(&theirs));
    assert_eq!((all.get(&RepoId::new("app"), &id("www")), all.get(&web, &id("mail"))), (None, None));
    assert_eq!(all.due(NOON + Span::mins(30)), [OverrideEvent::Ended { repo: Some(web.clone()), id: id("www"), why: Ending::Deadline, at: NOON + Span::mins(30) }]);
    let over = all.written_over(&WrittenOver { by: mr(), overrides: all.covering([(&id("www"), Some(&hand))]) }, NOON);
    over.iter().for_each(|event| all.apply(event));
    assert_eq!((over.len(), all.standing().count()), (2, 0), "what both covered is there no more");
    let mut all = folded(&[OverrideEvent::Claimed(claimed("www", Some("hand"), Span::mins(60))), OverrideEvent::Claimed(theirs)]);
    let said = all.end(&web, &id("www"), &User::new("ana"), NOON).expect("it stands");
    all.apply(&said);
    assert_eq!(all.standing().map(|known| known.repo.to_string()).collect::<Vec<_>>(), ["dns"]);
}

#[test]
fn records_of_older_versions_that_name_no_repository_speak_of_the_one_there_was() {
    let event = |json: &str| serde_json::from_str::<OverrideEvent>(json).expect("it is read as ever");
    let old =
        [r#"{"noticed":{"id":"inside/rrset/example.com./www/A","at":1800000000000}}"#, r#"{"ended":{"id":"inside/rrset/example.com./www/A","why":"deadline","at":1800000000000}}"#];
    let mut all = folded(&[OverrideEvent::Claimed(claimed("www", Some("hand"), Span::mins(60)))]);
    all.apply(&event(old[0]));
    assert!(all.get(&RepoId::new("dns"), &id("www")).is_some_and(|known| known.noticed));
    all.apply(&event(old[1]));
    assert_eq!((all.standing().count(), endings(&all)), (0, vec![("example.com./www/A".into(), Ending::Deadline)]));
}

#[test]
fn what_does_not_stand_cannot_be_ended_and_facts_about_it_change_nothing() {
    let all = folded(&[OverrideEvent::Noticed { repo: dns(), id: id("www"), at: NOON }, OverrideEvent::Ended { repo: dns(), id: id("www"), why: Ending::Gone, at: NOON }]);
    assert_eq!(all, Overrides::default());
    assert_eq!(all.end(&RepoId::new("dns"), &id("www"), &User::new("ben"), NOON), Err(OverrideFault::None { repo: RepoId::new("dns"), id: id("www") }));
}

#[test]
fn terms_need_a_reason_and_a_time_that_is_near_and_not_over() {
    assert_eq!(terms(" tonight ", "2h", NOON), Ok(("tonight".into(), NOON + Span::mins(120))));
    assert_eq!(terms("x", "2027-01-16", NOON).map(|(_, until)| until.to_string()), Ok("2027-01-17T00:00:00Z".into()), "a day is over at its end");
    assert_eq!(terms("x", "2027-01-15T18:00:00+01:00", NOON).map(|(_, until)| until.to_string()), Ok("2027-01-15T17:00:00Z".into()));
    assert_eq!(terms(" ", "2h", NOON), Err(OverrideFault::NoReason));
    assert_eq!(terms(&"x".repeat(501), "2h", NOON), Err(OverrideFault::LongReason));
    assert_eq!(terms("x", "soon", NOON), Err(OverrideFault::NoTime { text: "soon".into() }));
    assert_eq!(terms("x", "0s", NOON), Err(OverrideFault::Over { until: NOON }));
    assert_eq!(terms("x", "91d", NOON), Err(OverrideFault::TooFar { until: NOON + Span::mins(91 * 24 * 60) }));
    assert!(terms("x", "90d", NOON).is_ok_and(|(_, until)| until - NOON == LONGEST));
}
