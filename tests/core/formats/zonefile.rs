//! BIND zone files, read and written.

use super::files::{Memory, refusals, scope, told};
use proptest::prelude::*;
use trueup::core::model::{Desired, Refusal, RefusalKind, Unit};
use trueup::formats::{Files, Format, Home, UnitFiles, zonefile::ZoneFile};

fn unit() -> Unit {
    Unit::new("example.com.")
}

#[test]
fn a_file_that_is_a_zones_but_for_case_or_dots_is_told_its_name() {
    for (path, right) in
        [("Example.COM.zone", Some("example.com.zone")), ("example.com..zone", Some("example.com.zone")), ("db.Example.com", Some("db.example.com")), ("soa.inc", None)]
    {
        assert_eq!((ZoneFile.unit_of(path), ZoneFile.meant(path).as_deref()), (None, right), "{path}");
    }
}

/// Reads `example.com.zone` with other files beside it.
fn read_with(text: &str, more: &[(&str, &str)]) -> (Result<Desired, Vec<Refusal>>, Memory) {
    let all: Vec<(&str, &str)> = [("example.com.zone", text)].into_iter().chain(more.iter().copied()).collect();
    let mut files = Memory::new(&all);
    files.own = vec!["example.com.zone".into()];
    (ZoneFile.read(&unit(), &files, &scope(&["ns"])), files)
}

fn read(text: &str) -> Result<Desired, Vec<Refusal>> {
    read_with(text, &[]).0
}

fn asks(text: &str) -> String {
    read(text).map(|desired| told(&desired)).unwrap_or_else(|all| panic!("{}", refusals(&all)))
}

fn refused(text: &str) -> String {
    refusals(&read(text).expect_err("is refused"))
}

#[test]
fn files_are_named_after_their_zone() {
    let unit = |path: &str| ZoneFile.unit_of(path).map(|unit| unit.to_string());
    assert_eq!(unit("example.com.zone").as_deref(), Some("example.com."));
    assert_eq!(unit("db.example.com").as_deref(), Some("example.com."));
    for other in ["example.com", "example.com.yaml", "sub/example.com.zone", "db.", ".zone", "Example.com.zone", "db.a..b"] {
        assert_eq!(unit(other), None, "{other}");
    }
    let homes = ZoneFile.homes(&Unit::new("example.com.")).unwrap();
    assert_eq!(homes, [Home::File("example.com.zone".into()), Home::File("db.example.com".into())]);
}

#[test]
fn a_zone_file_is_read_as_bind_reads_it() {
    insta::assert_snapshot!(asks(include_str!("sample.zone")));
}

#[test]
fn the_zone_is_where_its_soa_stands() {
    let files = Memory::new(&[("internal.zone", "$ORIGIN example.org.\n@ 60 SOA ns hostmaster 1 2 3 4 5\nwww 60 A 192.0.2.1\n")]);
    assert!(told(&ZoneFile.read(&Unit::new("internal."), &files, &scope(&["ns"])).unwrap()).contains("ns/rrset/example.org./www/A 60 192.0.2.1"));
    let files = Memory::new(&[("internal.zone", "$ORIGIN example.org.\nwww 60 A 192.0.2.1\n$ORIGIN sub.example.org.\nwww 60 A 192.0.2.1\n")]);
    assert!(told(&ZoneFile.read(&Unit::new("internal."), &files, &scope(&["ns"])).unwrap()).contains("ns/rrset/example.org./www.sub/A"));
    // An origin below the zone moves names, not the zone.
    assert!(asks("$ORIGIN sub.example.com.\nwww 60 A 192.0.2.1\n").contains("ns/rrset/example.com./www.sub/A"));
}

#[test]
fn ttls_come_from_the_record_then_the_directive_then_the_record_before_then_the_soa() {
    let ttl = |text: &str| -> String { asks(text).lines().find(|line| line.contains("/www/")).unwrap().split(' ').nth(2).unwrap().to_owned() };
    assert_eq!(ttl("$TTL 2h\na 60 A 192.0.2.1\nwww A 192.0.2.1\n"), "7200");
    assert_eq!(ttl("a 60 A 192.0.2.1\nwww A 192.0.2.1\n"), "60");
    assert_eq!(ttl("@ SOA ns root 1 2 3 4 1d\nwww A 192.0.2.1\n"), "86400");
    assert_eq!(ttl("www 1w2d3h4m5s A 192.0.2.1\n"), "788645");
    assert!(refused("www A 192.0.2.1\n").contains("the record has no TTL"));
    assert!(refused("www 2147483648 A 192.0.2.1\n").contains("is no record type"));
}

#[test]
fn included_files_stand_inside_the_source_and_change_nothing_outside_themselves() {
    let (read, files) = read_with(
        "$TTL 60\nhost A 192.0.2.1\n$INCLUDE inc/more.inc sub\n AAAA 2001:db8::1\nlast A 192.0.2.9\n$INCLUDE \"./inc/plain.inc\" ; comment\n",
        &[("inc/more.inc", "a A 192.0.2.2\n$ORIGIN deep.sub.example.com.\nb A 192.0.2.3\n"), ("inc/plain.inc", "plain A 192.0.2.4\n")],
    );
    insta::assert_snapshot!(told(&read.unwrap()));
    assert_eq!(*files.asked.borrow(), ["example.com.zone", "inc/more.inc", "inc/plain.inc"]);
    assert!(ZoneFile.reads_beyond());
}

#[test]
fn an_include_that_leads_out_or_round_is_refused() {
    for path in ["/etc/passwd", "../other.zone", "inc/../../x", "a//b", "\"\"", "..", "a\\047b"] {
        let (read, files) = read_with(&format!("$INCLUDE {path}\n"), &[]);
        let all = read.unwrap_err();
        assert_eq!(all[0].kind, RefusalKind::Path, "{path}");
        assert!(files.asked.borrow().iter().all(|asked| asked == "example.com.zone"), "{path}");
    }
    let (read, _) = read_with("$INCLUDE a.inc\n", &[("a.inc", "$INCLUDE b.inc\n"), ("b.inc", "$INCLUDE a.inc\n")]);
    insta::assert_snapshot!(refusals(&read.unwrap_err()));
    let (read, _) = read_with("$INCLUDE gone.inc\n", &[]);
    insta::assert_snapshot!(refusals(&read.unwrap_err()));
}

#[test]
fn every_fault_is_told_with_its_place() {
    insta::assert_snapshot!(refused(
        " A 192.0.2.1\nwww 60 A 192.0.2.256\nwww 60 CNAME https://example.com/\nx 60 CH TXT y\nnotype 60 IN\nodd 60 WKS x\n$GENERATE 1-2 a$ A 192.0.2.$\n$NOPE\n$TTL soon\n$ORIGIN\na..b 60 A 192.0.2.1\nttl 60 A 192.0.2.1\nttl 61 A 192.0.2.2\nout.example.org. 60 A 192.0.2.1\ntwo 60 CNAME a\ntwo 60 CNAME b\nopen 60 TXT \"never\nnest 60 TXT ((a))\nclose 60 TXT )\nend 60 TXT ( a\n"
    ));
}

#[test]
fn two_files_for_one_zone_are_refused() {
    let files = Memory::new(&[("db.example.com", "www 60 A 192.0.2.1\n"), ("example.com.zone", "www 60 A 192.0.2.1\n")]);
    assert_eq!(ZoneFile.read(&unit(), &files, &scope(&["ns"])).unwrap_err()[0].kind, RefusalKind::Overlap);
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let files = Memory { all: [("example.com.zone".into(), b"www 60 TXT ok\nb 60 TXT \xe9\n".to_vec())].into(), own: vec!["example.com.zone".into()], asked: Default::default() };
    let told = ZoneFile.read(&unit(), &files, &scope(&["ns"])).unwrap_err()[0].to_string();
    assert_eq!(told, "dns/example.com.zone:2: the line is not UTF-8; save the file as UTF-8, and write other octets as `\\DDD`");
}

#[test]
fn a_written_zone_keeps_what_did_not_change_and_reads_back_the_same() {
    let mut desired = read(include_str!("sample.zone")).unwrap();
    let gone = desired.resources.keys().find(|id| id.name.ends_with("/www/CNAME")).cloned().unwrap();
    desired.resources.remove(&gone);
    let previous: UnitFiles = [("example.com.zone".into(), include_bytes!("sample.zone").to_vec())].into();
    let files = ZoneFile.write(&unit(), &desired, &previous).unwrap();
    let text = String::from_utf8(files["example.com.zone"].clone()).unwrap();
    insta::assert_snapshot!(text);
    let again = read(&text).unwrap();
    assert!(desired.resources.iter().map(|(id, wanted)| (id, &wanted.value)).eq(again.resources.iter().map(|(id, wanted)| (id, &wanted.value))));
}

#[test]
fn a_new_zone_is_written_from_nothing() {
    let desired = read("www 60 A 192.0.2.1\n").unwrap();
    let files = ZoneFile.write(&unit(), &desired, &UnitFiles::new()).unwrap();
    assert_eq!(String::from_utf8(files["example.com.zone"].clone()).unwrap(), "$ORIGIN example.com.\nwww\t60\tIN\tA\t192.0.2.1\n");
}

#[test]
fn what_is_not_of_the_zone_is_not_written() {
    let other = Memory::new(&[("example.org.zone", "www 60 A 192.0.2.1\n")]);
    let desired = ZoneFile.read(&Unit::new("example.org."), &other, &scope(&["ns"])).unwrap();
    assert!(ZoneFile.write(&unit(), &desired, &UnitFiles::new()).is_err());
    assert_eq!(other.list().len(), 1);
}

/// A zone file after its records are wanted so: `gone` are taken out, `new` replace or add what they name.
fn rewritten(text: &str, gone: &[&str], new: &str) -> (String, bool) {
    let mut desired = read(text).unwrap_or_else(|all| panic!("{}", refusals(&all)));
    for name in gone {
        let id = desired.resources.keys().find(|id| id.name.ends_with(name)).cloned().unwrap_or_else(|| panic!("{name} is there"));
        desired.resources.remove(&id);
    }
    desired.resources.extend(read(&format!("$ORIGIN example.com.\n{new}")).unwrap_or_else(|all| panic!("{}", refusals(&all))).resources);
    let previous: UnitFiles = [("example.com.zone".into(), text.as_bytes().to_vec())].into();
    let files = ZoneFile.write(&unit(), &desired, &previous).unwrap_or_else(|all| panic!("{}", refusals(&all)));
    let after = String::from_utf8(files["example.com.zone"].clone()).unwrap();
    let again = read(&after).unwrap_or_else(|all| panic!("{after}: {}", refusals(&all)));
    assert!(desired.resources.iter().map(|(id, wanted)| (id, &wanted.value)).eq(again.resources.iter().map(|(id, wanted)| (id, &wanted.value))), "{after}");
    (after, ZoneFile.edits(&unit(), &desired, &previous))
}

/// Comments, relative names, owners left out, a record over several lines, directives in between.
const OURS: &str = "; ours\n$TTL 300\n@ IN SOA ns1 admin 1 2 3 4 5 ; the head\n  IN NS ns1\n; the shop\nwww IN A 192.0.2.1 ; first\n    IN A 192.0.2.2 ; second\n    60 IN TXT \"a b\" c\nmail 600 IN MX ( 10 ; first\n   mx1 )\n$ORIGIN sub.example.com.\n@ A 192.0.2.9\nx CNAME www.example.com.\n; the end\n";

#[test]
fn only_the_lines_of_what_differs_are_edited_and_comments_and_order_stay() {
    let cases: [(&[&str], &str, String); 10] = [
        (&[], "", OURS.to_owned()),
        (&[], "www 300 A 192.0.2.1\nwww 300 A 192.0.2.3", OURS.replace("192.0.2.2 ;", "192.0.2.3 ;")),
        (&[], "www 300 A 192.0.2.2", OURS.replace("www IN A 192.0.2.1 ; first\n    IN A 192.0.2.2 ; second\n", "www    IN A 192.0.2.2 ; second\n")),
        (&[], "www 300 A 192.0.2.1\nwww 300 A 192.0.2.2\nwww 300 A 192.0.2.3", OURS.replace("; second\n", "; second\n    IN A 192.0.2.3\n")),
        (&[], "mail 600 MX 20 mx1", OURS.replace("( 10 ;", "( 20 ;")),
        (&[], "www 90 TXT \"a b\" c d", OURS.replace("60 IN TXT \"a b\" c", "90 IN TXT \"a b\" \"c\" \"d\"")),
        (&["/sub/A"], "x.sub 20 CNAME www", OURS.replace("@ A 192.0.2.9\n", "").replace("x CNAME", "x 20 CNAME")),
        (&["/www/A"], "", OURS.replace("www IN A 192.0.2.1 ; first\n    IN A 192.0.2.2 ; second\n    60", "www    60")),
        (
            &["/mail/MX"],
            "new 300 A 192.0.2.7\nfar 30 A 192.0.2.8",
            OURS.replace("mail 600 IN MX ( 10 ; first\n   mx1 )\n", "")
                .replace("; the end", "far.example.com.\t30\tIN\tA\t192.0.2.8\nnew.example.com.\tIN\tA\t192.0.2.7\n; the end"),
        ),
        (&[], "www 300 AAAA 2001:db8::1", OURS.replace("\"a b\" c\n", "\"a b\" c\nwww\tIN\tAAAA\t2001:db8::1\n")),
    ];
    for (gone, new, expected) in cases {
        let (after, edited) = rewritten(OURS, gone, new);
        assert_eq!(after, expected, "{gone:?} {new}");
        assert!(edited, "{gone:?} {new}");
    }
    // Windows' line ends, and a file without a break at its end.
    let (after, _) = rewritten("$TTL 60\r\n@ SOA ns1 admin 1 2 3 4 5\r\na A 192.0.2.1", &[], "b 60 A 192.0.2.2");
    assert_eq!(after, "$TTL 60\r\n@ SOA ns1 admin 1 2 3 4 5\r\na A 192.0.2.1\r\nb\tIN\tA\t192.0.2.2");
}

#[test]
fn where_an_edit_would_give_other_lines_another_meaning_the_zone_is_written_anew_and_that_is_told() {
    // Without `$TTL` the second record has the TTL of the one above, which goes.
    let (after, edited) = rewritten("@ 60 SOA ns1 admin 1 2 3 4 5\na 120 A 192.0.2.1 ; ours\nb A 192.0.2.2\n", &["/a/A"], "");
    assert!(!edited && !after.contains("ours") && after.contains("b\t120\tIN\tA\t192.0.2.2"), "{after}");
}

#[test]
fn what_an_included_file_says_is_edited_there() {
    let text = "$TTL 60\n@ SOA ns1 admin 1 2 3 4 5\n$INCLUDE more.inc\n";
    let (desired, memory) = read_with(text, &[("more.inc", "; theirs\na A 192.0.2.1\nb A 192.0.2.2\n")]);
    let mut desired = desired.unwrap();
    desired.resources.extend(read("a 60 A 192.0.2.9\n").unwrap().resources);
    let files = ZoneFile.write(&unit(), &desired, &memory.all).unwrap();
    assert_eq!(String::from_utf8_lossy(&files["more.inc"]), "; theirs\na A 192.0.2.9\nb A 192.0.2.2\n");
    assert_eq!(files["example.com.zone"], text.as_bytes());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let files = Memory { all: [("example.com.zone".into(), bytes)].into(), own: vec!["example.com.zone".into()], asked: Default::default() };
        if let Err(all) = ZoneFile.read(&unit(), &files, &scope(&["ns"])) {
            prop_assert!(!all.is_empty() && all.iter().all(|refusal| refusal.place.is_some()));
        }
    }

    #[test]
    fn any_lines_are_read_or_refused_and_what_is_read_is_written_back(lines in proptest::collection::vec("([a-z@*]{0,3}|\\$[A-Z]{2,4}) {0,2}(60)? ?(IN)? (A|TXT|MX|CNAME|NS|CAA|TYPE9) [ -~]{0,16}", 0..6)) {
        if let Ok(desired) = read(&lines.join("\n"))
            && let Ok(files) = ZoneFile.write(&unit(), &desired, &UnitFiles::new())
        {
            let again = read(std::str::from_utf8(&files["example.com.zone"]).unwrap()).unwrap();
            prop_assert!(desired.resources.iter().map(|(id, wanted)| (id, &wanted.value)).eq(again.resources.iter().map(|(id, wanted)| (id, &wanted.value))));
            // With one record less, or another one's data in its place, it is edited or written anew, and reads back so too.
            let mut other = desired.clone();
            other.resources.pop_first();
            let moved = other.resources.values().next().map(|wanted| wanted.value.clone());
            other.resources.values_mut().rev().take(1).zip(moved).for_each(|(wanted, value)| wanted.value = value);
            let previous: UnitFiles = [("example.com.zone".into(), lines.join("\n").into_bytes())].into();
            if let Ok(files) = ZoneFile.write(&unit(), &other, &previous) {
                let again = read(std::str::from_utf8(&files["example.com.zone"]).unwrap()).unwrap();
                prop_assert!(other.resources.iter().map(|(id, wanted)| (id, &wanted.value)).eq(again.resources.iter().map(|(id, wanted)| (id, &wanted.value))));
            }
        }
    }
}
