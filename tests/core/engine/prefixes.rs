//! Whatever happens in whatever order: every prefix of the journal recovers, nothing merges early, and it all comes to rest.

use super::{
    plans,
    world::{World, ask_words, mr},
};
use proptest::prelude::*;
use std::collections::BTreeSet;
use trueup::core::{
    gate::{Except, LeftOut},
    model::{CommitId, Digest, Policy, ResourceId, Saw, StepId, Time, User},
    plan::Step,
    review::{Command, CommentId, MrState, Phase, Right},
    run::{At, Change, ClaimAnswer, Effect, Event, Input, MergeAnswer, PlanResult, Sample},
};

#[derive(Clone, Debug)]
enum Deed {
    Answer { which: usize, how: u8 },
    Say(u8),
    Push,
    BaseMoves,
    Draft(bool),
    Close(bool),
    Edit(u8),
    Pass(u16),
    Jump(i32),
    Halt(bool),
    Crash,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        12 => (any::<usize>(), any::<u8>()).prop_map(|(which, how)| Deed::Answer { which, how }),
        4 => (0u8..12).prop_map(Deed::Say),
        1 => Just(Deed::Push),
        1 => Just(Deed::BaseMoves),
        1 => any::<bool>().prop_map(Deed::Draft),
        1 => any::<bool>().prop_map(Deed::Close),
        1 => (0u8..3).prop_map(Deed::Edit),
        3 => (0u16..5000).prop_map(Deed::Pass),
        1 => (-7_200_000i32..7_200_000).prop_map(Deed::Jump),
        1 => any::<bool>().prop_map(Deed::Halt),
        2 => Just(Deed::Crash),
    ]
}

fn command(which: u8) -> Command {
    match which {
        0 | 1 => Command::Approve { digest: None, steps: Vec::new() },
        2 => Command::Start,
        3 => Command::Pause,
        4 => Command::Resume,
        5 => Command::Retry,
        6 => Command::Skip { step: StepId(1), until: None, reason: "later".to_owned() },
        7 => Command::Abort,
        8 => Command::Restore,
        _ => Command::Plan,
    }
}

fn answer(world: &mut World, which: usize, how: u8) {
    let open: Vec<(String, Effect)> = world.open.iter().filter(|(_, effect)| !matches!(effect, Effect::Show(_) | Effect::Wake(_))).map(|(a, e)| (a.clone(), e.clone())).collect();
    if open.is_empty() {
        return;
    }
    match open[which % open.len()].1.clone() {
        Effect::Look => world.see(),
        Effect::Replan { restore: true, .. } => {
            let policy = world.next_plan.1.clone();
            world.plan(PlanResult::Plan { plan: plans::back(world.change.ledger().written()), policy });
        }
        Effect::Replan { .. } => {
            let words: &[&str] = match how % 6 {
                0 | 1 => &["a=1>2+b=->3", "c=1>2", "d=1>2", "edge=1.0>2.0", "edge=2>3@healthy", "probe=/a@2s/4s:a,c", "own=/c:c"],
                2 => &["a=1>2", "b=->3", "c=1>2", "edge=1>3@2s"],
                3 => &["keep=a"],
                4 => return world.plan(PlanResult::Failed { why: "nothing answered".to_owned() }),
                _ => return world.plan(PlanResult::Conflicted(vec!["dns/a.yaml".into()])),
            };
            let (plan, policy) = plans::read(words);
            world.plan(PlanResult::Plan { plan, policy });
        }
        Effect::Observe { ask, .. } => world.read(&ask_words(&ask), how.is_multiple_of(8).then_some("timed out")),
        Effect::Probe { n, probe } => {
            let saw = [Saw::Good("well".into()), Saw::Good("well".into()), Saw::Bad("ill".into()), Saw::Nothing("silent".into())][usize::from(how % 4)].clone();
            world.hear(&[Input::Probed { probe: probe.key(), n, saw }]);
        }
        Effect::Act { step, attempt, .. } => {
            let word = ["done", "done", "done", "lost", "unsent", "busy", "denied"][usize::from(how % 7)];
            world.act(&format!("{step}.{attempt}"), &[word]);
        }
        Effect::Claim { n, .. } if how.is_multiple_of(4) => world.hear(&[Input::Claimed { n, answer: ClaimAnswer::Queued { ahead: Vec::new() } }]),
        Effect::Claim { n, .. } => world.hear(&[Input::Claimed { n, answer: ClaimAnswer::Granted }]),
        Effect::Unclaim => world.hear(&[Input::Unclaimed]),
        Effect::Halt(on) => world.hear(&[Input::Halt(on)]),
        Effect::Reply { to, text, .. } => world.hear(&[Input::Replied { to, text }]),
        Effect::Merge(ticket) => match how % 5 {
            0 => world.merge(MergeAnswer::Moved { why: "base moved".to_owned() }),
            1 => world.merge(MergeAnswer::Refused { transient: true, why: "busy".to_owned() }),
            2 => world.merge(MergeAnswer::waits("another replica merges first")),
            _ => world.merge(MergeAnswer::Merged { commit: CommitId::new("m1"), parents: Vec::new(), tree: ticket.tree().clone() }),
        },
        Effect::Show(_) | Effect::Wake(_) => {}
    }
}

fn act(world: &mut World, deed: &Deed) {
    match deed {
        Deed::Answer { which, how } => answer(world, *which, *how),
        // Somebody else exempts what bob skipped, as far as it is shown.
        Deed::Say(10..) => {
            if let Some(shown) = world.change.exemption() {
                let command = Command::Approve { digest: Some(shown.except.digest.to_string()), steps: Vec::new() };
                world.hear(&[Input::Command { by: User::new("carl"), right: Right::Approve, command, plan: None }]);
            }
        }
        Deed::Say(which) => {
            let plan = world.change.digest();
            world.hear(&[Input::Command { by: User::new("bob"), right: Right::Approve, command: command(*which), plan }]);
        }
        Deed::Push => {
            world.sighting.head = CommitId::new(format!("{}'", world.sighting.head));
            world.see();
        }
        Deed::BaseMoves => {
            world.sighting.base = CommitId::new(format!("{}'", world.sighting.base));
            world.see();
        }
        Deed::Draft(draft) => {
            world.sighting.draft = *draft;
            world.see();
        }
        Deed::Close(closed) => {
            if !matches!(world.sighting.state, MrState::Merged { .. }) {
                world.sighting.state = if *closed { MrState::Closed } else { MrState::Open };
                world.see();
            }
        }
        Deed::Edit(which) => drop(world.live.insert(plans::id(["a", "b", "c"][usize::from(*which)]), trueup::core::model::Value::str("9"))),
        Deed::Pass(by) => {
            let until = Time(world.now.0 + i64::from(*by));
            if let Some(Effect::Wake(at)) = world.open.get("wake").cloned().filter(|effect| matches!(effect, Effect::Wake(at) if *at <= until)) {
                world.now = world.now.max(at);
                world.hear(&[Input::Tick]);
            } else {
                world.now = until;
            }
        }
        Deed::Jump(by) => {
            world.now = Time(world.now.0 + i64::from(*by));
            world.hear(&[Input::Tick]);
        }
        Deed::Halt(on) => world.hear(&[Input::Halt(*on)]),
        Deed::Crash => world.crash(),
    }
}

/// What the plan on the desk asks for and no run of the change has proven: nothing, but for what was skipped.
fn left_out(change: &Change) -> BTreeSet<ResourceId> {
    let (ledger, plan) = (change.ledger(), change.plan().expect("what merges has a plan"));
    let ran = *ledger.plan() == **plan;
    let open = |step: &Step| {
        let writes = (0..).zip(step.writes()).filter(|(item, _)| !ran || ledger.items(step.id)[*item] != At::Proven);
        writes.map(|(_, write)| write.id.clone()).collect::<Vec<_>>()
    };
    plan.steps.values().flat_map(open).collect()
}

/// What every journal must show, however it came about.
fn judge(world: &World) {
    let mut change = Change::open(mr());
    let mut good = 0;
    let (mut exempted, mut asked_before) = (None, Vec::new());
    for (at, event) in world.journal.iter().enumerate() {
        change.evolve(event).unwrap_or_else(|illegal| panic!("event {at}: {illegal}"));
        drop(change.due());
        match event {
            Event::Sampled { sample: Sample::Good, .. } => good += 1,
            Event::Sampled { .. } | Event::ActIntended { .. } => good = 0,
            Event::Started { .. } | Event::Retried { .. } | Event::Skipped { .. } | Event::GaveUp { .. } => exempted = None,
            Event::Exempted { by, digest, .. } => {
                assert_eq!(by, &User::new("carl"), "whoever skipped exempted");
                exempted = Some(*digest);
            }
            // One that was lost is asked about again, whatever is planned and run since, and that merges nothing.
            Event::MergeAsked { pin, .. } if asked_before.contains(pin) => {}
            Event::MergeAsked { pin, at: asked } => {
                asked_before.push(pin.clone());
                assert!(good >= 1, "merged without a good sample since the last write");
                let left = left_out(&change);
                let named: BTreeSet<ResourceId> = pin.except.iter().flat_map(|except| &except.items).filter_map(|item| item.id.clone()).collect();
                assert_eq!(named, left, "I13: the ticket names exactly what is not done");
                if let Some(except) = &pin.except {
                    assert_eq!(Some(except.digest), exempted, "nobody approved what the ticket leaves out");
                    assert!(except.until().is_none_or(|until| until > *asked), "what it leaves out could be left out no longer");
                }
            }
            _ => {}
        }
        if change.phase() == Phase::Merged {
            assert!(matches!(event, Event::MergeAnswered { .. }) || at > 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    /// I7: the journal is the state. `World::hear` compares the fold of the whole journal, and what is due after it, at every turn.
    #[test]
    fn every_prefix_of_a_journal_recovers_to_the_live_change_and_its_open_effects(deeds in prop::collection::vec(deed(), 1..120)) {
        let mut world = World::new();
        for name in ["a", "c", "d"] {
            world.live.insert(plans::id(name), trueup::core::model::Value::str("1"));
        }
        for deed in &deeds {
            act(&mut world, deed);
        }
        judge(&world);
    }
}

/// A change of which one item was skipped, and the other is done.
fn skipped() -> World {
    let mut world = World::new();
    for line in ["see", "plan a=1>2 b=1>2", "say bob approve", "claims granted", "read start", "act 1.1 denied", "act 2.1 done", "read proof", "say bob skip 1 later"] {
        super::verbs::run(&mut world, line);
    }
    world
}

#[test]
fn a_skip_of_an_older_version_names_no_time_and_is_read_as_policys() {
    let world = skipped();
    let old = |event: &Event| {
        let mut json = serde_json::to_value(event).expect("it is JSON");
        if let Some(skip) = json.get_mut("skipped").and_then(serde_json::Value::as_object_mut) {
            assert!(skip.remove("until").is_some() && skip.remove("at").is_some(), "older versions had neither");
        }
        serde_json::from_value::<Event>(json).expect("it is read")
    };
    let events: Vec<Event> = world.journal.iter().map(old).collect();
    assert!(events != world.journal, "one of them is a skip");
    let change = Change::recover(mr(), &events).expect("it happened");
    let exemption = change.exemption().expect("it waits for one");
    assert_eq!((exemption.except.items.len(), exemption.missing), (1, 1));
    assert_eq!(exemption.except.until(), Some(world.now + Policy::default().exemption));
}

#[test]
fn what_an_exemption_is_of_names_it() {
    let digest = |by: &str, reason: &str, until: i64| {
        let item = LeftOut { step: StepId(1), item: 0, id: Some(plans::id("a")), by: User::new(by), reason: reason.to_owned(), until: Time(until) };
        Except::of(Digest([1; 32]), vec![item]).digest
    };
    let all = [digest("bob", "later", 1), digest("carl", "later", 1), digest("bob", "never", 1), digest("bob", "later", 2)];
    assert_eq!(BTreeSet::from(all).len(), all.len());
    assert_ne!(Except::of(Digest([1; 32]), Vec::new()).digest, Except::of(Digest([2; 32]), Vec::new()).digest, "of another plan it is another");
}

#[test]
fn what_older_versions_told_nobody_in_one_text_that_grew_is_not_said_once_more() {
    let said = |text: &str| Event::Replying { to: CommentId::NOBODY, text: text.to_owned(), overrides: Vec::new(), upshot: None };
    let owed = |events: &[Event]| {
        let change = Change::recover(mr(), events).expect("it happened");
        let texts = change.due().into_iter().filter_map(|effect| if let Effect::Reply { text, .. } = effect { Some(text) } else { None });
        texts.collect::<Vec<_>>()
    };
    let told = Event::Replied { to: CommentId::NOBODY };
    assert_eq!(owed(&[said("a"), said("a\n\nb")]), ["a\n\nb"]);
    assert_eq!(owed(&[said("a"), said("a\n\nb"), told.clone()]), [""; 0]);
    // Two that are two stay two, each answered for itself.
    assert_eq!(owed(&[said("a"), said("ab"), told.clone()]), ["ab"]);
    assert_eq!(owed(&[said("a"), said("ab"), told.clone(), told]), [""; 0]);
}
