//! Plan templates in YAML.

use trueup::core::plan::{Between, OnDeadline, Template};
use trueup::core::render::refusal as refusal_text;
use trueup::formats::templates::{built_in, read};

fn refused(text: &str) -> String {
    refusal_text(&read("plans/x.yaml", text.as_bytes()).expect_err(text))
}

#[test]
fn the_built_in_templates_are_read() {
    let all = built_in().unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(all[0], Template::direct());
    assert!(matches!(all[1].waves.as_ref().map(|waves| (&waves.between, waves.size)), Some((Between::Approve(_), 100))));
}

#[test]
fn a_template_waits_for_a_fact_or_checks_a_probe() {
    let hold = |text: &str| match read("plans/x.yaml", format!("name: x\nwaves: {{size: 5, between: {text}}}\n").as_bytes()).expect(text).waves.expect("it has waves").between {
        Between::Wait(hold) | Between::Check(hold) => hold,
        other => panic!("{other:?}"),
    };
    let fact = hold("{wait: {fact: answered_by_all, samples: 3, every: 5s, deadline: 1m, on_deadline: go_on}}");
    assert_eq!((fact.fact.as_deref(), fact.probe, fact.samples, fact.on_deadline), (Some("answered_by_all"), None, 3, OnDeadline::GoOn));
    let probe = hold("{check: {probe: shop, every: 5s, deadline: 1m}}");
    assert_eq!((probe.fact, probe.probe.as_deref(), probe.samples, probe.on_deadline), (None, Some("shop"), 1, OnDeadline::Stop));
    assert_eq!((probe.place.line, probe.asks), (2, None), "what it asks is policy's to say");
}

#[test]
fn every_fault_names_its_place_and_the_way_out() {
    let cases = [
        "about: x\n",
        "name: x\nmach: {}\n",
        "name: x\nmatch: {resources: ['[']}\n",
        "name: x\nwaves: {size: 0, between: pause}\n",
        "name: x\nwaves: {size: 5, between: pawse}\n",
        "name: x\nwaves:\n  size: 5\n  between:\n    approve:\n      when: plan.delets > 0\n",
        "name: x\nwaves: {size: 5, between: {wait: {every: 5s, deadline: 1m}}}\n",
        "name: x\nwaves: {size: 5, between: {wait: {probe: shop, deadline: 1m}}}\n",
        "name: x\nwaves: {size: 5, between: {wait: {probe: shop, fact: served, every: 5s, deadline: 1m}}}\n",
        "name: x\nwaves: {size: 5, between: {check: {probe: shop, test: {at_least: 1}, every: 5s, deadline: 1m}}}\n",
        "name: x\nwaves: {size: 5, between: {wait: {probe: shop, samples: 0, every: 5s, deadline: 1m}}}\n",
        "name: x\nwaves: {size: 5, between: {wait: {probe: shop, every: 1ms, deadline: 1m}}}\n",
        "name: x\nwaves: {size: 5, between: {wait: {probe: shop, every: 5s, deadline: 1s}}}\n",
    ];
    let all: Vec<String> = cases.iter().map(|text| refused(text)).collect();
    insta::assert_snapshot!(all.join("\n\n"));
}
