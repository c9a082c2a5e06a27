//! What DNS means: canonical values, zones, references, exclusions, protections.

use super::{id, raw};
use trueup::core::{
    model::{Desired, Kind, Place, RefusalKind, ResourceId, Value, Wanted},
    plan::Undo,
};
use trueup::kinds::dns::DNS;

fn desired(records: &[(&str, &str, &[&str])]) -> Desired {
    let mut desired = Desired::default();
    for (line, (owner, rtype, values)) in (1..).zip(records) {
        let id = id(owner, rtype);
        let value = DNS.canon(&id, raw(300, values)).unwrap();
        desired.resources.insert(id, Wanted { value, place: Place::new("example.com.yaml", line, 1), after: Vec::new() });
    }
    desired
}

#[test]
fn values_are_sorted_and_stand_once() {
    let value = DNS.canon(&id("www", "A"), raw(60, &["192.0.2.9", "192.0.2.10", "192.0.2.9"])).unwrap();
    assert_eq!(DNS.lines(&id("www", "A"), &value), ["60 192.0.2.10", "60 192.0.2.9"]);
    assert_eq!(DNS.canon(&id("www", "A"), value.clone()).unwrap(), value);
}

#[test]
fn a_ttl_fits_31_bits() {
    for (ttl, fits) in [(0, true), (2_147_483_647, true), (2_147_483_648, false), (-1, false)] {
        assert_eq!(DNS.canon(&id("www", "A"), raw(ttl, &["192.0.2.1"])).is_ok(), fits, "{ttl}");
    }
}

#[test]
fn a_cname_has_one_value() {
    let refusal = DNS.canon(&id("www", "CNAME"), raw(60, &["a.example.", "b.example."])).unwrap_err();
    assert_eq!((refusal.kind, refusal.to_string()), (RefusalKind::Value, "a CNAME has 2 values; one is allowed; leave one".to_owned()));
    assert!(DNS.canon(&id("www", "CNAME"), raw(60, &["a.example.", "A.Example."])).is_ok(), "the same value twice is one value");
}

#[test]
fn an_empty_rrset_and_unknown_keys_are_refused() {
    assert!(DNS.canon(&id("www", "A"), raw(60, &[])).is_err());
    assert!(DNS.canon(&id("www", "A"), Value::map([("ttl", Value::Int(1)), ("values", Value::List(vec![Value::str("192.0.2.1")])), ("geo", Value::Null)])).is_err());
    assert!(DNS.canon(&id("@", "SOA"), raw(60, &["\\# 0"])).is_err());
    assert!(DNS.canon(&ResourceId::new("ns", "rrset", "example.com/www/A"), raw(60, &["192.0.2.1"])).is_err());
}

#[test]
fn an_rrset_belongs_to_its_zone() {
    assert_eq!(DNS.unit(&id("a.b", "A")).as_str(), "example.com.");
}

#[test]
fn the_way_back_is_the_content_before() {
    let before = raw(60, &["192.0.2.1"]);
    assert_eq!(DNS.undo(Some(&before), None), Undo::To(Some(before.clone())));
    assert_eq!(DNS.undo(None, Some(&before)), Undo::To(None));
}

#[test]
fn what_points_at_a_name_mentions_it_and_addresses_provide_it() {
    let keys = |rtype: &str, values: &[&str]| -> Vec<String> { DNS.mentions(&id("www", rtype), &raw(60, values)).into_iter().map(|mention| mention.key.to_string()).collect() };
    assert_eq!(keys("CNAME", &["a.example.com."]), ["dns:a.example.com."]);
    assert_eq!(keys("MX", &["10 b.example.com.", "5 a.example.com.", "7 a.example.com."]), ["dns:a.example.com.", "dns:b.example.com."]);
    assert_eq!(keys("SRV", &["1 2 3 s.example.com."]), ["dns:s.example.com."]);
    assert_eq!(keys("HTTPS", &["1 svc.example.com."]), ["dns:svc.example.com."]);
    assert!(keys("MX", &["0 ."]).is_empty() && keys("TXT", &["\"a.example.com.\""]).is_empty() && keys("A", &["192.0.2.1"]).is_empty());
    assert_eq!(DNS.provides(&id("www", "A"), &Value::Null), ["dns:www.example.com.".into()]);
    assert!(DNS.provides(&id("www", "MX"), &Value::Null).is_empty());
}

#[test]
fn a_cname_and_what_stands_beside_it_share_a_key() {
    assert_eq!(DNS.excludes(&id("www", "CNAME")), DNS.excludes(&id("www", "A")));
    assert_ne!(DNS.excludes(&id("www", "CNAME")), DNS.excludes(&id("api", "A")));
    assert!(DNS.excludes(&id("@", "A")).is_empty(), "no CNAME can stand at the top of a zone");
    assert!(!DNS.excludes(&id("\\@", "A")).is_empty());
}

#[test]
fn a_cname_beside_other_data_is_refused() {
    let found = DNS.check_unit(&desired(&[("www", "CNAME", &["a.example.net."]), ("www", "A", &["192.0.2.1"]), ("www", "TXT", &["\"x\""]), ("ok", "CNAME", &["b.example.net."])]));
    insta::assert_snapshot!(found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_cname_at_the_top_of_a_zone_is_refused() {
    let found = DNS.check_unit(&desired(&[("@", "CNAME", &["a.example.net."])]));
    insta::assert_snapshot!(found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_delegation_below_the_zone_is_ordinary() {
    assert!(DNS.check_unit(&desired(&[("sub", "NS", &["ns.sub.example.com."]), ("ns.sub", "A", &["192.0.2.1"]), ("sub", "DS", &["1 8 2 abcd"])])).is_empty());
    assert_eq!(DNS.protected(&id("sub", "NS")), None);
}

#[test]
fn the_name_servers_of_the_zone_itself_are_protected() {
    assert!(DNS.protected(&id("@", "NS")).is_some());
    assert!(DNS.protected(&id("@", "SOA")).is_some());
    assert_eq!(DNS.protected(&id("@", "MX")), None);
}

#[test]
fn readers_see_a_name_a_type_and_one_line_a_value() {
    let id = id("*.dev", "MX");
    let value = DNS.canon(&id, raw(60, &["10 b.example.com.", "5 a.example.com."])).unwrap();
    assert_eq!(DNS.title(&id), "*.dev.example.com MX");
    assert_eq!(DNS.lines(&id, &value), ["60 10 b.example.com.", "60 5 a.example.com."]);
}
