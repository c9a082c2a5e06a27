//! The journal as others read it.

use super::{plans, world::World};
use trueup::core::{
    model::{VEIL, Value},
    review::{kept_plain, veiled},
    run::{ClaimAnswer, Effect, Event, Input, PlanResult},
};

/// A run over two resources whose first values, whose drift and whose health say the canary.
fn told() -> World {
    let mut world = World::new();
    world.live.insert(plans::id("www"), Value::str("canary-before"));
    world.live.insert(plans::id("mail"), Value::str("plain-before"));
    let (plan, policy) = plans::read(&["www=canary-before>canary-after", "mail=plain-before>plain-after", "sensitive=*/www/*"]);
    world.see();
    world.plan(PlanResult::Plan { plan, policy });
    world.comment("bob", "/trueup approve");
    world.hear(&[Input::Claimed { n: 1, answer: ClaimAnswer::Granted }]);
    world.read("start 1", None);
    world.live.insert(plans::id("www"), Value::str("canary-by-hand"));
    world.auto();
    world
}

#[test]
fn a_readers_journal_and_every_sentence_keep_sensitive_values_out() {
    let world = told();
    let raw = serde_json::to_string(&world.journal).unwrap();
    assert!(raw.contains("canary-before") && raw.contains("canary-by-hand"), "the run has seen them");
    let read = serde_json::to_string(&veiled(world.journal.clone())).unwrap();
    assert!(!read.contains("canary"), "{read}");
    assert!(read.contains("plain-before") && read.contains(VEIL), "the rest is as it was");
    let view = format!("{:?}{}", world.change.view(world.now).failures, world.change.waits_for());
    assert!(view.contains("live is (sensitive)"), "{view}");
    let shown = world.effects.iter().filter_map(|effect| match effect {
        Effect::Show(face) => Some(format!("{face:?}")),
        _ => None,
    });
    assert!(shown.into_iter().all(|face| !face.contains("canary")), "no comment says them");
    assert_eq!(veiled(world.journal.clone()).len(), world.journal.len());
    assert!(world.journal.iter().any(|event| matches!(event, Event::Planned { .. })));
}

#[test]
fn a_journal_that_keeps_plain_what_is_sensitive_by_now_names_it_and_one_that_hid_it_does_not() {
    let world = told();
    let www = |id: &trueup::core::model::ResourceId| *id == plans::id("www");
    assert_eq!(kept_plain(&world.journal, &www).into_iter().collect::<Vec<_>>(), [plans::id("www")]);
    assert!(kept_plain(&world.journal, &|_| false).is_empty(), "what is not sensitive may be read");
    assert!(kept_plain(&veiled_values(&world.journal), &www).is_empty());
}

/// The journal as it is written since sensitive values are hidden.
fn veiled_values(journal: &[Event]) -> Vec<Event> {
    let hidden = serde_json::to_value(Value::Hidden(Box::new(trueup::core::model::Hidden { mac: "m".into(), secret: None, sealed: None }))).unwrap();
    let plain = |text: &str| serde_json::to_string(&Value::str(text)).unwrap();
    let mut text = serde_json::to_string(journal).unwrap();
    for value in ["canary-before", "canary-after", "canary-by-hand"] {
        text = text.replace(&plain(value), &hidden.to_string());
    }
    serde_json::from_str(&text).unwrap()
}
