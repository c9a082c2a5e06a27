//! `${TARGET/KIND/NAME.FIELD}` in the files of key trees and in octoDNS zones: how it is read, and what is refused.

use super::files::{Memory, refusals, scope};
use trueup::{
    core::model::{Desired, Late, Place, Refusal, Unit, Value, Wanted},
    formats::{
        Format, UnitFiles,
        keytree::{Expand, KeyTree},
        octodns::OctoDns,
    },
    kinds::config::key_id,
};

fn tree() -> KeyTree {
    KeyTree { references: true, expand: [Expand::Yaml, Expand::Json, Expand::Toml, Expand::Properties].into(), ..KeyTree::default() }
}

fn read(format: &KeyTree, path: &str, text: &str) -> Result<Desired, Vec<Refusal>> {
    format.read(&format.unit_of(path).unwrap(), &Memory::new(&[(path, text)]), &scope(&["t"]))
}

/// Every reference of a file as `key place reference`, and every other value.
fn told(path: &str, text: &str) -> String {
    let desired = read(&tree(), path, text).unwrap_or_else(|all| panic!("{}", refusals(&all)));
    let of = |late: &Late| late.refers().map(|refers| format!("{} {refers}", refers.place)).collect::<Vec<_>>().join(", ");
    let line = |(id, wanted): (&trueup::core::model::ResourceId, &Wanted)| match desired.late.get(id) {
        Some(late) => {
            assert!(matches!(wanted.value, Value::Unknown(_)), "what is not resolved is written nowhere");
            format!("{}: {}", id.name, of(late))
        }
        None => format!("{} = {}", id.name, wanted.value),
    };
    desired.resources.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_reference_names_a_resource_and_a_field_with_the_place_it_stands_at() {
    assert_eq!(
        told("app.conf", "retries = 3\naddr = ${in/rrset/example.com./db/A.values.0}:${t/key//app/db.port}\n"),
        "app.conf: dns/app.conf:2:8 ${in/rrset/example.com./db/A.values.0}, dns/app.conf:2:47 ${t/key//app/db.port}",
        "the name of a key is all that follows, dots and slashes too"
    );
    let yaml = "db:\n  ttl: \"${in/rrset/example.com./db/A.ttl}\"\n  url: 'http://${t/key/host}:$${port}'\n  text: |\n    é ${t/key/a}\n    ${t/key/b}\nplain: 1\n";
    let json = "{\"a\": \"x ${t/key/a}\", \"b\": [\"$${HOME}\", \"${t/key/b}\"]}";
    let files = [("app.yaml", yaml), ("app.json", json), ("app.properties", "a = 1\nb = ${t/key/a}\n"), ("app.toml", "a = 1\nb = \"${t/key/a}\"\n")];
    insta::assert_snapshot!(files.map(|(path, text)| told(path, text)).join("\n"));
}

#[test]
fn without_opting_in_no_byte_has_another_meaning() {
    let text = "a ${t/key/b} $${c} ${";
    let desired = read(&KeyTree { references: false, ..tree() }, "app.conf", text).unwrap();
    assert_eq!(desired.resources[&key_id("t", "app.conf")].value, Value::str(text));
    assert!(desired.late.is_empty());
}

#[test]
fn a_doubled_dollar_is_the_characters_themselves() {
    assert_eq!(told("a", "$${HOME} $ $x {y} $$${z} $$"), "a = \"${HOME} $ $x {y} $${z} $$\"");
    let text = "a ${x} $${y} $$";
    let wanted = Wanted { value: Value::str(text), place: Place::default(), after: Vec::new() };
    let desired = Desired { resources: [(key_id("t", "k"), wanted)].into(), ..Desired::default() };
    let files = tree().write(&Unit::new(""), &desired, &UnitFiles::new()).unwrap();
    let written = String::from_utf8(files["k"].clone()).unwrap();
    assert_eq!(read(&tree(), "k", &written).unwrap().resources[&key_id("t", "k")].value, Value::str(text), "what an import writes means itself: {written}");
}

#[test]
fn a_file_with_references_is_not_written_over_by_what_is_live() {
    let previous: UnitFiles = [("a".into(), b"${t/key/b}".to_vec()), ("c.yaml".into(), b"x: ${t/key/b}\ny: 1\n".to_vec())].into();
    let live = [("a", "1"), ("b", "1"), ("c/x", "1"), ("c/y", "1")];
    let wanted = |text: &str| Wanted { value: Value::str(text), place: Place::default(), after: Vec::new() };
    let desired = Desired { resources: live.iter().map(|(key, text)| (key_id("t", key), wanted(text))).collect(), ..Desired::default() };
    let files = tree().write(&Unit::new(""), &desired, &previous).unwrap();
    assert_eq!((&files["a"], &files["c.yaml"]), (&previous["a"], &previous["c.yaml"]));
    assert_eq!(files["b"], b"1");
}

#[test]
fn what_refers_to_nothing_is_refused_with_its_place() {
    let faults = [("a", "x\n ${HOME}"), ("b", "${t/key/a\n}"), ("c", "${"), ("d", "${t/host/a} ${t/key/} ${/key/a} ${${t/key/a}}"), ("e.yaml", "a: 1\nb: \"is ${t/a}\"\n")];
    let told = faults.map(|(path, text)| refusals(&read(&tree(), path, text).expect_err(path)));
    insta::assert_snapshot!(told.join("\n\n"));
}

const ZONE: OctoDns = OctoDns { references: true, ..OctoDns::PLAIN };

fn zone(format: OctoDns, text: &str) -> Result<Desired, Vec<Refusal>> {
    format.read(&Unit::new("example.com."), &Memory::new(&[("example.com.yaml", text)]), &scope(&["ns"]))
}

#[test]
fn a_zone_refers_in_addresses_targets_and_texts_beside_plain_values() {
    let text = "a: {type: A, values: [192.0.2.1, \"${t/key/addr}\", '${t/key/other}']}\nalias:\n  type: CNAME\n  value: ${t/key/host}\nnote:\n  type: TXT\n  values:\n    - v=1\\; for ${t/key/who} $${x}\n    - plain $${y}\nplain: {type: A, value: 192.0.2.9}\n";
    let desired = zone(ZONE, text).unwrap_or_else(|all| panic!("{}", refusals(&all)));
    let line = |(id, wanted): (&trueup::core::model::ResourceId, &Wanted)| format!("{} {} {:?}", id.name, wanted.value, desired.late.get(id).map(|late| &late.pieces));
    insta::assert_snapshot!(desired.resources.iter().map(line).collect::<Vec<_>>().join("\n"));
    // Without opting in the characters are the value, as octoDNS has them.
    let plain = zone(OctoDns::PLAIN, "note: {type: TXT, value: 'a ${t/key/b} $${c}'}\n").unwrap();
    assert!(plain.late.is_empty() && plain.resources.values().next().unwrap().value.to_string().contains("a ${t/key/b} $${c}"));
}

#[test]
fn what_a_zone_cannot_refer_with_is_refused_with_its_place() {
    let text = "a: {type: A, value: '${nothing}'}\nmail:\n  type: MX\n  value: {preference: 10, exchange: '${t/key/host}'}\nopen: {type: TXT, value: 'x ${t/key/a'}\nquoted: {type: TXT, value: '\"a ${t/key/b}\"'}\nsemi: {type: TXT, value: 'a; ${t/key/b}'}\n";
    insta::assert_snapshot!(refusals(&zone(ZONE, text).unwrap_err()));
}

#[test]
fn what_is_written_into_a_zone_that_refers_means_itself() {
    let before = "note:\n  ttl: 60\n  type: TXT\n  value: old\nref:\n  ttl: 60\n  type: A\n  value: ${t/key/addr} # kept\n";
    let mut desired = zone(ZONE, before).unwrap();
    let asked = zone(OctoDns::PLAIN, "note: {ttl: 60, type: TXT, value: 'is ${HOME}'}\n").unwrap();
    desired.resources.extend(asked.resources.clone());
    let previous: UnitFiles = [("example.com.yaml".into(), before.as_bytes().to_vec())].into();
    let files = ZONE.write(&Unit::new("example.com."), &desired, &previous).unwrap_or_else(|all| panic!("{}", refusals(&all)));
    let written = String::from_utf8(files["example.com.yaml"].clone()).unwrap();
    assert!(written.contains("is $${HOME}") && written.contains("value: ${t/key/addr} # kept"), "{written}");
    let read = zone(ZONE, &written).unwrap();
    assert!(asked.resources.iter().all(|(id, wanted)| read.resources[id].value == wanted.value), "{written}");
}
