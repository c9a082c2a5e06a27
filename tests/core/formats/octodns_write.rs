//! octoDNS YAML written back: nothing but what was asked changes.

use super::files::{Memory, refusals, scope};
use proptest::prelude::*;
use trueup::core::model::{Desired, Kind, Place, Refusal, Unit, Value, Wanted};
use trueup::formats::{Format, Scope, UnitFiles, octodns::OctoDns};
use trueup::kinds::dns::{DNS, DnsName, RType, quoted, rrset_id};

const BEFORE: &str = "---
# Served since 2019.

# the zone itself
'':
  - ttl: 300 # short, while we move
    type: A
    value: 192.0.2.1
  # mail goes out
  - type: MX
    value:
      exchange: mail.example.com.
      preference: 10
  - type: Route53Provider/ALIAS
    value: {name: x}
# the API
api: {type: A, value: 192.0.2.2}

# --- hosts ---

# host 2
host2:
  # moved in May
  octodns: {healthcheck: {host: x}}
  type: A
  values: [192.0.2.3, 192.0.2.4]
  # the end of host 2
host10:
  type: A
  value: 192.0.2.5
other:
  octodns:
    excluded: [ns]
  type: A
  value: 192.0.2.6

# goodbye
";

fn unit() -> Unit {
    Unit::new("example.com.")
}

fn files(text: &str) -> UnitFiles {
    [("example.com.yaml".into(), text.as_bytes().to_vec())].into()
}

fn read_files(files: &UnitFiles, scope: &Scope) -> Result<Desired, Vec<Refusal>> {
    let memory = Memory { own: files.keys().cloned().collect(), all: files.clone(), asked: Default::default() };
    OctoDns::PLAIN.read(&unit(), &memory, scope)
}

fn read(text: &str) -> Desired {
    read_files(&files(text), &scope(&["ns"])).unwrap_or_else(|all| panic!("{}", refusals(&all)))
}

/// Asks for an RRset, or (without values) no more for it.
fn set(desired: &mut Desired, owner: &str, rtype: &str, ttl: i64, values: &[&str]) {
    let zone = DnsName::parse("example.com.").unwrap();
    let owner = if owner == "@" { zone.clone() } else { DnsName::parse_under(owner, &zone).unwrap() };
    let id = rrset_id("ns", &zone, &owner, RType::parse(rtype).unwrap()).unwrap();
    if values.is_empty() {
        assert!(desired.resources.remove(&id).is_some(), "{id} was there");
        return;
    }
    let raw = Value::map([("ttl", Value::Int(ttl)), ("values", Value::List(values.iter().map(|text| Value::str(*text)).collect()))]);
    let value = DNS.canon(&id, raw).unwrap();
    desired.resources.insert(id, Wanted { value, place: Place::default(), after: Vec::new() });
}

fn written(desired: &Desired, previous: &UnitFiles) -> UnitFiles {
    OctoDns::PLAIN.write(&unit(), desired, previous).unwrap_or_else(|all| panic!("{}", refusals(&all)))
}

fn text(files: &UnitFiles, path: &str) -> String {
    String::from_utf8(files[path].clone()).unwrap()
}

#[test]
fn nothing_changed_is_not_one_byte_changed() {
    assert_eq!(written(&read(BEFORE), &files(BEFORE)), files(BEFORE));
}

#[test]
fn a_changed_record_keeps_its_comments_its_other_keys_and_its_place() {
    let mut desired = read(BEFORE);
    set(&mut desired, "@", "A", 300, &["192.0.2.9"]);
    set(&mut desired, "@", "MX", 60, &["10 mail.example.com.", "20 mail2.example.com."]);
    set(&mut desired, "host2", "A", 3600, &["192.0.2.30"]);
    insta::assert_snapshot!(text(&written(&desired, &files(BEFORE)), "example.com.yaml"));
}

#[test]
fn a_removed_record_takes_its_own_comments_with_it_and_no_others() {
    let mut desired = read(BEFORE);
    set(&mut desired, "@", "A", 0, &[]);
    set(&mut desired, "host2", "A", 0, &[]);
    set(&mut desired, "api", "A", 0, &[]);
    insta::assert_snapshot!(text(&written(&desired, &files(BEFORE)), "example.com.yaml"));
}

#[test]
fn new_names_stand_in_their_order_and_a_second_type_makes_a_list() {
    let mut desired = read(BEFORE);
    set(&mut desired, "host9", "CNAME", 3600, &["host10.example.com."]);
    set(&mut desired, "*", "TXT", 60, &["\"v=DKIM1; p=x\"", "\"yes\""]);
    set(&mut desired, "zz", "A", 3600, &["192.0.2.7"]);
    set(&mut desired, "1.10", "A", 3600, &["192.0.2.7"]);
    set(&mut desired, "yes", "A", 3600, &["192.0.2.7"]);
    set(&mut desired, "api", "AAAA", 3600, &["2001:db8::1"]);
    set(&mut desired, "host10", "AAAA", 3600, &["2001:db8::1"]);
    insta::assert_snapshot!(text(&written(&desired, &files(BEFORE)), "example.com.yaml"));
}

#[test]
fn every_type_is_written_as_octodns_reads_it() {
    let desired = read(include_str!("every_type.yaml"));
    let files = written(&desired, &UnitFiles::new());
    insta::assert_snapshot!(text(&files, "example.com.yaml"));
    let again = read_files(&files, &scope(&["ns"])).unwrap();
    assert!(desired.resources.iter().map(|(id, wanted)| (id, &wanted.value)).eq(again.resources.iter().map(|(id, wanted)| (id, &wanted.value))), "strict reading takes it too");
}

#[test]
fn files_as_pyyaml_writes_them_are_edited_too() {
    let before = "---\n? ''\n: - ttl: 60\n    type: A\n    value: 192.0.2.1\n  - type: TXT\n    values:\n    - a\n    - b\nwww:\n  type: A\n  value: 192.0.2.1\n...\n";
    let mut desired = read(before);
    set(&mut desired, "@", "A", 60, &["192.0.2.9"]);
    set(&mut desired, "x", "A", 3600, &["192.0.2.9"]);
    let after = "---\n'':\n  - ttl: 60\n    type: A\n    value: 192.0.2.9\n  - type: TXT\n    values:\n    - a\n    - b\nwww:\n  type: A\n  value: 192.0.2.1\nx:\n  type: A\n  value: 192.0.2.9\n...\n";
    assert_eq!(text(&written(&desired, &files(before)), "example.com.yaml"), after);
    for empty in ["---\n...\n", "{}\n", "", "# none\nnull\n"] {
        let mut desired = Desired::default();
        set(&mut desired, "x", "A", 3600, &["192.0.2.9"]);
        assert!(text(&written(&desired, &files(empty)), "example.com.yaml").ends_with("x:\n  type: A\n  value: 192.0.2.9\n"), "{empty:?}");
    }
}

#[test]
fn a_split_zone_stays_split() {
    let previous: UnitFiles = [
        ("example.com./$example.com.yaml".into(), b"'':\n  type: A\n  value: 192.0.2.1\n".to_vec()),
        ("example.com./www.yaml".into(), b"# www\nwww:\n  type: A\n  value: 192.0.2.1\n".to_vec()),
    ]
    .into();
    let mut desired = read_files(&previous, &scope(&["ns"])).unwrap();
    set(&mut desired, "www", "A", 0, &[]);
    set(&mut desired, "api", "A", 60, &["192.0.2.2"]);
    set(&mut desired, "*", "A", 60, &["192.0.2.3"]);
    let files = written(&desired, &previous);
    let all: Vec<String> = files.iter().map(|(path, bytes)| format!("== {path}\n{}", String::from_utf8_lossy(bytes))).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn what_octodns_cannot_say_is_refused() {
    let mut desired = Desired::default();
    set(&mut desired, "joined", "TXT", 60, &["\"one\" \"two\""]);
    set(&mut desired, "binary", "TXT", 60, &["\"\\200\""]);
    set(&mut desired, "dot", "CNAME", 60, &["a\\.b.example.com."]);
    set(&mut desired, "type", "TYPE731", 60, &["\\# 1 00"]);
    insta::assert_snapshot!(refusals(&OctoDns::PLAIN.write(&unit(), &desired, &UnitFiles::new()).unwrap_err()));
}

#[test]
fn a_file_whose_names_share_lines_is_left_to_people() {
    let previous = files("{www: {type: A, value: 192.0.2.1}, api: {type: A, value: 192.0.2.2}}\n");
    let mut desired = read_files(&previous, &scope(&["ns"])).unwrap();
    set(&mut desired, "api", "A", 0, &[]);
    insta::assert_snapshot!(refusals(&OctoDns::PLAIN.write(&unit(), &desired, &previous).unwrap_err()));
    let broken = files("www: [\n");
    assert!(OctoDns::PLAIN.write(&unit(), &desired, &broken).is_err(), "a broken file is never written over");
}

proptest! {
    // Each case reads a whole zone four times.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_change_of_any_record_reads_back(
        removed in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
        names in proptest::collection::vec(("[a-z0-9_*.-]{1,8}", 0i64..9999), 0..4),
        strings in proptest::collection::vec("[ -~é]{0,20}", 0..3),
    ) {
        let mut desired = read(include_str!("every_type.yaml"));
        for index in removed {
            let gone = desired.resources.keys().nth(index.index(desired.resources.len())).cloned().unwrap();
            desired.resources.remove(&gone);
        }
        let texts: Vec<String> = strings.iter().map(|text| quoted(text.as_bytes())).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        for (name, ttl) in &names {
            if DnsName::parse(&format!("{name}.")).is_ok() {
                set(&mut desired, name, "A", *ttl, &["192.0.2.77"]);
                if !texts.is_empty() {
                    set(&mut desired, name, "TXT", *ttl, &texts);
                }
            }
        }
        // Writing proves itself by reading back: text that octoDNS cannot say (a leading quote, an escaped semicolon) is the only way to fail.
        match OctoDns::PLAIN.write(&unit(), &desired, &files(include_str!("every_type.yaml"))) {
            Ok(files) => {
                let mut lenient = scope(&["ns"]);
                lenient.policy.lenient = true;
                let again = read_files(&files, &lenient).unwrap();
                prop_assert!(desired.resources.iter().map(|(id, wanted)| (id, &wanted.value)).eq(again.resources.iter().map(|(id, wanted)| (id, &wanted.value))));
            }
            Err(all) => prop_assert!(all.iter().all(|refusal| refusal.what.contains("cannot say")), "{}", refusals(&all)),
        }
    }
}
