//! YAML to types: every fault has its place and the nearest known word.

use serde::Deserialize;
use std::collections::BTreeMap;
use trueup::core::model::{RefusalKind, Span};
use trueup::core::render::refusal as refusal_text;
use trueup::formats::yaml::{Budget, from_bytes};

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    name: String,
    #[serde(default)]
    count: u32,
    #[serde(default)]
    wait: Option<Span>,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    secret: Option<Reference>,
    #[serde(default)]
    parts: Vec<Part>,
    #[serde(default)]
    by_name: BTreeMap<String, Part>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    OnApproval,
    OnCommand,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reference {
    Env(String),
    File(String),
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    path: String,
    #[serde(default)]
    targets: Vec<String>,
}

fn read(text: &str) -> Config {
    from_bytes("c.yaml", text.as_bytes(), &Budget::default()).unwrap_or_else(|refusal| panic!("{refusal}"))
}

fn told(text: &str) -> String {
    let refusal = from_bytes::<Config>("c.yaml", text.as_bytes(), &Budget::default()).expect_err(text);
    assert_eq!(refusal.kind, RefusalKind::Schema, "{refusal}");
    assert!(refusal.place.is_some() && refusal.excerpt.is_some(), "{refusal:?}");
    refusal_text(&refusal)
}

#[test]
fn a_file_becomes_its_type() {
    let config = read("name: x\ncount: 3\nwait: 10s\nmode: on_command\nsecret: {env: KEY}\nparts:\n  - {path: a, targets: [b]}\nby_name:\n  5: {path: z}\n");
    assert_eq!(config.wait, Some(Span::secs(10)));
    assert_eq!(config.mode, Mode::OnCommand);
    assert_eq!(config.secret, Some(Reference::Env("KEY".into())));
    assert_eq!(config.parts, [Part { path: "a".into(), targets: vec!["b".into()] }]);
    assert!(config.by_name.contains_key("5"));
}

#[test]
fn an_empty_section_is_as_if_it_were_not_there() {
    assert_eq!(read("name: x\nparts:\nby_name:\nwait:\n").parts, []);
}

#[test]
fn every_fault_names_its_place_and_the_way_out() {
    let cases = [
        ("misspelt key", "name: x\ncuont: 3\n"),
        ("unknown key", "name: x\nzebra: 3\n"),
        ("misspelt key in a list", "name: x\nparts:\n  - path: a\n    tragets: []\n"),
        ("missing key", "count: 3\n"),
        ("missing key in a list", "name: x\nparts:\n  - targets: [a]\n"),
        ("number for text", "name: 5\n"),
        ("text for number", "name: x\ncount: many\n"),
        ("negative number", "name: x\ncount: -1\n"),
        ("fraction", "name: x\ncount: 1.5\n"),
        ("list for map", "name: x\nby_name: [a]\n"),
        ("map for list", "name: x\nparts: {a: b}\n"),
        ("text for list", "name: x\nparts:\n  - path: a\n    targets: b\n"),
        ("duration without unit", "name: x\nwait: 10\n"),
        ("duration of nonsense", "name: x\nwait: soon\n"),
        ("misspelt word", "name: x\nmode: on_comand\n"),
        ("unknown reference", "name: x\nsecret: {vault: k}\n"),
        ("two references", "name: x\nsecret: {env: k, file: f}\n"),
        ("list at the top", "- a\n"),
    ];
    let all: Vec<String> = cases.iter().map(|(name, text)| format!("# {name}\n{}", told(text))).collect();
    insta::assert_snapshot!(all.join("\n\n"));
}
