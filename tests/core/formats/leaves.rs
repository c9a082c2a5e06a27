//! Leaves of templates: names are filled in, and nothing computes.

use std::collections::BTreeMap;
use trueup::core::plan::Leaves;
use trueup::formats::handlebars::Strict;

fn fill(leaf: &str) -> Result<String, String> {
    let values = BTreeMap::from([("target", "dns-inside".to_owned()), ("n", "2 & <3>".to_owned())]);
    Strict.fill(leaf, &values).map_err(|refusal| refusal.to_string())
}

#[test]
fn names_are_filled_with_their_values_as_they_are() {
    assert_eq!(fill("wave {{n}} of {{ target }}").as_deref(), Ok("wave 2 & <3> of dns-inside"));
    assert_eq!(fill("no names, one } brace").as_deref(), Ok("no names, one } brace"));
}

#[test]
fn whatever_is_more_than_a_given_name_is_refused() {
    let long = format!("{{{{n}}}}{}", "x".repeat(5000));
    let cases = [
        "{{wave}}",
        "{{> partial}}",
        "{{#each n}}x{{/each}}",
        "{{lookup n 1}}",
        "{{{n}}}",
        "{{n",
        "{{}}",
        "{{this}}",
        "{{@root}}",
        "{{n.m}}",
        "{{!-- x --}}",
        "{{~n~}}",
        "\\{{n}}",
        long.as_str(),
    ];
    let told: Vec<String> = cases.iter().map(|leaf| fill(leaf).map_or_else(|told| told, |filled| format!("FILLED {filled}"))).collect();
    insta::assert_snapshot!(told.join("\n"));
}
