//! Templates: direct and waves.

use super::toy::{World, id, print, toys};
use insta::assert_snapshot;
use trueup::{
    core::{
        model::{ApprovalRule, HealthRule, HttpProbe, Span},
        plan::{Act, Between, Hold, Match, Plan, Template, Waves, lint},
        render::step_words,
    },
    formats::templates::read,
};

fn waves(size: u32, between: Between, targets: &[&str]) -> Template {
    let r#match = Match { targets: targets.iter().map(|target| (*target).into()).collect(), resources: Vec::new() };
    Template { name: "waves".into(), about: "".into(), r#match, waves: Some(Waves { size, between }) }
}

fn approve() -> Between {
    Between::Approve(ApprovalRule { when: None, count: 1, by: vec!["sre".into()] })
}

/// What a template waits for, as YAML says it.
fn hold(text: &str) -> Hold {
    let text = format!("name: x\nwaves:\n  size: 1\n  between:\n    wait:\n      {text}\n");
    let template = read("plans/x.yaml", text.as_bytes()).unwrap_or_else(|fault| panic!("{fault}"));
    match template.waves.expect("it has waves").between {
        Between::Wait(hold) => hold,
        other => panic!("{other:?} waits for nothing"),
    }
}

#[test]
fn a_wave_is_whole_and_approved_before_the_next_begins() {
    let mut world = World::new("", "box/a = >d\nbox/b = 1\nbox/c = 1\nbag/d = 1\nbag/e = 1");
    world.templates = vec![waves(2, approve(), &[])];
    assert_snapshot!(print(&world.plan()));
}

#[test]
fn a_wait_between_waves_asks_for_the_resources_of_the_wave() {
    let hold = hold("samples: 3\n      every: 1s\n      deadline: 1m\n      fact: served");
    let mut world = World::new("", "box/a = 1\nbox/b = 1");
    world.templates = vec![waves(1, Between::Wait(hold), &[])];
    let plan = world.plan();
    let waits: Vec<_> =
        plan.steps.values().filter_map(|step| if let trueup::core::plan::Act::Wait(until) = &step.act { Some((until.of.clone(), step.deadline)) } else { None }).collect();
    assert_eq!(waits, [(vec![id("box/a")], Span::mins(1))]);
}

#[test]
fn writes_that_are_one_message_stay_in_one_wave() {
    let mut world = World::new("box/a/x = 1\nbox/b/x = 1", "box/a/y = 1\nbox/b/y = 1");
    world.templates = vec![waves(3, Between::Pause, &[])];
    let sizes: Vec<u32> = world.plan().steps.values().map(|step| step.items()).collect();
    assert_eq!(sizes, [2, 1, 2]);
}

#[test]
fn a_template_takes_only_what_it_matches() {
    let mut world = World::new("", "box/a = 1\nbox/b = 1\nother:box/a = 1\nother:box/b = 1");
    world.templates = vec![waves(1, approve(), &["other"])];
    let plan = world.plan();
    let made: Vec<(String, String)> = plan.steps.values().map(|step| (step.template.to_string(), step.target.to_string())).collect();
    let expected = [("waves", "other"), ("direct", "toys"), ("waves", ""), ("waves", "other")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(made, expected);
    assert!(lint(&plan, &toys).is_empty());
}

#[test]
fn templates_that_share_a_unit_and_an_order_make_no_loop() {
    let mut world = World::new("", "box/a = 1\nbox/b = >a\nbox/c = >b");
    let mut template = waves(10, approve(), &[]);
    template.r#match.resources = vec!["toys/toy/box/b/*".into()];
    world.templates = vec![template];
    assert_eq!(world.plan().steps.len(), 3);
}

#[test]
fn the_built_in_templates_parse_as_templates() {
    // Their YAML is read by the formats layer; here it is held that they are the two there are.
    assert_eq!(trueup::core::plan::BUILT_IN.map(|(name, _)| name), ["plans/direct.yaml", "plans/waves.yaml"]);
    assert!(trueup::core::plan::BUILT_IN.iter().all(|(name, text)| text.contains(&format!("name: {}", name.trim_start_matches("plans/").trim_end_matches(".yaml")))));
}

/// Policy with a probe of this name and path, for templates alone.
fn named(world: &mut World, name: &str, path: &str) {
    let http: HttpProbe = serde_json::from_value(serde_json::json!({ "url": format!("http://shop{path}") })).expect("a probe");
    world.policy.health = vec![HealthRule { name: Some(name.into()), http: Some(http), ..HealthRule::default() }];
}

fn shop_between() -> Template {
    waves(1, Between::Wait(hold("probe: shop\n      samples: 2\n      every: 5s\n      deadline: 10m")), &[])
}

/// The plan of a world whose templates took their probes from its policy.
fn asked(world: &mut World) -> Plan {
    let policy = world.policy.clone();
    world.templates.iter_mut().for_each(|template| template.ask(&policy).expect("it is there"));
    world.plan()
}

#[test]
fn a_template_waits_for_a_probe_of_policy_by_its_name() {
    let mut world = World::new("", "box/a = 1\nbox/b = 1");
    named(&mut world, "shop", "/healthz");
    world.templates = vec![shop_between()];
    let plan = asked(&mut world);
    let waits: Vec<_> = plan.steps.values().filter(|step| matches!(step.act, Act::Wait(_))).collect();
    assert_snapshot!(step_words(waits[0]), @"wave 1, wait for shop (GET http://shop/healthz answers 200), 2 times in a row, one every 5s, within 10m, or it stops");
    assert_eq!((waits.len(), waits[0].waits_on().map(|until| until.of.clone())), (1, Some(vec![id("box/a")])));
    assert!(plan.health.is_empty(), "it is for templates alone, so the merge does not wait for it");
    assert!(lint(&plan, &toys).is_empty());
}

#[test]
fn what_a_template_waits_for_is_in_the_digest_by_what_is_asked() {
    let mut world = World::new("", "box/a = 1\nbox/b = 1");
    world.templates = vec![shop_between()];
    let mut digest = |path| {
        named(&mut world, "shop", path);
        asked(&mut world).digest()
    };
    let first = digest("/healthz");
    assert_ne!(digest("/other"), first, "the same name of another question is another plan");
    assert_eq!(digest("/healthz"), first);
}

#[test]
fn a_probe_that_policy_does_not_name_is_refused_and_never_holds() {
    let mut world = World::new("", "box/a = 1\nbox/b = 1");
    world.templates = vec![shop_between()];
    named(&mut world, "shops", "/healthz");
    let fault = world.templates[0].clone().ask(&world.policy).expect_err("there is none");
    assert!(fault.to_string().contains("`policy.health` has no probe named `shop`") && fault.to_string().contains("did you mean `shops`?"), "{fault}");
    assert_eq!(fault.place.as_ref().map(ToString::to_string).as_deref(), Some("plans/x.yaml:6:14"));
    assert!(world.refusals().contains("no probe named `shop`"), "and where nobody took it from policy, nothing is planned: {}", world.refusals());
}
