//! Every plan template is read by the planner's tests, every driver climbs the ladder.

use super::{
    exceptions::Rule,
    source::{files, sources},
};
use std::collections::BTreeSet;
use trueup::{core::plan::BUILT_IN, formats::templates};

#[test]
fn every_plan_template_is_built_in_read_and_tested() {
    let rule = Rule::new("every plan template is built in, read and tested");
    let built_in: BTreeSet<&str> = BUILT_IN.iter().map(|(file, _)| *file).collect();
    let tests: String = sources("tests/core").into_iter().filter(|source| !source.path.starts_with("tests/core/tidy/")).map(|source| source.text).collect();
    for file in files("plans") {
        let name = file.trim_start_matches("plans/").trim_end_matches(".yaml");
        if !built_in.contains(file.as_str()) {
            rule.broken(&file, "is not in BUILT_IN");
        } else if let Some(fault) = BUILT_IN.iter().find(|(known, _)| *known == file).and_then(|(_, text)| templates::read(&file, text.as_bytes()).err()) {
            rule.broken(&file, fault);
        } else if !tests.contains(name) {
            rule.broken(&file, "no test names it");
        }
    }
    assert!(!built_in.is_empty());
    rule.hold();
}

#[test]
fn every_driver_climbs_the_ladder() {
    let rule = Rule::new("every driver climbs the ladder");
    let ladder: String = sources("tests/real/ladder").into_iter().map(|source| source.text).collect();
    let mut drivers = BTreeSet::new();
    for file in files("src/drivers") {
        let parts: Vec<&str> = file.split('/').collect();
        if let [_, _, kind, driver, ..] = parts[..]
            && driver != "mod.rs"
            // Probes write nothing, so there is nothing to climb: tests/real/probes asks each of them.
            && kind != "probes"
        {
            drivers.insert((kind.to_owned(), driver.trim_end_matches(".rs").to_owned()));
        }
    }
    assert!(!drivers.is_empty(), "no driver found: this rule looks in the wrong place");
    for (kind, driver) in drivers {
        if !ladder.contains(&driver) {
            rule.broken(&format!("src/drivers/{kind}/{driver}"), "no rung of tests/real/ladder names it");
        }
    }
    rule.hold();
}
