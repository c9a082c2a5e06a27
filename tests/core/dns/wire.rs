//! Values to records and back: what is read from a server equals what a file asks for.

use super::{id, raw};
use hickory_proto::{
    rr::{Name, RData, Record, RecordType},
    serialize::binary::{BinDecodable, BinDecoder, BinEncodable, BinEncoder},
};
use proptest::prelude::*;
use std::str::FromStr;
use trueup::core::model::{Kind, Value};
use trueup::kinds::dns::{DNS, DnsName, quoted, split, wire};

/// Sends a record through its wire form, as a server would return it.
fn over_the_wire(record: &Record) -> Record {
    let mut bytes = Vec::new();
    record.emit(&mut BinEncoder::new(&mut bytes)).unwrap();
    Record::read(&mut BinDecoder::new(&bytes)).unwrap()
}

fn back(owner: &str, rtype: &str, value: &Value) -> Value {
    let records: Vec<Record> = wire::to_rrset(&id(owner, rtype), value).unwrap().records().iter().map(over_the_wire).collect();
    wire::from_records(&records).unwrap()
}

#[test]
fn a_value_survives_the_wire_for_every_type() {
    let values: &[(&str, &[&str])] = &[
        ("A", &["192.0.2.1", "192.0.2.2"]),
        ("AAAA", &["2001:db8::1"]),
        ("CNAME", &["www.example.net."]),
        ("NS", &["a.example.net.", "b.example.net."]),
        ("MX", &["10 mail.example.com.", "0 ."]),
        ("TXT", &["\"v=spf1 include:_spf.example.com ~all\"", "\"a\\\"b\\\\c;d\\195\\169\\000\" \"second\"", "\"\""]),
        ("SPF", &["\"v=spf1 -all\""]),
        ("SRV", &["10 60 5060 sip.example.com."]),
        ("CAA", &["0 issue \"letsencrypt.org; validationmethods=dns-01\"", "0 iodef \"mailto:a@example.com\"", "0 issuewild \";\"", "1 weird \"\\200\""]),
        ("PTR", &["host.example.com."]),
        ("DS", &["60485 8 2 abcdef0123456789"]),
        ("TLSA", &["3 1 1 d2abde24"]),
        ("SSHFP", &["4 2 123abc"]),
        ("NAPTR", &["10 20 \"U\" \"E2U+sip\" \"!^.*$!sip:x@example.com!\" .", "10 20 \"\" \"\" \"\" a.example.com."]),
        ("DNAME", &["example.net."]),
        ("HTTPS", &["1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1 key667=\"x\\210\""]),
        ("SVCB", &["0 svc.example.net."]),
        ("LOC", &["52 22 23.000 N 4 53 32.000 E -2.00m 1.00m 10000.00m 10.00m"]),
        ("URI", &["10 1 \"https://example.com/\""]),
        ("RP", &["admin.example.com. txt.example.com."]),
        ("HINFO", &["\"PC\" \"Linux\""]),
        ("TYPE731", &["\\# 3 abcdef", "\\# 0"]),
    ];
    for (rtype, texts) in values {
        // DNS libraries read an empty RDATA as an update form; no server holds it in data of a plain type.
        let texts: Vec<&str> = texts.iter().copied().filter(|text| *text != "\\# 0").collect();
        let value = DNS.canon(&id("www", rtype), raw(300, &texts)).unwrap();
        assert_eq!(back("www", rtype, &value), value, "{rtype}");
    }
}

#[test]
fn letter_case_on_the_server_is_no_difference() {
    let record =
        Record::from_rdata(Name::from_str("WWW.Example.COM.").unwrap(), 300, RData::CNAME(hickory_proto::rr::rdata::CNAME(Name::from_str("Target.Example.NET.").unwrap())));
    let zone = DnsName::parse("example.com.").unwrap();
    let found = wire::record_id("ns", &zone, &record).unwrap();
    assert_eq!(found, id("www", "CNAME"));
    assert_eq!(wire::from_records([&record]).unwrap(), DNS.canon(&found, raw(300, &["target.example.net."])).unwrap());
}

#[test]
fn a_wildcard_keeps_its_star_and_an_at_sign_is_no_apex() {
    assert_eq!(&*id("*.dev", "A").name, "example.com./*.dev/A");
    assert_eq!(&*id("@", "A").name, "example.com./@/A");
    assert_eq!(&*id("\\@", "A").name, "example.com./\\@/A");
    assert_eq!(split(&id("\\@", "A")).unwrap().owner.to_string(), "\\@.example.com.");
}

#[test]
fn a_slash_in_a_label_does_not_split_the_name() {
    let zone = DnsName::parse("0/25.2.0.192.in-addr.arpa.").unwrap();
    let owner = DnsName::parse_under("1/2", &zone).unwrap();
    let id = trueup::kinds::dns::rrset_id("ns", &zone, &owner, trueup::kinds::dns::RType::PTR).unwrap();
    assert_eq!(&*id.name, "0\\04725.2.0.192.in-addr.arpa./1\\0472/PTR");
    let parts = split(&id).unwrap();
    assert_eq!((parts.zone, parts.owner), (zone, owner));
    assert_eq!(DNS.unit(&id).as_str(), "0/25.2.0.192.in-addr.arpa.");
}

#[test]
fn what_a_server_makes_itself_is_no_resource() {
    let zone = DnsName::parse("example.com.").unwrap();
    for code in [6u16, 46, 47, 48, 50, 51, 59, 60, 65534] {
        let data = RData::Unknown { code: RecordType::Unknown(code), rdata: hickory_proto::rr::rdata::NULL::with(vec![0]) };
        let mut record = Record::from_rdata(Name::from_str("example.com.").unwrap(), 300, data);
        record.data = RData::Update0(RecordType::from(code));
        assert_eq!(wire::record_id("ns", &zone, &record), None, "{code}");
    }
}

proptest! {
    #[test]
    fn any_txt_survives_the_wire(strings in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..=255), 1..4)) {
        let text: Vec<String> = strings.iter().map(|bytes| quoted(bytes)).collect();
        let value = DNS.canon(&id("@", "TXT"), raw(60, &[&text.join(" ")])).unwrap();
        prop_assert_eq!(back("@", "TXT", &value), value);
    }

    #[test]
    fn any_name_survives_its_text_and_the_wire(labels in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..=20), 0..6)) {
        let name = DnsName::from_labels(labels.iter().map(Vec::as_slice)).unwrap();
        prop_assert_eq!(&DnsName::parse(&name.to_string()).unwrap(), &name);
        prop_assert_eq!(&wire::from_name(&wire::to_name(&name)).unwrap(), &name);
        let zone = DnsName::parse("example.com.").unwrap();
        if let Ok(owner) = DnsName::from_labels(name.labels().chain(zone.labels())) {
            let id = trueup::kinds::dns::rrset_id("ns", &zone, &owner, trueup::kinds::dns::RType::TXT).unwrap();
            prop_assert_eq!(split(&id).unwrap().owner, owner);
            prop_assert_eq!(trueup::core::model::ResourceId::parse(&id.to_string()).unwrap(), id);
        }
    }
}
