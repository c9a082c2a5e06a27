//! What keys mean: their bytes, their limits, what grants call them.

use trueup::core::{
    model::{Desired, Grant, Kind, Place, ResourceId, Value, Wanted},
    plan::Undo,
};
use trueup::kinds::{
    config::{Config, KEYS, Names, Shape, bytes, key_id, value},
    dns::DNS,
    of,
};

/// A folder of files.
fn files() -> &'static Config {
    Config::of_target(Shape { names: Names::Files, key_bytes: 40, value_bytes: 8, ops: 10, bytes: 100, atomic: false })
}

fn refused(kind: &Config, key: &str, content: &[u8]) -> String {
    kind.canon(&key_id("t", key), value(content)).expect_err(key).to_string()
}

#[test]
fn bytes_are_kept_whatever_they_are() {
    for content in [&b""[..], b"5", b"5\n", b"a\r\nb", "\u{feff}gr\u{fc}n".as_bytes(), b"\x00", b"\xff\xfe\x00", b"base64: AA=="] {
        let value = value(content);
        assert_eq!(bytes(&value).unwrap(), content);
        assert_eq!(KEYS.canon(&key_id("t", "a"), value.clone()).unwrap(), value, "{content:?}");
        assert_eq!(value.as_str().is_some(), std::str::from_utf8(content).is_ok(), "text is text, the rest is not");
    }
}

#[test]
fn text_written_as_base64_is_text() {
    let written = Value::map([("base64", Value::str("aGVsbG8="))]);
    assert_eq!(KEYS.canon(&key_id("t", "a"), written).unwrap(), Value::str("hello"));
    for wrong in [Value::Int(5), Value::Null, Value::map([("base64", Value::str("!"))]), Value::map([("base64", Value::str("")), ("x", Value::Null)])] {
        assert!(KEYS.canon(&key_id("t", "a"), wrong).is_err());
    }
}

#[test]
fn a_line_break_at_the_end_is_never_hidden() {
    let id = key_id("t", "a");
    let lines = |text: &str| KEYS.lines(&id, &Value::str(text));
    assert_eq!(lines("5"), ["5"]);
    assert_eq!(lines("5\n"), ["5", "(a line break at the end)"]);
    assert_eq!(lines("a\nb\n"), ["a", "b"]);
    assert_eq!(lines("a\nb"), ["a", "b", "(no line break at the end)"]);
    assert_eq!(lines("a\r\nb\r\n"), ["a\\r", "b\\r"]);
    assert_eq!(lines(""), ["(empty)"]);
    assert_eq!(lines("\n"), ["", "(a line break at the end)"]);
    let binary = KEYS.lines(&id, &value(b"\xff\x00"));
    assert!(binary.len() == 1 && binary[0].starts_with("(binary, 2 bytes, "), "{binary:?}");
}

#[test]
fn what_a_folder_of_files_cannot_hold_is_refused_with_advice() {
    let long = "x".repeat(41);
    let faults: Vec<String> = [
        ("/app/a", &b"1"[..]),
        ("app//a", b"1"),
        ("app/", b"1"),
        ("app/../../etc/passwd", b"1"),
        ("./a", b"1"),
        (long.as_str(), b"1"),
        ("a\u{7}b", b"1"),
        ("app/.trueup-1", b"1"),
        ("a", b"123456789"),
    ]
    .into_iter()
    .map(|(key, content)| refused(files(), key, content))
    .collect();
    insta::assert_snapshot!(faults.join("\n"));
    assert!(files().canon(&key_id("t", "app/..a/b.c"), value(b"12345678")).is_ok());
    assert!(files().canon(&ResourceId::new("t", "rrset", "a"), value(b"1")).is_err());
}

#[test]
fn a_key_that_is_also_a_folder_is_refused_where_keys_are_files() {
    let mut desired = Desired::default();
    for (line, key) in (1..).zip(["a", "a.b", "a/b/c", "a/b", "ab/c"]) {
        desired.resources.insert(key_id("t", key), Wanted { value: Value::str("1"), place: Place::new("f", line, 1), after: Vec::new() });
    }
    let faults: Vec<String> = files().check_unit(&desired).iter().map(ToString::to_string).collect();
    assert_eq!(
        faults,
        [
            "f:4:1: `a` is a key and a folder at once: `a/b` stands below it, and this target keeps a key as a file (also at f:1:1); rename one of the two",
            "f:3:1: `a` is a key and a folder at once: `a/b/c` stands below it, and this target keeps a key as a file (also at f:1:1); rename one of the two",
            "f:3:1: `a/b` is a key and a folder at once: `a/b/c` stands below it, and this target keeps a key as a file (also at f:4:1); rename one of the two",
        ]
    );
    assert!(KEYS.check_unit(&desired).is_empty(), "etcd and Consul hold both");
}

#[test]
fn grants_name_keys_and_prefixes() {
    let grant = |units: &[&str]| Grant { target: "t".into(), units: units.iter().map(|unit| (*unit).into()).collect(), sensitive: Vec::new(), shared: false };
    let covers = |units: &[&str], key: &str| grant(units).covers(&key_id("t", key), &KEYS);
    assert!(covers(&[], "/anything"));
    assert!(covers(&["/app/*"], "/app/db/host") && covers(&["/other", "/app/db/host"], "/app/db/host"));
    for outside in ["/application", "/app", "app/x", "/x/app/y"] {
        assert!(!covers(&["/app/*"], outside), "{outside}");
    }
    assert!(!grant(&[]).covers(&key_id("u", "/app/x"), &KEYS), "another target");
    assert!(!covers(&["keys"], "/app/x"), "the unit's own name means nothing here");
    assert_eq!((&*KEYS.area(&key_id("t", "/app/db/host")), &*KEYS.area(&key_id("t", "host"))), ("/app/db/", "keys without a folder"));
}

#[test]
fn grants_of_keys_that_share_a_prefix_overlap() {
    let grant = |unit: &str| Grant { target: "t".into(), units: vec![unit.into()], sensitive: Vec::new(), shared: false };
    let overlap = |a: &str, b: &str| grant(a).overlap(&grant(b)).is_some() && grant(b).overlap(&grant(a)).is_some();
    for (a, b) in [("/app/*", "/app/x/*"), ("/app/*", "/app/x"), ("/app/*", "/app/*"), ("*", "/app/x"), ("*.example.com.", "a.example.com.")] {
        assert!(overlap(a, b), "{a} {b}");
    }
    for (a, b) in [("/app/*", "/other/*"), ("/app/*", "/application"), ("/app/x", "/app/y"), ("*.example.com.", "example.com."), ("*.a.test.", "*.b.test.")] {
        assert!(!overlap(a, b), "{a} {b}");
    }
}

#[test]
fn the_way_back_is_what_was_there() {
    assert_eq!(KEYS.undo(Some(&Value::str("1")), Some(&Value::str("2"))), Undo::To(Some(Value::str("1"))));
    assert_eq!(KEYS.undo(None, Some(&Value::str("2"))), Undo::To(None));
}

#[test]
fn a_resource_says_of_which_kind_it_is() {
    assert_eq!(of(&key_id("t", "a")).name(), KEYS.name());
    assert_eq!(of(&ResourceId::new("t", "rrset", "example.com./www/A")).name(), DNS.name());
}

#[test]
fn a_value_mentions_every_host_that_its_text_names() {
    let mentions = |text: &str| KEYS.mentions(&key_id("t", "a"), &Value::str(text)).into_iter().map(|of| (of.key.to_string(), of.rule.to_string())).collect::<Vec<_>>();
    let keys = |text: &str| mentions(text).into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    for text in
        ["db.example.com", "db.example.com.", "DB.Example.COM:5432", "postgres://app:pw@db.example.com/x?y=1", "{\"host\":\"db.example.com\"}", "see <db.example.com>, please"]
    {
        assert_eq!(keys(text), ["dns:db.example.com."], "{text}");
    }
    assert_eq!(keys("a.example.com,b.example.com;a.example.com"), ["dns:a.example.com.", "dns:b.example.com."]);
    for nothing in ["", "db", "192.0.2.1:80", "1.5", "...", "a..b", "2001:db8::1", "-.-"] {
        assert_eq!(keys(nothing), [] as [&str; 0], "{nothing}");
    }
    assert_eq!(mentions("x.example.com\n")[0].1, "its value names x.example.com");
    assert_eq!(mentions("a: 1\nb: x.example.com\n")[0].1, "line 2 of its value names x.example.com");
    assert!(KEYS.mentions(&key_id("t", "a"), &value(b"\xff db.example.com")).is_empty(), "bytes that are no text name nothing");
    let many: String = (0..20_000).map(|n| format!("h{n}.example.com\n")).collect();
    assert_eq!(mentions(&many).len(), 10_000);
}
