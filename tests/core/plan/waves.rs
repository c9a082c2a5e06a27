//! Templates: direct and waves.

use super::toy::{World, id, print, toys};
use insta::assert_snapshot;
use trueup::core::{
    model::{ApprovalRule, FactValue, Span},
    plan::{Between, Match, OnDeadline, Template, Test, Until, Waves, lint},
};

fn waves(size: u32, between: Between, targets: &[&str]) -> Template {
    let r#match = Match { targets: targets.iter().map(|target| (*target).into()).collect(), resources: Vec::new() };
    Template { name: "waves".into(), about: "".into(), r#match, waves: Some(Waves { size, between }) }
}

fn approve() -> Between {
    Between::Approve(ApprovalRule { when: None, count: 1, by: vec!["sre".into()] })
}

#[test]
fn a_wave_is_whole_and_approved_before_the_next_begins() {
    let mut world = World::new("", "box/a = >d\nbox/b = 1\nbox/c = 1\nbag/d = 1\nbag/e = 1");
    world.templates = vec![waves(2, approve(), &[])];
    assert_snapshot!(print(&world.plan()));
}

#[test]
fn a_wait_between_waves_asks_for_the_resources_of_the_wave() {
    let until = Until {
        fact: "served".into(),
        of: Vec::new(),
        test: Test::Is(FactValue::Bool(true)),
        samples: 3,
        every: Span::secs(1),
        deadline: Span::mins(1),
        on_deadline: OnDeadline::Stop,
    };
    let mut world = World::new("", "box/a = 1\nbox/b = 1");
    world.templates = vec![waves(1, Between::Wait(until), &[])];
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
