//! The rungs, from an empty world to crashes.

use super::{
    climb::{Desired, act, act_together, act_without, apply, assert_settled, converge, cx, live, none, observe, plan, some, try_observe, wants},
    world::{Lost, World, skip},
};
use trueup::core::{
    model::{FactValue, Health, Observed, Reading, ResourceId},
    plan::Write,
    run::Item,
};

/// Resources a rung works on: one of each kind the world knows, and some twice.
const N: usize = 10;

pub async fn an_empty_world_observes_empty(world: &dyn World) {
    for observed in observe(world, &none(world, N)).await {
        assert_eq!(live(&observed), None, "{}", observed.id);
        assert_eq!(observed.health, Health::NotAsked, "no fact was asked");
    }
    assert_eq!(world.effects(), 0, "observing writes nothing");
}

pub async fn create_then_replan_is_empty(world: &dyn World) {
    let desired = some(world, N, 0);
    assert_eq!(apply(world, &desired).await.len(), N);
    assert_settled(world, &desired).await;
}

pub async fn update_then_replan_is_empty(world: &dyn World) {
    apply(world, &some(world, N, 0)).await;
    for version in 1..4 {
        let desired = some(world, N, version);
        assert_eq!(apply(world, &desired).await.len(), N);
        assert_settled(world, &desired).await;
    }
}

pub async fn delete_twice_succeeds(world: &dyn World) {
    let before = world.raw();
    let desired = some(world, N, 0);
    apply(world, &desired).await;
    let deletes = plan(world, &none(world, N)).await;
    assert!(act(world, &deletes).await.items.iter().all(|item| *item == Item::Done));
    let again = act(world, &deletes).await;
    assert!(again.items.iter().all(|item| *item == Item::Already), "{again:?}");
    assert_settled(world, &none(world, N)).await;
    assert_eq!(world.raw(), before);
}

pub async fn the_same_step_twice_is_once(world: &dyn World) {
    let writes = apply(world, &some(world, N, 0)).await;
    let (after, effects) = (world.raw(), world.effects());
    let again = act(world, &writes).await;
    assert!(again.items.iter().all(|item| *item == Item::Already), "{again:?}");
    assert_eq!(world.raw(), after);
    let updates = plan(world, &some(world, N, 1)).await;
    act(world, &updates).await;
    let after = world.raw();
    let again = act(world, &updates).await;
    assert!(again.items.iter().all(|item| *item == Item::Already), "{again:?}");
    assert_eq!(world.raw(), after);
    assert!(effects > 0, "the first time wrote");
}

pub async fn a_stale_precondition_is_refused_and_the_world_unchanged(world: &dyn World) {
    apply(world, &some(world, 3, 0)).await;
    let writes = plan(world, &some(world, 3, 1)).await;
    let theirs: Vec<_> = (0..3).map(|n| world.value(n, 2)).collect();
    for (n, value) in theirs.iter().enumerate() {
        world.by_hand(&world.id(n), Some(value));
    }
    let before = world.raw();
    let outcome = act(world, &writes).await;
    for (item, value) in outcome.items.iter().zip(theirs) {
        assert_eq!(*item, Item::Moved(Some(value)));
    }
    assert_eq!(world.raw(), before);
    // Deleted meanwhile, and created meanwhile.
    world.by_hand(&world.id(0), None);
    let create = Write { from: None, to: Some(world.value(1, 1)), ..writes[1].clone() };
    let before = world.raw();
    let outcome = act(world, &[writes[0].clone(), create]).await;
    assert_eq!(outcome.items, [Item::Moved(None), Item::Moved(Some(world.value(1, 2)))]);
    assert_eq!(world.raw(), before);
}

pub async fn a_lost_reply_is_found_by_observing_without_a_second_effect(world: &dyn World) {
    if !world.can_lose() {
        return skip(world, "a lost reply is found by observing", "nothing is sent that could be lost");
    }
    let desired = some(world, N, 0);
    let writes = plan(world, &desired).await;
    let before = world.raw();
    world.lose(Lost::Request);
    let outcome = act(world, &writes).await;
    assert!(outcome.items.iter().all(|item| *item == Item::Unknown), "{outcome:?}");
    assert_eq!(world.raw(), before);
    world.lose(Lost::Reply);
    let outcome = act(world, &writes).await;
    assert!(outcome.items.iter().all(|item| *item == Item::Unknown), "{outcome:?}");
    let (after, effects) = (world.raw(), world.effects());
    assert_ne!(after, before);
    assert_settled(world, &desired).await;
    assert_eq!((world.raw(), world.effects()), (after, effects), "found by reading alone");
}

pub async fn partial_failure_leaves_an_observable_state(world: &dyn World) {
    apply(world, &some(world, N, 0)).await;
    let writes = plan(world, &some(world, N, 1)).await;
    world.by_hand(&world.id(2), Some(&world.value(2, 3)));
    world.by_hand(&world.id(5), Some(&world.value(5, 1)));
    let outcome = act(world, &writes).await;
    for (n, item) in outcome.items.iter().enumerate() {
        let expected = match n {
            2 => Item::Moved(Some(world.value(2, 3))),
            5 => Item::Already,
            _ => Item::Done,
        };
        assert_eq!(*item, expected, "item {n} of {outcome:?}");
    }
    let mut now = some(world, N, 1);
    now[2].1 = Some(world.value(2, 3));
    assert_settled(world, &now).await;
    let Some((forbidden, value)) = world.forbidden() else {
        return skip(world, "partial failure by a refusal", "nothing here can be forbidden");
    };
    let mut desired = some(world, N, 2);
    desired.insert(4, (forbidden.clone(), Some(value)));
    let writes = plan(world, &desired).await;
    let outcome = act(world, &writes).await;
    for (write, item) in writes.iter().zip(&outcome.items) {
        match item {
            Item::Refused(refusal) => assert!(write.id == forbidden && refusal.advice.is_some(), "{refusal}"),
            item => assert!(write.id != forbidden && *item == Item::Done, "{} is {item:?}", write.id),
        }
    }
    assert_settled(world, &some(world, N, 2)).await;
}

pub async fn a_group_is_written_whole_or_not_at_all(world: &dyn World) {
    if !world.keeps_groups() {
        return skip(world, "groups", "nothing here is asked for all or none");
    }
    apply(world, &some(world, N, 0)).await;
    let writes = plan(world, &some(world, N, 1)).await;
    world.by_hand(&world.id(2), Some(&world.value(2, 3)));
    let before = world.raw();
    let outcome = act_together(world, &writes).await;
    for (n, item) in outcome.items.iter().enumerate() {
        match item {
            Item::Moved(found) => assert!(n == 2 && *found == Some(world.value(2, 3)), "{outcome:?}"),
            Item::Refused(refusal) => assert!(n != 2 && refusal.advice.is_some(), "{refusal}"),
            other => panic!("item {n} is {other:?}"),
        }
    }
    assert_eq!(world.raw(), before, "nothing of the group is written without the rest");
    world.by_hand(&world.id(2), Some(&world.value(2, 1)));
    let outcome = act_together(world, &writes).await;
    let done = |(n, item): (usize, &Item)| *item == if n == 2 { Item::Already } else { Item::Done };
    assert!(outcome.items.iter().enumerate().all(done), "{outcome:?}");
    if let Some((forbidden, value)) = world.forbidden() {
        let mut desired = some(world, N, 2);
        desired.insert(4, (forbidden, Some(value)));
        let (writes, before) = (plan(world, &desired).await, world.raw());
        let outcome = act_together(world, &writes).await;
        assert!(outcome.items.iter().all(|item| matches!(item, Item::Refused(_))), "{outcome:?}");
        assert_eq!(world.raw(), before, "what may not be written keeps its group from being");
    }
}

pub async fn unmanaged_neighbours_are_untouched(world: &dyn World) {
    let (ours, theirs) = (N, 2 * N);
    for n in ours..theirs {
        world.by_hand(&world.id(n), Some(&world.value(n, 0)));
    }
    let before = world.raw();
    apply(world, &some(world, ours, 0)).await;
    apply(world, &some(world, ours, 1)).await;
    apply(world, &none(world, ours)).await;
    assert_eq!(world.raw(), before);
}

pub async fn drift_by_hand_is_seen(world: &dyn World) {
    let desired = some(world, 3, 0);
    apply(world, &desired).await;
    world.by_hand(&world.id(0), Some(&world.value(0, 1)));
    world.by_hand(&world.id(1), None);
    let seen = observe(world, &desired).await;
    assert_eq!(live(&seen[0]), Some(world.value(0, 1)));
    assert_eq!(live(&seen[1]), None);
    assert_eq!(live(&seen[2]), Some(world.value(2, 0)));
}

pub async fn health_settles(world: &dyn World) {
    if world.driver().kind().health().is_empty() {
        return skip(world, "health settles", "this kind has none: being equal is enough");
    }
    let desired = some(world, 3, 0);
    let ask = async || world.driver().observe(&cx(), &wants(&desired), &["answered_by_all".into()]).await.expect("the server can be read");
    for observed in ask().await {
        assert!(matches!(&observed.health, Health::InProgress(why) if !why.is_empty()), "{} is {:?} before it is there", observed.id, observed.health);
        assert_eq!(observed.facts.get("answered_by_all"), Some(&FactValue::Bool(false)));
    }
    apply(world, &desired).await;
    for observed in ask().await {
        assert_eq!(observed.health, Health::Current, "{}", observed.id);
        assert_eq!(observed.facts.get("answered_by_all"), Some(&FactValue::Bool(true)));
    }
    skip(world, "failed health is terminal", "a name server that lags never says that it gave up");
}

pub async fn observation_order_is_stable(world: &dyn World) {
    apply(world, &some(world, N, 0)).await;
    let mut asked = some(world, N, 0);
    asked.reverse();
    asked.swap(0, 3);
    let ids = |seen: &[Observed]| seen.iter().map(|observed| observed.id.clone()).collect::<Vec<_>>();
    let content = |seen: Vec<Observed>| seen.into_iter().map(|observed| (observed.id, observed.reading)).collect::<Vec<_>>();
    let first = observe(world, &asked).await;
    assert_eq!(ids(&first), asked.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(), "in the order asked");
    assert_eq!(content(first), content(observe(world, &asked).await));
}

pub async fn what_plan_rejects_is_what_the_server_refuses(world: &dyn World) {
    for (id, value) in world.unholdable() {
        let seen = try_observe(world, &vec![(id.clone(), Some(value.clone()))]).await.expect("a bad want is no fault of the world");
        let Reading::Seen { merged: Err(refusal), .. } = &seen[0].reading else { panic!("{id} = {value} is not refused") };
        assert!(refusal.advice.is_some(), "{refusal} says what to do");
        match world.server_takes(&id, &value) {
            Some(taken) => assert!(!taken, "the server holds {id} = {value}, so refusing it is wrong"),
            None => skip(world, "the server refuses it as well", "the value cannot even be sent"),
        }
    }
    // The other way round: what plan accepts, the server takes, for every kind of value.
    apply(world, &some(world, N, 0)).await;
}

pub async fn a_crash_before_or_after_each_call_converges(world: &dyn World) {
    for (version, lost) in [(0, Some(Lost::Request)), (1, Some(Lost::Reply)), (2, None)] {
        let desired = some(world, N, version);
        // A crash after observing: what was seen is forgotten.
        plan(world, &desired).await;
        if let Some(lost) = lost.filter(|_| world.can_lose()) {
            world.lose(lost);
        }
        // A crash in the act (its request or its reply is gone), or after it.
        let writes = plan(world, &desired).await;
        act(world, &writes).await;
        converge(world, &desired).await;
        assert_settled(world, &desired).await;
        // The journal knows the old plan only: running it again changes nothing.
        let before = world.raw();
        let again = act(world, &writes).await;
        assert!(again.items.iter().all(|item| *item == Item::Already), "{again:?}");
        assert_eq!(world.raw(), before);
    }
    let gone = none(world, N);
    if world.can_lose() {
        world.lose(Lost::Reply);
    }
    converge(world, &gone).await;
    assert_settled(world, &gone).await;
}

pub async fn skipped_items_are_not_tried(world: &dyn World) {
    let desired: Desired = some(world, 4, 0);
    let writes = plan(world, &desired).await;
    let outcome = act_without(world, &writes, &[1, 3]).await;
    assert_eq!(outcome.items, [Item::Done, Item::NotTried, Item::Done, Item::NotTried]);
    let rest: Vec<ResourceId> = plan(world, &desired).await.into_iter().map(|write| write.id).collect();
    assert_eq!(rest, [world.id(1), world.id(3)]);
}

pub async fn the_census_lists_everything_live(world: &dyn World) {
    let Some(census) = world.driver().census() else {
        return skip(world, "the census lists everything live", "this driver cannot list");
    };
    let before = census.list(&cx(), &world.unit()).await.expect("the unit can be listed");
    apply(world, &some(world, N, 0)).await;
    let listed = census.list(&cx(), &world.unit()).await.expect("the unit can be listed");
    assert_eq!(listed.len(), before.len() + N);
    for n in 0..N {
        let found = listed.iter().find(|observed| observed.id == world.id(n)).expect("it is listed");
        assert_eq!(live(found), Some(world.value(n, 0)));
    }
    assert!(listed.is_sorted_by_key(|observed| &observed.id));
}
