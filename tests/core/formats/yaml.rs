//! The YAML loader: what it reads, and how it refuses what is broken, hostile or ambiguous.

use trueup::core::model::{Refusal, RefusalKind};
use trueup::core::render::refusal as refusal_text;
use trueup::formats::yaml::{Budget, Node, NodeKind, load, load_all};

fn read(text: &str) -> Node {
    load("f.yaml", text.as_bytes(), &Budget::default()).unwrap_or_else(|refusal| panic!("{refusal}"))
}

fn refused(bytes: impl AsRef<[u8]>) -> Refusal {
    match load("f.yaml", bytes.as_ref(), &Budget::default()) {
        Ok(node) => panic!("was read as {node:?}"),
        Err(refusal) => refusal,
    }
}

/// A refusal as a person reads it.
fn told(bytes: impl AsRef<[u8]>) -> String {
    refusal_text(&refused(bytes))
}

fn place(node: &Node) -> (u32, u32) {
    (node.place.line, node.place.column)
}

#[test]
fn every_value_knows_its_place() {
    let node = read("a: 1\nb:\n  - x\n  - {c: yes}\n");
    assert_eq!(place(&node), (1, 1));
    let (key, value) = node.entry("b").unwrap();
    assert_eq!((place(key), place(value)), ((2, 1), (3, 3)));
    let items = value.as_list().unwrap();
    assert_eq!(place(&items[1]), (4, 5));
    assert_eq!(place(items[1].get("c").unwrap()), (4, 9));
    assert_eq!(&*node.place.file, "f.yaml");
}

#[test]
fn plain_scalars_keep_the_text_they_were_written_as() {
    let node = read("[010, ~, TRUE, 1.10, 1_000, yes, '010', \"yes\", !!str 7, 2024-01-01, ]");
    let items = node.as_list().unwrap();
    let seen: Vec<(&str, bool)> = items.iter().map(|item| (item.text().unwrap(), item.is_plain())).collect();
    let expected = [("010", true), ("~", true), ("TRUE", true), ("1.10", true), ("1_000", true), ("yes", true), ("010", false), ("yes", false), ("7", false), ("2024-01-01", true)];
    assert_eq!(seen, expected);
    assert_eq!(items[0].kind, NodeKind::Int(10));
    assert_eq!(items[1].kind, NodeKind::Null);
    assert_eq!(items[2].kind, NodeKind::Bool(true));
    assert_eq!(items[3].kind, NodeKind::Num("1.10".into()));
    assert_eq!(items[5].kind, NodeKind::Str("yes".into()));
    assert_eq!(items[8].kind, NodeKind::Str("7".into()));
}

#[test]
fn block_scalars_and_escapes_are_text() {
    let node = read("a: |\n  1\n  2\nb: \"\\x41\\n\"\nc: >-\n  x\n  y\n");
    assert_eq!(node.get("a").unwrap().as_str(), Some("1\n2\n"));
    assert_eq!(node.get("b").unwrap().as_str(), Some("A\n"));
    assert_eq!(node.get("c").unwrap().as_str(), Some("x y"));
}

#[test]
fn an_empty_file_and_a_file_of_comments_are_null() {
    assert!(read("").is_null());
    assert!(read("# nothing\n").is_null());
    assert!(load_all("f.yaml", b"", &Budget::default()).unwrap().is_empty());
}

#[test]
fn a_byte_order_mark_is_no_content() {
    let node = read("\u{feff}a: 1\n");
    assert_eq!(node.get("a").unwrap().kind, NodeKind::Int(1));
    assert_eq!(place(&node), (1, 1));
}

#[test]
fn many_documents_are_read_where_many_are_asked_for() {
    let all = load_all("f.yaml", b"a: 1\n---\nb: 2\n---\n", &Budget::default()).unwrap();
    assert_eq!(all.len(), 3);
    assert_eq!(place(&all[1]), (3, 1));
    assert!(all[2].is_null());
    insta::assert_snapshot!(told("a: 1\n---\nb: 2\n"));
}

#[test]
fn aliases_repeat_values_with_the_place_of_the_original() {
    let node = read("a: &x {k: 1}\nb: *x\n");
    let b = node.get("b").unwrap();
    assert_eq!(b.get("k").unwrap().kind, NodeKind::Int(1));
    assert_eq!(place(b), (1, 7));
}

#[test]
fn an_anchor_defined_again_counts_from_there() {
    let node = read("a: &x 1\nb: *x\nc: &x 2\nd: *x\n");
    assert_eq!(node.get("b").unwrap().kind, NodeKind::Int(1));
    assert_eq!(node.get("d").unwrap().kind, NodeKind::Int(2));
}

#[test]
fn merge_keys_bring_what_the_map_does_not_say_itself() {
    let node = read("d: &d {ttl: 60, type: A}\ne: &e {type: B, x: 1}\na:\n  <<: [*d, *e]\n  ttl: 300\n");
    let a = node.get("a").unwrap();
    assert_eq!(a.as_map().unwrap().len(), 3);
    assert_eq!(a.get("ttl").unwrap().kind, NodeKind::Int(300));
    assert_eq!(a.get("type").unwrap().as_str(), Some("A"));
    assert_eq!(a.get("x").unwrap().kind, NodeKind::Int(1));
    assert_eq!(read("'<<': 1\n").get("<<").unwrap().kind, NodeKind::Int(1));
}

#[test]
fn keys_keep_their_types_and_order() {
    let node = read("'': 1\n1: 2\n1.10: 3\n~: 4\nyes: 5\n");
    let keys: Vec<NodeKind> = node.as_map().unwrap().iter().map(|(key, _)| key.kind.clone()).collect();
    assert_eq!(keys, [NodeKind::Str("".into()), NodeKind::Int(1), NodeKind::Num("1.10".into()), NodeKind::Null, NodeKind::Str("yes".into())]);
}

#[test]
fn broken_yaml_is_refused_with_line_column_and_advice() {
    let cases = [
        ("colon", "a: 1\nb: c: d\n"),
        ("indentation", "a:\n  b: 1\n c: 2\n"),
        ("tab", "a:\n\tb: 1\n"),
        ("unclosed_list", "a: [1, 2\nb: 3\n"),
        ("unclosed_quote", "a: \"x\nb: 3\n"),
        ("unknown_anchor", "a: *nowhere\n"),
        ("star", "- *.example.com\n"),
        ("at_sign", "a: @x\n"),
        ("escape", "a: \"\\d\"\n"),
        ("brackets", "a: [1}\n"),
        ("merge_of_text", "a:\n  <<: text\n"),
        ("alias_in_itself", "a: &x [*x]\n"),
        ("list_as_key", "? [1, 2]\n: x\n"),
        ("unknown_tag", "a: !Ref x\n"),
        ("unknown_tag_on_a_map", "a: !Sub\n  b: 1\n"),
        ("wrong_tag", "a: !!int five\n"),
    ];
    let mut all = Vec::new();
    for (name, text) in cases {
        let refusal = refused(text);
        assert_eq!(refusal.kind, RefusalKind::Syntax, "{name}");
        assert!(refusal.place.as_ref().is_some_and(|place| place.line > 0 && place.column > 0), "{name}: {refusal:?}");
        assert!(refusal.advice.is_some(), "{name}");
        all.push(format!("# {name}\n{}", refusal_text(&refusal)));
    }
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn a_duplicate_key_is_refused_with_both_places() {
    let refusal = refused("a: 1\nb:\n  x: 1\n  y: 2\n  x: 3\n");
    assert_eq!(refusal.place.as_ref().map(|place| (place.line, place.column)), Some((5, 3)));
    assert_eq!(refusal.also.as_ref().map(|place| (place.line, place.column)), Some((3, 3)));
    insta::assert_snapshot!(refusal_text(&refusal));
    assert_eq!(refused("10: a\n010: b\n").kind, RefusalKind::Syntax);
    assert_eq!(read("10: a\n'10': b\n").as_map().unwrap().len(), 2);
    assert_eq!(refused("{a: 1, a: 2}").place.map(|place| (place.line, place.column)), Some((1, 8)));
}

#[test]
fn an_alias_bomb_is_refused_before_it_is_built() {
    let mut nodes = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        nodes += &format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 10].join(", "));
    }
    let refusal = refused(&nodes);
    assert_eq!(refusal.kind, RefusalKind::Budget);
    insta::assert_snapshot!(refusal_text(&refusal));

    let mut bytes = format!("a: &a {}\nb:\n", "x".repeat(1 << 20));
    bytes += &"  - *a\n".repeat(1000);
    assert_eq!(refused(&bytes).kind, RefusalKind::Budget);

    let mut deep = String::from("a0: &a0 [x]\n");
    for i in 1..500 {
        deep += &format!("a{i}: &a{i} [*a{}]\n", i - 1);
    }
    assert_eq!(refused(&deep).kind, RefusalKind::Budget);
}

#[test]
fn ten_thousand_deep_nesting_is_refused_without_using_the_stack() {
    let block: String = (0..10_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let dashes = format!("{}x\n", "- ".repeat(10_000));
    let flow_maps = "{a: ".repeat(10_000);
    for text in ["[".repeat(10_000), "[\n".repeat(10_000), flow_maps, dashes, block] {
        let refusal = refused(&text[..text.len().min(16 << 20)]);
        assert_eq!((refusal.kind, refusal.what.as_str()), (RefusalKind::Budget, "lists and maps are nested more than 128 deep"));
    }
    let fits = format!("{}{}", "[".repeat(128), "]".repeat(128));
    assert!(read(&fits).as_list().is_some());
    assert_eq!(refused(format!("{}{}", "[".repeat(129), "]".repeat(129))).kind, RefusalKind::Budget);
}

#[test]
fn a_file_of_50_megabytes_is_refused_by_its_size() {
    let refusal = refused("# filler\n".repeat(50_000_000 / 9 + 1));
    assert_eq!(refusal.kind, RefusalKind::Budget);
    insta::assert_snapshot!(refusal_text(&refusal));
}

#[test]
fn a_file_of_too_many_values_is_refused() {
    let text = format!("[{}]", "1,".repeat(2_000_001));
    assert_eq!(refused(&text).kind, RefusalKind::Budget);
}

#[test]
fn bytes_that_are_no_utf_8_are_refused_with_their_line() {
    insta::assert_snapshot!(told(b"a: 1\nb: caf\xe9\n"));
    assert_eq!(refused(b"\xff\xfea\0").place.map(|place| (place.line, place.column)), Some((1, 1)));
}

#[test]
fn no_line_of_a_refusal_shows_what_stands_behind_a_secret_key() {
    let text = told("name: x\nsecret: [hunter2\n  b: c: d\n");
    assert!(!text.contains("hunter2"), "{text}");
    let text = told("password: !x hunter2\n");
    assert!(!text.contains("hunter2"), "{text}");
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused_with_a_place(text in "[ -~\n\t]{0,200}") {
        if let Err(refusal) = load("f.yaml", text.as_bytes(), &Budget::default()) {
            proptest::prop_assert!(refusal.place.is_some());
        }
    }

    #[test]
    fn what_looks_like_yaml_is_read_or_refused_with_a_place(parts in proptest::collection::vec("(a: |- |\\[|\\]|\\{|\\}|\n|  |&x |\\*x|<<: |\"|'|!!int |1|~|, |# )", 0..60)) {
        if let Err(refusal) = load("f.yaml", parts.concat().as_bytes(), &Budget::default()) {
            proptest::prop_assert!(refusal.place.is_some() && refusal.advice.is_some());
        }
    }
}
