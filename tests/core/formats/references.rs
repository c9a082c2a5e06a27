//! `${TARGET/KIND/NAME.FIELD}` in the files of key trees: how it is read, and what is refused.

use super::files::{Memory, refusals, scope};
use trueup::{
    core::model::{Desired, Late, Place, Refusal, Unit, Value, Wanted},
    formats::{
        Format, UnitFiles,
        keytree::{Expand, KeyTree},
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
