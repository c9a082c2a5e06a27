//! Plans as text, Markdown, JSON and Mermaid.

use super::fixture::*;
use trueup::core::{
    diff::{Op, Reason},
    model::{Str, Value},
    plan::{Plan, Undo},
    render::{Kinds, Sheet, Style, json, markdown, mermaid, text},
};

fn with_back<T>(show: impl FnOnce(Sheet<'_>) -> T) -> T {
    let (plan, kinds) = (small(), kinds());
    let back = reverse(&plan);
    show(Sheet::new(&plan, &kinds).digest(Some(digest(0xab))).way_back(Some(&back)))
}

#[test]
fn text_shows_what_changes_in_which_order_why_and_the_way_back() {
    insta::assert_snapshot!(with_back(|sheet| text(&sheet, Style { color: false, width: 100 })));
}

#[test]
fn colour_comes_only_when_asked() {
    let (plain, colored) = with_back(|sheet| (text(&sheet, Style::default()), text(&sheet, Style { color: true, width: 0 })));
    assert!(!plain.contains('\x1b'));
    let mut bare = colored.clone();
    for code in ["\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[2m", "\x1b[0m"] {
        assert!(bare.contains(code) || code == "\x1b[2m", "{code:?}");
        bare = bare.replace(code, "");
    }
    assert_eq!(bare, plain);
}

#[test]
fn markdown_holds_the_same() {
    insta::assert_snapshot!(with_back(|sheet| markdown(&sheet)));
}

#[test]
fn mermaid_draws_steps_and_reasons() {
    insta::assert_snapshot!(with_back(|sheet| mermaid(&sheet, &|_| None)));
}

#[test]
fn json_is_versioned_and_whole() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&with_back(|sheet| json(&sheet))).unwrap());
}

#[test]
fn an_empty_plan_says_that_it_was_observed() {
    let kinds = kinds();
    let kept = plan(small().deltas.into_iter().filter(|delta| delta.op == Op::Keep).collect());
    assert_eq!(text(&Sheet::new(&kept, &kinds), Style::default()), "Nothing to do: 1 resource as asked already.\n");
    assert_eq!(text(&Sheet::new(&Plan::default(), &kinds), Style::default()), "Nothing to do.\n");
}

#[test]
fn a_target_without_a_kind_is_shown_by_id_and_plain_value() {
    let plan = small();
    let none = Kinds::default();
    let text = text(&Sheet::new(&plan, &none), Style::default());
    assert!(text.contains("  + rrset/example.com./api/A"), "{text}");
}

#[test]
fn what_is_unusual_about_a_change_stands_beside_it() {
    let (mut plan, kinds) = (small(), kinds());
    plan.deltas[1].reason = Reason::DriftOverwritten;
    plan.deltas[4].op = Op::Replace;
    if let trueup::core::plan::Act::Write(writes) = &mut plan.steps.get_mut(&trueup::core::model::StepId(2)).unwrap().act {
        writes[0].undo = Undo::Never { loses: "the old key".into() };
    }
    insta::assert_snapshot!(text(&Sheet::new(&plan, &kinds), Style::default()));
}

#[test]
fn long_content_shows_only_the_lines_around_a_difference() {
    struct Lines;
    impl trueup::core::model::Kind for Lines {
        fn name(&self) -> &'static str {
            "lines"
        }
        fn canon(&self, _: &trueup::core::model::ResourceId, value: Value) -> Result<Value, trueup::core::model::Refusal> {
            Ok(value)
        }
        fn unit(&self, _: &trueup::core::model::ResourceId) -> trueup::core::model::Unit {
            trueup::core::model::Unit::new("u")
        }
        fn limits(&self) -> trueup::core::model::Limits {
            trueup::kinds::dns::DNS.limits()
        }
        fn undo(&self, before: Option<&Value>, _: Option<&Value>) -> Undo {
            Undo::To(before.cloned())
        }
        fn lines(&self, _: &trueup::core::model::ResourceId, value: &Value) -> Vec<String> {
            value.as_str().unwrap_or_default().lines().map(str::to_owned).collect()
        }
    }
    let body = |nth: &str| (0..40).map(|n| if n == 20 { format!("{nth}\n") } else { format!("line {n}\n") }).collect::<String>();
    let one = delta(id("dns-inside", "z.", "a", "A"), Op::Update, Some(Value::str(body("old"))), Some(Value::str(body("new"))), 1);
    let plan = plan(vec![one]);
    let kinds = Kinds::new([(Str::from("dns-inside"), &Lines as &'static dyn trueup::core::model::Kind)]);
    insta::assert_snapshot!(text(&Sheet::new(&plan, &kinds), Style::default()));
}
