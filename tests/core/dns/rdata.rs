//! Record data: one text a value, whatever way it was written.

use super::canon;
use proptest::prelude::*;
use trueup::kinds::dns::{RType, parse_rdata, print_rdata};

/// Every type with a form of its own: what a person may write, and the one form of it.
const FORMS: &[(&str, &str, &str)] = &[
    ("A", "192.0.2.1", "192.0.2.1"),
    ("AAAA", "2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
    ("CNAME", "Host.Example.COM.", "host.example.com."),
    ("NS", "NS1.example.net.", "ns1.example.net."),
    ("PTR", "a.example.com.", "a.example.com."),
    ("DNAME", "other.example.", "other.example."),
    ("MX", "010 Mail.example.com.", "10 mail.example.com."),
    ("MX", "0 .", "0 ."),
    ("TXT", "plain", "\"plain\""),
    ("TXT", "\"a b\"  \"c\"", "\"a b\" \"c\""),
    ("TXT", "\"v=DKIM1\\; p=x\"", "\"v=DKIM1; p=x\""),
    ("TXT", "\"quote \\\" back \\\\ tab \\009 é\"", "\"quote \\\" back \\\\ tab \\009 \\195\\169\""),
    ("TXT", "\"\"", "\"\""),
    ("SPF", "\"v=spf1 -all\"", "\"v=spf1 -all\""),
    ("SRV", "10 60 5060 SIP.example.com.", "10 60 5060 sip.example.com."),
    ("CAA", "0 issue letsencrypt.org", "0 issue \"letsencrypt.org\""),
    ("CAA", "128 iodef \"mailto:sec@example.com\"", "128 iodef \"mailto:sec@example.com\""),
    ("CAA", "0 issue \";\"", "0 issue \";\""),
    ("DS", "60485 5 1 2BB183AF5F22588179A53B0A 98631FAD1A292118", "60485 5 1 2bb183af5f22588179a53b0a98631fad1a292118"),
    ("TLSA", "3 1 1 D2ABDE24", "3 1 1 d2abde24"),
    ("SMIMEA", "3 1 1 d2abde24", "3 1 1 d2abde24"),
    ("SSHFP", "4 2 123ABC", "4 2 123abc"),
    ("NAPTR", "10 20 S SIP+D2U \"\" _sip._udp.Example.com.", "10 20 \"S\" \"SIP+D2U\" \"\" _sip._udp.example.com."),
    ("NAPTR", "10 20 \"U\" \"E2U+sip\" \"!^.*$!sip:a\\\\1@b!\" .", "10 20 \"U\" \"E2U+sip\" \"!^.*$!sip:a\\\\1@b!\" ."),
    ("LOC", "52 22 23 N 4 53 32 E -2m", "52 22 23.000 N 4 53 32.000 E -2.00m 1.00m 10000.00m 10.00m"),
    ("LOC", "31 58 52.1 S 115 49 11.7 w 20m 10m 10m 2m", "31 58 52.100 S 115 49 11.700 W 20.00m 10.00m 10.00m 2.00m"),
    ("HTTPS", "1 . port=8443 alpn=\"h2,h3\"", "1 . alpn=h2,h3 port=8443"),
    ("HTTPS", "0 Svc.example.com.", "0 svc.example.com."),
    ("SVCB", "16 foo.example.org. (alpn", ""),
    (
        "SVCB",
        "16 foo.example.org. mandatory=ipv4hint,alpn alpn=\"f\\\\\\\\oo\\\\,bar,h2\" ipv4hint=192.0.2.1",
        "16 foo.example.org. mandatory=alpn,ipv4hint alpn=\"f\\\\\\\\oo\\\\,bar,h2\" ipv4hint=192.0.2.1",
    ),
    ("SVCB", "1 . key667=\"hello\\210qoo\" ipv6hint=\"2001:db8::1,2001:db8::53:1\"", "1 . ipv6hint=2001:db8::1,2001:db8::53:1 key667=\"hello\\210qoo\""),
    ("URI", "10 1 \"https://example.com/a b\"", "10 1 \"https://example.com/a b\""),
    ("HINFO", "PC \"Linux 6\"", "\"PC\" \"Linux 6\""),
    ("RP", "Admin.example.com. .", "admin.example.com. ."),
    ("AFSDB", "1 afs.example.com.", "1 afs.example.com."),
    ("OPENPGPKEY", "AQID BAU=", "AQIDBAU="),
    ("TYPE731", "\\# 6 abCD ef012345", "\\# 6 abcdef012345"),
    ("TYPE731", "\\# 0", "\\# 0"),
    ("A", "\\# 4 c0000201", "192.0.2.1"),
];

#[test]
fn every_type_has_one_text_however_it_was_written() {
    for (rtype, written, canonical) in FORMS {
        if canonical.is_empty() {
            assert!(canon(rtype, &[written]).is_err(), "{rtype} {written}");
            continue;
        }
        assert_eq!(canon(rtype, &[written]).unwrap_or_else(|refusal| panic!("{rtype} {written}: {refusal}")), [*canonical], "{rtype} {written}");
        assert_eq!(canon(rtype, &[canonical]).unwrap(), [*canonical], "the canonical text of {rtype} is its own");
    }
}

#[test]
fn what_a_type_cannot_hold_is_refused_with_advice() {
    let bad = [
        ("A", "192.0.2.256"),
        ("A", "host.example.com."),
        ("A", "192.0.2.1 192.0.2.2"),
        ("A", "192.0.02.1"),
        ("AAAA", "192.0.2.1"),
        ("AAAA", "2001:db8::g"),
        ("CNAME", "https://example.com/path."),
        ("CNAME", "host.example.com"),
        ("CNAME", "a..example.com."),
        ("CNAME", "a b.example.com."),
        ("MX", "mail.example.com."),
        ("MX", "65536 mail.example.com."),
        ("SRV", "1 2 3"),
        ("TXT", "\"open"),
        ("TXT", "\"\\256\""),
        ("TXT", "\"\\1x\""),
        ("CAA", "0 is-sue \"x\""),
        ("CAA", "256 issue \"x\""),
        ("DS", "1 2 3 xyz"),
        ("TLSA", "3 1 1 abc"),
        ("SSHFP", "4 2"),
        ("LOC", "91 0 0 N 0 0 0 E 0m"),
        ("LOC", "52 60 0 N 0 0 0 E 0m"),
        ("LOC", "52 N"),
        ("HTTPS", "1 . port=70000"),
        ("HTTPS", "1 . port"),
        ("HTTPS", "1 . alpn=h2 alpn=h3"),
        ("HTTPS", "1 . nonsense=1"),
        ("TYPE731", "whatever"),
        ("TYPE731", "\\# 3 abcd"),
        ("A", "\\# 3 abcdef"),
        ("OPENPGPKEY", "???"),
    ];
    let told: Vec<String> = bad.iter().map(|(rtype, text)| format!("{rtype} {text}\n    {}", canon(rtype, &[text]).expect_err(text))).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn labels_and_names_have_their_limits() {
    let label = "a".repeat(63);
    assert!(canon("CNAME", &[&format!("{label}.example.com.")]).is_ok());
    assert!(canon("CNAME", &[&format!("{label}a.example.com.")]).unwrap_err().what.contains("64 octets; 63 are allowed"));
    let name = format!("{label}.{label}.{label}.{}.", "a".repeat(61));
    assert!(canon("CNAME", &[&name]).is_ok());
    assert!(canon("CNAME", &[&format!("b{name}")]).is_err());
    assert!(canon("CNAME", &[&format!("b.{name}")]).unwrap_err().what.contains("255 are allowed"));
}

#[test]
fn a_character_string_holds_255_octets() {
    assert!(canon("TXT", &[&format!("\"{}\"", "x".repeat(255))]).is_ok());
    assert!(canon("TXT", &[&format!("\"{}\"", "x".repeat(256))]).unwrap_err().what.contains("256 octets"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_and_what_is_read_prints_to_itself(code in prop_oneof![Just(1u16), Just(16), Just(15), Just(29), Just(33), Just(35), Just(43), Just(64), Just(257), 0u16..=300], text in "[ -~é\\\\\"]{0,40}") {
        let rtype = RType(code);
        if let Ok(wire) = parse_rdata(rtype, &text) {
            let printed = print_rdata(rtype, &wire);
            let again = parse_rdata(rtype, &printed).unwrap();
            prop_assert_eq!(print_rdata(rtype, &again), printed);
        }
    }

    #[test]
    fn any_octets_print_to_text_that_reads_back_to_them(code in 1u16..=300, wire in proptest::collection::vec(any::<u8>(), 0..60)) {
        let rtype = RType(code);
        let printed = print_rdata(rtype, &wire);
        if let Ok(again) = parse_rdata(rtype, &printed) {
            // Names are held in lower case; every other octet is kept.
            prop_assert_eq!(again.to_ascii_lowercase(), wire.to_ascii_lowercase());
        } else {
            prop_assert!(printed.starts_with("\\# "), "{}", printed);
        }
    }
}
