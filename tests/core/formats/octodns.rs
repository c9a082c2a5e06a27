//! octoDNS YAML, read as octoDNS 1.22 reads it.

use super::files::{Memory, refusals, scope, told};
use proptest::prelude::*;
use trueup::core::model::{Desired, Refusal, RefusalKind, Unit};
use trueup::formats::{Format, Home, octodns::OctoDns};

fn unit() -> Unit {
    Unit::new("example.com.")
}

fn read(text: &str) -> Result<Desired, Vec<Refusal>> {
    OctoDns::PLAIN.read(&unit(), &Memory::new(&[("example.com.yaml", text)]), &scope(&["ns"]))
}

fn lenient(text: &str) -> Result<Desired, Vec<Refusal>> {
    let mut scope = scope(&["ns"]);
    scope.policy.lenient = true;
    OctoDns::PLAIN.read(&unit(), &Memory::new(&[("example.com.yaml", text)]), &scope)
}

/// What a text asks for, as lines.
fn asks(text: &str) -> String {
    read(text).map(|desired| told(&desired)).unwrap_or_else(|all| panic!("{}", refusals(&all)))
}

/// The values of the one RRset a text asks for.
fn values(text: &str) -> Vec<String> {
    let desired = read(text).unwrap_or_else(|all| panic!("{}", refusals(&all)));
    assert_eq!(desired.resources.len(), 1);
    let wanted = desired.resources.into_values().next().unwrap();
    wanted.value.get("values").unwrap().as_list().iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

/// The names a text asks for, without zone and type.
fn owners(text: &str) -> Vec<String> {
    read(text).unwrap().resources.keys().map(|id| id.name.split('/').nth(1).unwrap().to_owned()).collect()
}

fn refused(text: &str) -> String {
    refusals(&read(text).expect_err("is refused"))
}

#[test]
fn a_file_named_like_a_zone_and_a_folder_named_like_a_zone_are_the_zone() {
    let unit = |path: &str| OctoDns::PLAIN.unit_of(path).map(|unit| unit.to_string());
    assert_eq!(unit("example.com.yaml").as_deref(), Some("example.com."));
    assert_eq!(unit("example.com./www.yaml").as_deref(), Some("example.com."));
    assert_eq!(unit("example.com./$example.com.yaml").as_deref(), Some("example.com."));
    assert_eq!(unit("example.com./*.yaml").as_deref(), Some("example.com."));
    assert_eq!(unit("2.0.192.in-addr.arpa.yaml").as_deref(), Some("2.0.192.in-addr.arpa."));
    assert_eq!(unit("bücher.example.yaml").as_deref(), Some("xn--bcher-kva.example."));
    for other in [
        "octodns.yaml",
        "config.yaml",
        "example.com.yml",
        "README.md",
        "example.com./a/b.yaml",
        "sub/example.com.yaml",
        "example.com/www.yaml",
        "Example.com.yaml",
        ".yaml",
        "..yaml",
        "example.com./www.txt",
    ] {
        assert_eq!(unit(other), None, "{other}");
    }
}

#[test]
fn a_unit_knows_every_home_of_its_files() {
    let homes = OctoDns::PLAIN.homes(&Unit::new("xn--bcher-kva.example.")).unwrap();
    assert_eq!(homes.len(), 4);
    for path in ["bücher.example.yaml", "xn--bcher-kva.example.yaml", "bücher.example./www.yaml", "xn--bcher-kva.example./www.yaml"] {
        let at_home = homes.iter().any(|home| match home {
            Home::File(file) => **file == *path,
            Home::Folder(folder) => path.starts_with(&format!("{folder}/")),
        });
        assert!(at_home && OctoDns::PLAIN.unit_of(path).is_some(), "{path}");
    }
}

#[test]
fn every_type_is_read() {
    insta::assert_snapshot!(asks(include_str!("every_type.yaml")));
}

#[test]
fn one_name_may_hold_several_types() {
    insta::assert_snapshot!(asks("www:\n  - type: A\n    value: 192.0.2.1\n  - type: AAAA\n    ttl: 60\n    values: [2001:db8::1, 2001:DB8::2]\n"));
}

#[test]
fn a_split_zone_is_the_sum_of_its_files() {
    let files = Memory::new(&[
        ("example.com./$example.com.yaml", "'':\n  type: MX\n  value: {preference: 10, exchange: mail.example.com.}\n'*':\n  type: A\n  value: 192.0.2.9\n"),
        ("example.com./www.yaml", "---\nwww:\n  type: A\n  value: 192.0.2.1\n"),
        ("example.com.yaml", "api:\n  type: A\n  value: 192.0.2.2\n"),
    ]);
    insta::assert_snapshot!(told(&OctoDns::PLAIN.read(&unit(), &files, &scope(&["ns"])).unwrap()));
}

#[test]
fn two_files_claiming_one_record_are_refused_with_both_places() {
    let files = Memory::new(&[("example.com./a.yaml", "www: {type: A, value: 192.0.2.1}\n"), ("example.com./b.yaml", "WWW: {type: A, value: 192.0.2.2}\n")]);
    insta::assert_snapshot!(refusals(&OctoDns::PLAIN.read(&unit(), &files, &scope(&["ns"])).unwrap_err()));
}

#[test]
fn a_zone_in_two_spellings_is_refused() {
    let files = Memory::new(&[("bücher.example.yaml", "www: {type: A, value: 192.0.2.1}\n"), ("xn--bcher-kva.example.yaml", "api: {type: A, value: 192.0.2.1}\n")]);
    let all = OctoDns::PLAIN.read(&Unit::new("xn--bcher-kva.example."), &files, &scope(&["ns"])).unwrap_err();
    assert_eq!(all[0].kind, RefusalKind::Overlap);
}

#[test]
fn keys_are_the_text_that_yaml_1_1_and_python_make_of_them() {
    let text = |key: &str| format!("{key}: {{type: A, value: 192.0.2.1}}\n");
    for (key, owner) in [
        ("''", "@"),
        ("'*'", "*"),
        ("'*.dev'", "*.dev"),
        ("129688", "129688"),
        ("1.10", "1.1"),
        ("'1.10'", "1.10"),
        ("010", "8"),
        ("1_0", "10"),
        ("null", "none"),
        ("~", "none"),
        ("yes", "true"),
        ("'yes'", "yes"),
        ("off", "false"),
        ("WWW", "www"),
        ("2024-01-01", "2024-01-01"),
        ("_sip._tcp", "_sip._tcp"),
        ("bücher", "xn--bcher-kva"),
    ] {
        assert_eq!(owners(&text(key)), [owner], "{key}");
    }
}

#[test]
fn names_stand_below_the_zone() {
    insta::assert_snapshot!(refused(&format!(
        "{}: {{type: A, value: 192.0.2.1}}\n'@': {{type: A, value: 192.0.2.1}}\nwww.example.com.: {{type: A, value: 192.0.2.1}}\na b: {{type: A, value: 192.0.2.1}}\na..b:\n  type: A\n",
        "a".repeat(64)
    )));
}

#[test]
fn without_a_ttl_a_record_lives_an_hour() {
    assert!(asks("www: {type: A, value: 192.0.2.1}").contains(" 3600 "));
    assert!(asks("www: {type: A, value: 192.0.2.1, ttl: '60'}").contains(" 60 "));
    assert!(asks("www: {type: A, value: 192.0.2.1, ttl: 0}").contains(" 0 "));
    for ttl in ["-1", "2147483648", "soon", "1.5", "[1]", "172,800", "~"] {
        assert!(refused(&format!("www:\n  type: A\n  value: 192.0.2.1\n  ttl: {ttl}\n")).contains("the ttl is no number from 0"), "{ttl}");
    }
}

#[test]
fn text_is_written_without_quotes_and_with_escaped_semicolons() {
    let txt = |value: &str| values(&format!("t:\n  type: TXT\n  value: {value}\n"));
    assert_eq!(txt("v=spf1 -all"), ["\"v=spf1 -all\""]);
    assert_eq!(txt(r"v=DKIM1\; k=rsa\; p=x"), ["\"v=DKIM1; k=rsa; p=x\""]);
    assert_eq!(txt(r#""v=DKIM1\\; p=x""#), ["\"v=DKIM1; p=x\""], "double quotes of YAML take one backslash");
    assert_eq!(txt(r#"'"quoted in quotes"'"#), ["\"quoted in quotes\""]);
    assert_eq!(txt(r#"'"one " "two"'"#), ["\"one two\""]);
    assert_eq!(txt(r#"'a "b" \c \092'"#), [r#""a \"b\" \\c \\092""#], "all but `\\;` is itself");
    assert_eq!(txt("''"), ["\"\""]);
    assert_eq!(txt("|\n    line\n"), ["\"line\\010\""]);
}

/// A true record: somebody pasted a provider's quoting into octoDNS. Its older text of it is no master file, its `to_rdata_text()` is exactly this.
#[test]
fn escaped_quotes_in_text_are_the_characters_that_stand_there() {
    let record = "dkim._domainkey:\n  type: TXT\n  value: v=DKIM1\\; p=MIIB\\\"\\\"xd6e\" \"CjnK\n";
    assert_eq!(values(record), [r#""v=DKIM1; p=MIIB\\\"\\\"xd6eCjnK""#]);
    assert!(asks(&format!("{record}www: {{type: A, value: 192.0.2.1}}\n")).contains("192.0.2.1"), "what stands beside it is read as ever");
}

#[test]
fn long_text_is_cut_at_255_octets() {
    let cut = values(&format!("t: {{type: TXT, value: '{}'}}", "x".repeat(511)));
    assert_eq!(cut, [format!("\"{}\" \"{}\" \"x\"", "x".repeat(255), "x".repeat(255))]);
    // The cut counts octets of the data, not characters of the escaped text.
    let cut = values(&format!("t: {{type: TXT, value: '{}\\;z'}}", "x".repeat(254)));
    assert_eq!(cut, [format!("\"{};\" \"z\"", "x".repeat(254))]);
}

#[test]
fn names_without_their_last_dot_are_full_names() {
    assert_eq!(values("c: {type: CNAME, value: Host.Example.NET}"), ["host.example.net."]);
    assert_eq!(values("n: {type: NS, values: [a.example.net, b.example.net.]}"), ["a.example.net.", "b.example.net."]);
    assert_eq!(values("m: {type: MX, value: {priority: '5', value: mail.example.net}}"), ["5 mail.example.net."]);
    assert_eq!(values("m: {type: MX, value: {preference: 0, exchange: .}}"), ["0 ."]);
    assert_eq!(values("c: {type: CNAME, value: bücher.example.}"), ["xn--bcher-kva.example."]);
}

#[test]
fn every_fault_is_told_with_its_place() {
    insta::assert_snapshot!(refused(include_str!("faulty.yaml")));
}

#[test]
fn a_type_that_the_target_lacks_is_refused_unless_policy_skips_it_by_name() {
    let text = "'':\n  - type: Route53Provider/ALIAS\n    value: {name: x, type: A}\n  - type: A\n    value: 192.0.2.1\nwww: {type: Route53Provider/ALIAS, value: {}}\n";
    insta::assert_snapshot!(asks(text));
    let mut scope = scope(&["ns"]);
    scope.policy.skip.clear();
    insta::assert_snapshot!(refusals(&OctoDns::PLAIN.read(&unit(), &Memory::new(&[("example.com.yaml", text)]), &scope).unwrap_err()));
}

#[test]
fn geo_and_dynamic_answers_are_refused() {
    insta::assert_snapshot!(refused("a:\n  type: A\n  value: 192.0.2.1\n  geo: {EU: [192.0.2.2]}\nb:\n  type: A\n  value: 192.0.2.1\n  dynamic: {pools: {}}\n"));
}

#[test]
fn included_and_excluded_choose_targets_and_ignored_leaves_out() {
    let text = "a: {type: A, value: 192.0.2.1, octodns: {included: [inside]}}\nb: {type: A, value: 192.0.2.1, octodns: {excluded: [inside]}}\nc: {type: A, value: 192.0.2.1}\nd: {type: A, value: 192.0.2.1, octodns: {ignored: true, healthcheck: {host: x}}}\n";
    let desired = OctoDns::PLAIN.read(&unit(), &Memory::new(&[("example.com.yaml", text)]), &scope(&["inside", "outside"])).unwrap();
    insta::assert_snapshot!(told(&desired));
}

#[test]
fn lenient_reads_what_only_strict_checks_refuse() {
    let record = "t:\n  type: TXT\n  value: v=DMARC1; p=none;é\n  octodns: {lenient: true}\nc:\n  type: CNAME\n  value: v=spf1 a;b.example.com\n  octodns: {lenient: true}\n";
    insta::assert_snapshot!(asks(record));
    let whole = record.replace("  octodns: {lenient: true}\n", "");
    assert!(read(&whole).is_err());
    assert_eq!(told(&lenient(&whole).unwrap()).replace("dns/example.com.yaml:4:1", "dns/example.com.yaml:5:1"), asks(record));
    assert!(lenient("a: {type: A, value: 999.0.2.1}").is_err(), "what no server can hold is never read");
    assert!(lenient("a: {type: CNAME, value: 'v=DMARC1\\; p=none'}").is_err(), "a policy is no host name, however it is read");
    assert!(lenient("a: {type: CNAME, value: 'https://example.com/'}").is_err());
    assert!(lenient("a: {ttl: 60}").is_err());
}

#[test]
fn a_zone_without_records_asks_for_nothing() {
    for text in ["", "---\n", "# nothing\n", "{}", "---\n...\n"] {
        assert_eq!(read(text).unwrap(), Desired::default(), "{text:?}");
    }
    assert!(refused("- a\n- b\n").contains("a list stands where the names of the zone must be"));
    assert!(refused("a: 1\n").contains("stands where a record must be"));
}

#[test]
fn what_is_no_yaml_is_refused() {
    for bytes in [&b"a: [1\n"[..], b"\xff\xfe", b"a: &x [*x]\n", b"a: 1\na: 2\n", b"a: !include b.yaml\n"] {
        let files = Memory { all: [("example.com.yaml".into(), bytes.to_vec())].into(), own: vec!["example.com.yaml".into()], asked: Default::default() };
        let all = OctoDns::PLAIN.read(&unit(), &files, &scope(&["ns"])).unwrap_err();
        assert_eq!(all[0].kind, RefusalKind::Syntax, "{bytes:?}");
    }
}

#[test]
fn a_file_that_is_a_zones_but_for_case_extension_or_dots_is_told_its_name() {
    let meant = [
        ("other.org.yml", Some("other.org.yaml")),
        ("Example.COM.yaml", Some("example.com.yaml")),
        ("example.com..yaml", Some("example.com.yaml")),
        ("example.com/www.yaml", Some("example.com./www.yaml")),
        ("Example.com./www.yml", Some("example.com./www.yaml")),
        ("config.yaml", None),
        ("zones/www.yaml", None),
        ("README.md", None),
        ("example.com./README.md", None),
    ];
    for (path, right) in meant {
        assert_eq!((OctoDns::PLAIN.unit_of(path), OctoDns::PLAIN.meant(path).as_deref()), (None, right), "{path}");
        assert!(right.is_none_or(|right| OctoDns::PLAIN.unit_of(right).is_some()), "{path}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let files = Memory { all: [("example.com.yaml".into(), bytes)].into(), own: vec!["example.com.yaml".into()], asked: Default::default() };
        if let Err(all) = OctoDns::PLAIN.read(&unit(), &files, &scope(&["ns"])) {
            prop_assert!(!all.is_empty() && all.iter().all(|refusal| refusal.place.is_some()));
        }
    }

    #[test]
    fn any_record_is_read_or_refused_with_a_place(
        kind in prop_oneof![Just("A"), Just("TXT"), Just("MX"), Just("CNAME"), Just("SRV"), Just("CAA"), Just("HTTPS"), Just("LOC"), Just("NAPTR"), Just("DS"), Just("URI")],
        key in "[a-z0-9.*_~'-]{0,6}",
        part in prop_oneof![Just("value"), Just("values"), Just("exchange"), Just("targetname"), Just("svcparams")],
        value in "[ -~éñ\\n]{0,30}",
        quoted in any::<bool>(),
        easy in any::<bool>(),
    ) {
        let value = if quoted { serde_json::Value::from(value).to_string() } else { value };
        let text = format!("'{}':\n  type: {kind}\n  {part}: {value}\n", key.replace('\'', ""));
        if let Err(all) = if easy { lenient(&text) } else { read(&text) } {
            prop_assert!(!all.is_empty() && all.iter().all(|refusal| refusal.place.is_some()));
        }
    }
}
