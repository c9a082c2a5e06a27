//! Conditions in CEL: what they see, how they are refused, and that no text costs more than a bound.

use std::time::Instant;
use trueup::core::model::RefusalKind;
use trueup::core::plan::{Conditions, PlanFacts};
use trueup::formats::cel::Cel;

fn facts() -> PlanFacts {
    PlanFacts {
        deletes: 3,
        writes: 10,
        targets: ["dns-inside".into(), "dns-outside".into()].into(),
        units: ["example.com.".into()].into(),
        resources: ["dns-inside/rrset/example.com./www/A".into(), "dns-outside/rrset/example.com./@/MX".into()].into(),
        ..PlanFacts::default()
    }
}

fn holds(condition: &str) -> bool {
    Cel.holds(condition, &facts()).unwrap_or_else(|refusal| panic!("{refusal}"))
}

#[test]
fn a_condition_sees_the_plan() {
    for condition in [
        "true",
        "plan.deletes > 0",
        "plan.deletes * 100 / plan.writes == 30",
        "plan.deletes == 3 && plan.creates == 0",
        "\"dns-outside\" in plan.targets",
        "size(plan.resources) == 2",
        "plan.resources.exists(r, r.startsWith(\"dns-outside/\"))",
        "plan.resources.exists(r, r.endsWith('/MX') && r.contains('example.com.'))",
        "plan.resources.filter(r, r.matches('^dns-.*/A$')).size() == 1",
        "plan.units.all(u, u == 'example.com.')",
        "!(plan.writes > 10) || plan.deletes * 2 == 7",
        "plan.targets.map(t, t + '!').size() == 2",
    ] {
        assert!(holds(condition), "{condition}");
        assert_eq!(Cel.check(condition), Ok(()), "{condition}");
    }
    assert!(!holds("plan.deletes > 3"));
    assert!(!holds("'other' in plan.targets"));
}

#[test]
fn every_fault_names_the_condition_and_the_way_out() {
    let cases = [
        "plan.deletes >",
        "plan.delets > 0",
        "plan.zebra",
        "plna.deletes > 0",
        "false && plan.nothing",
        "plan.deletes",
        "plan.deletes > 'three'",
        "plan.targets.exists(t, q == t)",
        "nosuch(plan.deletes)",
        "",
    ];
    let told: Vec<String> = cases.iter().map(|condition| format!("# {condition}\n{}", Cel.check(condition).expect_err(condition))).collect();
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn a_division_by_none_is_told_when_it_happens_and_not_before() {
    assert_eq!(Cel.check("plan.writes / plan.creates > 1"), Ok(()));
    assert_eq!(Cel.holds("plan.writes / plan.creates > 1", &facts()).expect_err("creates is 0").kind, RefusalKind::Value);
}

#[test]
fn every_fact_of_a_plan_can_be_named() {
    let json = serde_json::to_value(facts()).unwrap();
    for field in json.as_object().unwrap().keys() {
        let shape = if json[field].is_array() { format!("plan.{field}.size() >= 0") } else { format!("plan.{field} >= 0") };
        assert_eq!(Cel.holds(&shape, &facts()), Ok(true), "{field}");
    }
}

#[test]
fn long_and_nested_conditions_are_refused_before_they_are_parsed() {
    for condition in
        [format!("plan.deletes > {}", "1".repeat(1000)), "(".repeat(900), format!("{}true", "!".repeat(500)), vec!["1"; 400].join("+"), format!("'{}'", "(".repeat(30))]
    {
        assert_eq!(Cel.check(&condition).expect_err("too large").kind, RefusalKind::Budget, "{condition}");
    }
}

/// The largest of every shape that the bounds let through is read or refused without using up the stack.
#[test]
fn the_largest_condition_of_each_shape_stays_within_stack_and_time() {
    let shapes = [
        format!("{}true{}", "(".repeat(24), ")".repeat(24)),
        format!("{}1{} == 1", "[".repeat(24), "]".repeat(24)),
        format!("{}1{} == 1", "{1: ".repeat(24), "}".repeat(24)),
        format!("{}true", "!".repeat(128)),
        format!("{}1 < 1", "-".repeat(127)),
        format!("{} > 0", vec!["1"; 126].join("+")),
        vec!["1"; 90].join(" in "),
        vec!["1"; 128].join("<"),
        format!("{}{}", "(1+".repeat(24), "1+".repeat(100)),
        format!("plan{}", ".a".repeat(127)),
        format!("{}true{}", "true ? ".repeat(66), " : true".repeat(66)),
        vec!["true"; 65].join("&&"),
        vec!["plan.deletes in [1]"; 24].join(" || "),
        format!("{}true{}", "[1].exists(x, ".repeat(12), ")".repeat(12)),
        format!("{}x{}", "plan.targets.map(x, ".repeat(24), ")".repeat(24)),
        "[".repeat(24),
        "{".repeat(24),
        "(a".repeat(24),
        "'".repeat(1000),
        "r'\\".repeat(250),
        "\u{1F600}".repeat(1000),
    ];
    for condition in &shapes {
        let started = Instant::now();
        let _ = Cel.holds(condition, &facts());
        let took = started.elapsed().as_secs();
        assert!(took < 20, "{took} s for {condition}");
    }
}

#[test]
fn one_pass_over_a_large_plan_is_done_and_two_nested_are_refused() {
    let facts = PlanFacts { resources: (0..100_000).map(|i| format!("dns-inside/rrset/example.com./host-{i}/A").into()).collect(), ..facts() };
    assert_eq!(Cel.holds("plan.resources.exists(r, r.endsWith('/MX'))", &facts), Ok(false));
    assert_eq!(Cel.holds("'dns-inside/rrset/example.com./host-7/A' in plan.resources", &facts), Ok(true));
    for nested in [
        "plan.resources.exists(r, plan.resources.exists(q, q + 'x' == r))",
        "plan.resources.map(r, plan.resources).size() > 0",
        "plan.resources.map(r, plan.resources.map(q, q + r)).size() > 0",
        "plan.resources.exists(r, r in plan.resources.map(x, x + 'y'))",
        "plan.resources.exists(r, r.matches('x{500}'))",
    ] {
        assert_eq!(Cel.holds(nested, &facts).expect_err(nested).kind, RefusalKind::Budget, "{nested}");
    }
}

#[test]
fn text_that_doubles_is_refused() {
    let mut condition = "plan.targets".to_owned();
    for _ in 0..20 {
        condition += ".map(x,x+x)";
    }
    assert_eq!(Cel.holds(&format!("{condition}.size() > 0"), &facts()).expect_err("doubles").kind, RefusalKind::Budget);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_a_condition_or_a_refusal(text in "[ -~]{0,60}") {
        let _ = Cel.holds(&text, &facts());
    }

    #[test]
    fn what_looks_like_a_condition_is_one_or_a_refusal(parts in proptest::collection::vec("(plan|\\.deletes|\\.targets|\\.map\\(x, |\\.exists\\(x, |\\)|\\(|\\[|\\]|\\{| in | \\+ | && | \\? | : |!|-|1|0\\.5|9223372036854775807|'a'|x|true|b'\\\\x|r\"| / | % )", 0..14)) {
        let _ = Cel.holds(&parts.concat(), &facts());
    }
}
