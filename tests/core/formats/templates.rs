//! Plan templates in YAML.

use trueup::core::plan::{Between, Template};
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
fn every_fault_names_its_place_and_the_way_out() {
    let cases = [
        "about: x\n",
        "name: x\nmach: {}\n",
        "name: x\nmatch: {resources: ['[']}\n",
        "name: x\nwaves: {size: 0, between: pause}\n",
        "name: x\nwaves: {size: 5, between: pawse}\n",
        "name: x\nwaves:\n  size: 5\n  between:\n    approve:\n      when: plan.delets > 0\n",
    ];
    let all: Vec<String> = cases.iter().map(|text| refused(text)).collect();
    insta::assert_snapshot!(all.join("\n\n"));
}
