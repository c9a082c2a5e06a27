//! `octodns.healthcheck` where a source opts in: octoDNS' own defaults, a probe a value, and what is refused or told.

use super::files::{Memory, refusals, scope};
use trueup::{
    core::model::{Check, Desired, Refusal, Unit},
    formats::{Format, octodns::OctoDns},
    kinds::dns,
};

const ASKING: OctoDns = OctoDns { healthchecks: true, ..OctoDns::PLAIN };

fn read(format: OctoDns, text: &str) -> Result<Desired, Vec<Refusal>> {
    format.read(&Unit::new("example.com."), &Memory::new(&[("example.com.yaml", text)]), &scope(&["ns"]))
}

/// One record `www` of this type and data, with this section.
fn record(data: &str, section: &str) -> String {
    format!("www:\n  {data}\n  octodns:\n    healthcheck: {section}\n")
}

/// What is asked of a text's records, a line each.
fn asks(text: &str) -> Vec<String> {
    let desired = read(ASKING, text).unwrap_or_else(|all| panic!("{}", refusals(&all)));
    let mut lines = Vec::new();
    for (id, check) in &desired.checks {
        match check {
            Check::Unasked { why, place } => lines.push(format!("{place}: {why}")),
            Check::Asked(check) => lines.extend(dns::data(&desired.resources[id].value).map(|value| check.probe(value.trim_end_matches('.')).to_string())),
        }
    }
    lines
}

const TWO: &str = "{type: A, values: [192.0.2.1, 192.0.2.2]}";

/// `www` of type A with two values.
fn two(section: &str) -> String {
    record("type: A\n  values: [192.0.2.1, 192.0.2.2]", section)
}

#[test]
fn every_value_is_asked_for_the_record_as_octodns_has_it() {
    assert_eq!(asks(&two("{}")), ["GET https://www.example.com/_dns at 192.0.2.1 answers 200", "GET https://www.example.com/_dns at 192.0.2.2 answers 200"]);
    let own = two("{host: Shop.example.net., path: ready, port: 8080, protocol: HTTP}");
    assert_eq!(asks(&own), ["GET http://shop.example.net:8080/ready at 192.0.2.1 answers 200", "GET http://shop.example.net:8080/ready at 192.0.2.2 answers 200"]);
    assert_eq!(asks(&two("{protocol: HTTP, port: '80'}"))[0], "GET http://www.example.com/_dns at 192.0.2.1 answers 200");
    assert_eq!(asks(&two("{protocol: HTTP}"))[0], "GET http://www.example.com:443/_dns at 192.0.2.1 answers 200", "octoDNS' port does not follow the protocol");
    assert_eq!(asks(&two("{host: null}"))[0], "GET https://192.0.2.1/_dns answers 200", "the value itself");
    assert_eq!(asks(&two("{protocol: TCP, port: 5432}"))[1], "192.0.2.2:5432 takes a connection");
    let six = |section: &str| asks(&record("type: AAAA\n  value: 2001:db8::1", section)).concat();
    assert_eq!(six("{}"), "GET https://www.example.com/_dns at 2001:db8::1 answers 200");
    assert_eq!(six("{host: ''}"), "GET https://[2001:db8::1]/_dns answers 200");
    assert_eq!(six("{protocol: TCP}"), "[2001:db8::1]:443 takes a connection");
    let name = asks(&record("type: CNAME\n  value: web.example.net.", "{}"));
    assert_eq!(name, ["GET https://www.example.com/_dns at web.example.net answers 200"], "asked for the record, wherever it points");
    assert_eq!(asks(&format!("a: {TWO}\n")), Vec::<String>::new(), "who says nothing is asked nothing");
    assert_eq!(asks("a: {type: A, value: 192.0.2.1, octodns: {healthcheck: null}}\n"), Vec::<String>::new());
}

#[test]
fn what_is_not_asked_says_why_with_its_place() {
    let text = two("{protocol: ICMP}");
    assert_eq!(asks(&text), ["dns/example.com.yaml:5:5: ICMP is not asked; HTTP, HTTPS and TCP are"]);
    let text = record("type: TXT\n  value: hello", "{}");
    assert_eq!(asks(&text), ["dns/example.com.yaml:5:5: only values of A, AAAA and CNAME records can be asked"]);
    // Without opting in nothing of it is judged, not even what makes no sense.
    let plain = read(OctoDns::PLAIN, &two("{port: none}")).unwrap();
    let why: Vec<_> = plain.checks.values().map(|check| format!("{check:?}")).collect();
    assert!(why.len() == 1 && why[0].contains("`healthchecks: true` beside the source asks it"), "{why:?}");
    let asking = read(ASKING, &two("{}")).unwrap();
    assert_eq!(plain.resources, asking.resources, "what is served does not depend on it");
    let nobody = read(
        ASKING,
        "a: {type: A, value: 192.0.2.1, octodns: {ignored: true, healthcheck: {port: none}}}\nb: {type: A, value: 192.0.2.1, octodns: {excluded: [ns], healthcheck: {}}}\n",
    )
    .unwrap();
    assert!(nobody.checks.is_empty(), "what is not governed is not asked: {:?}", nobody.checks);
}

#[test]
fn a_healthcheck_that_cannot_be_asked_is_refused_with_its_place() {
    let cases = [
        ("no map", two("HTTPS")),
        ("a misspelt key", two("{prot: HTTP}")),
        ("no protocol", two("{protocol: https}")),
        ("no port", two("{port: 0}")),
        ("no port either", two("{port: none}")),
        ("an address for a host", two("{host: 192.0.2.9}")),
        ("no host", two("{host: 'a b'}")),
        ("a number for a host", two("{host: 5}")),
        ("no path", two("{path: 'a b'}")),
        ("a wildcard", "'*':\n  type: A\n  value: 192.0.2.1\n  octodns: {healthcheck: {}}\n".to_owned()),
    ];
    let told: Vec<String> = cases.iter().map(|(name, text)| format!("── {name}\n{}", refusals(&read(ASKING, text).expect_err(name)))).collect();
    insta::assert_snapshot!(told.join("\n"));
    // Providers' own words are theirs.
    assert_eq!(asks(&two("{frequency: 60, sonar_regions: [EU]}")).len(), 2);
}
