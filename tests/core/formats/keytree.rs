//! Key trees: whole files, expanded ones, and what is refused.

use super::files::{Memory, refusals, scope};
use std::collections::BTreeSet;
use trueup::{
    core::model::{Desired, Kind as _, Place, Refusal, Unit, Wanted},
    formats::{
        Format, Home, UnitFiles,
        keytree::{Expand, KeyTree, TO_FILL},
    },
    kinds::config::{KEYS, key_id, value},
};

fn tree(expand: &[Expand]) -> KeyTree {
    KeyTree { prefix: "/app/".into(), expand: expand.iter().copied().collect(), ..KeyTree::default() }
}

fn all() -> KeyTree {
    tree(&[Expand::Yaml, Expand::Json, Expand::Toml, Expand::Properties])
}

fn read_bytes(format: &KeyTree, files: &[(&str, &[u8])]) -> Result<Desired, Vec<Refusal>> {
    let mut memory = Memory::new(&[]);
    memory.all = files.iter().map(|(path, bytes)| ((*path).into(), bytes.to_vec())).collect();
    memory.own = memory.all.keys().cloned().collect();
    let units: BTreeSet<Unit> = memory.own.iter().filter_map(|path| format.unit_of(path)).collect();
    assert_eq!(units.len(), 1, "the files of a test are one unit's");
    format.read(units.first().unwrap(), &memory, &scope(&["t"]))
}

/// Keys as `place key lines` of one file.
fn asks(format: &KeyTree, path: &str, text: &str) -> String {
    let desired = read_bytes(format, &[(path, text.as_bytes())]).unwrap_or_else(|all| panic!("{}", refusals(&all)));
    let line = |(id, wanted): (&_, &Wanted)| format!("{} {} = {}", wanted.place, trueup::core::model::ResourceId::clone(id).name, KEYS.lines(id, &wanted.value).join("|"));
    desired.resources.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn refused(path: &str, bytes: &[u8]) -> String {
    refusals(&read_bytes(&all(), &[(path, bytes)]).expect_err(path))
}

#[test]
fn a_file_is_a_key_with_the_files_bytes() {
    assert_eq!(asks(&all(), "db/host", "db1.example.com"), "dns/db/host:1:1 /app/db/host = db1.example.com");
    assert_eq!(asks(&all(), "nginx.conf", "user www;\n"), "dns/nginx.conf:1:1 /app/nginx.conf = user www;|(a line break at the end)");
    assert_eq!(asks(&tree(&[]), "db.yaml", "a: 1\n"), "dns/db.yaml:1:1 /app/db.yaml = a: 1|(a line break at the end)");
    let desired = read_bytes(&all(), &[("logo", b"\x89PNG\xff")]).unwrap();
    assert_eq!(desired.resources[&key_id("t", "/app/logo")].value, value(b"\x89PNG\xff"), "binary is kept as it is");
    assert_eq!(asks(&KeyTree::default(), "a/b", ""), "dns/a/b:1:1 a/b = (empty)");
}

#[test]
fn yaml_and_json_give_a_key_for_every_leaf_as_it_is_written() {
    let yaml = "db:\n  host: db1\n  port: 5432\n  ssl: TRUE\n  version: 1.10\nhosts: [a, \"b c\"]\ntext: |\n  one\n  two\nempty: \"\"\n";
    insta::assert_snapshot!(asks(&all(), "conf/main.yaml", yaml));
    let json = "{\n\t\"db\": {\"host\": \"db1\", \"port\": 5432, \"rate\": 1e3, \"on\": true},\n\t\"smile\": \"\\ud83d\\ude00\\/\"\n}\n";
    insta::assert_snapshot!(asks(&all(), "conf/main.json", json));
    let dots = KeyTree { separator: ".".into(), prefix: "".into(), ..all() };
    assert_eq!(asks(&dots, "main.yml", "a: {b: 1}"), "dns/main.yml:1:8 main.a.b = 1");
    assert_eq!(asks(&all(), "none.yaml", "# nothing yet\n"), "", "an empty file asks for nothing");
}

#[test]
fn properties_are_read_as_java_reads_them() {
    let text = "# comment\n! comment\ndb.host = db1\ndb.port:5432\nflag\nspaced   value with spaces \nlong = one, \\\n       two\n\\ key\\=odd = v\nunicode = gr\\u00fcn \\ud83d\\ude00\ntab=a\\tb\npath=C:\\\\x\n";
    insta::assert_snapshot!(asks(&all(), "app.properties", text));
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_key() {
    for (path, text) in [("a.yaml", "key: v\n"), ("a.json", "{\"key\": \"v\"}"), ("a.toml", "key = \"v\"\n"), ("a.properties", "# words\nkey = v\n")] {
        assert_eq!(asks(&all(), path, &format!("\u{feff}{text}")).split_once(' ').map(|(_, asked)| asked), Some("/app/a/key = v"), "{path}");
    }
}

#[test]
fn every_fault_is_told_with_its_place() {
    let told: Vec<String> = [
        ("a.yaml", &b"db:\n  host: 1\n  host: 2\n"[..]),
        ("a.yaml", b"db/host: 1\ndb:\n  host: 2\n"),
        ("a.yaml", b"empty:\nmap: {}\nlist: []\n\"\": 1\n"),
        ("a.yaml", b"just text\n"),
        ("a.yaml", b"a: gr\xfcn\n"),
        ("a.json", b"{\"a\": 1,}\n"),
        ("a.json", b"{a: 1}\n"),
        ("a.json", b"{\"a\": 1, \"a\": 2}\n"),
        ("a.json", b"{\"a\": \"\xff\"}"),
        ("a.properties", b"a=1\nb = 2\na: 3\n = 4\nc=\\u00zz\nd=\\ud83dx\n"),
        ("a.properties", b"a=1\nb=\xff\n"),
    ]
    .into_iter()
    .map(|(path, bytes)| refused(path, bytes))
    .collect();
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn two_files_that_give_one_key_are_refused_with_both_places() {
    let files: [(&str, &[u8]); 2] = [("db.json", b"{\"host\": \"a\"}"), ("db.yaml", b"name: x\nhost: b\n")];
    let faults = read_bytes(&all(), &files).unwrap_err();
    assert_eq!(refusals(&faults).lines().next().unwrap(), "error: two places ask for the key `/app/db/host`");
    assert_eq!((faults[0].place.clone().unwrap(), faults[0].also.clone().unwrap()), (Place::new("dns/db.yaml", 2, 7), Place::new("dns/db.json", 1, 10)));
}

#[test]
fn a_unit_is_what_one_name_asks_for() {
    let unit = |path: &str| all().unit_of(path).map(|unit| unit.to_string());
    for (path, name) in
        [("db/host", "/app/db/host"), ("db.yaml", "/app/db"), ("db.yml", "/app/db"), ("x/db.json", "/app/x/db"), (".yaml", "/app/.yaml"), ("x/.json", "/app/x/.json")]
    {
        assert_eq!(unit(path).as_deref(), Some(name), "{path}");
    }
    assert_eq!((unit("x/.gitkeep"), unit(".gitattributes")), (None, None), "what git keeps beside is no key");
    for path in ["db/host", "db.yaml", "x/db.json"] {
        let homes = all().homes(&all().unit_of(path).unwrap()).unwrap();
        assert!(homes.contains(&Home::File(path.into())), "{path}: {homes:?}");
    }
    assert_eq!(all().homes(&Unit::new("/other/x")), Some(Vec::new()), "outside of the prefix");
    assert_eq!(KEYS.unit(&key_id("t", "/app/a")), KEYS.unit(&key_id("t", "/b")), "written together, whatever files they come from");
}

#[test]
fn a_second_claimant_is_looked_for_above_and_below() {
    let beside = tree(&[Expand::Json]).beside(&Unit::new("/app/x/db"));
    let expected = [Home::File("x".into()), Home::File("x.json".into()), Home::Folder("x/db".into())];
    assert_eq!(beside, expected);
    assert_eq!(tree(&[]).beside(&Unit::new("/app")), [Home::Folder("".into())], "another source's file above the prefix");
    assert_eq!(tree(&[]).beside(&Unit::new("/ap")), []);
    let dots = KeyTree { separator: ".".into(), ..tree(&[Expand::Yaml]) };
    let beside = dots.beside(&Unit::new("/app/x/main.a"));
    for home in [Home::File("x/main.yaml".into()), Home::File("x.yaml".into()), Home::Folder("x".into())] {
        assert!(beside.contains(&home), "{beside:?}");
    }
}

fn wanted(keys: &[(&str, &[u8])]) -> Desired {
    let mut desired = Desired::default();
    for (key, bytes) in keys {
        desired.resources.insert(key_id("t", key), Wanted { value: value(bytes), place: Place::default(), after: Vec::new() });
    }
    desired
}

#[test]
fn keys_are_written_as_files_that_read_back_the_same() {
    let keys: [(&str, &[u8]); 3] = [("/app/a", b"1\n"), ("/app/b/c", b"\xff\x00"), ("/app/b/d.conf", b"")];
    let files = all().write(&Unit::new(""), &wanted(&keys), &UnitFiles::new()).unwrap();
    assert_eq!(files.keys().map(|path| &**path).collect::<Vec<_>>(), ["a", "b/c", "b/d.conf"]);
    for (path, bytes) in &files {
        let back = read_bytes(&all(), &[(path, bytes)]).unwrap();
        let (id, read) = back.resources.first_key_value().unwrap();
        assert_eq!(read.value, value(keys.iter().find(|(key, _)| *key == &*id.name).unwrap().1));
    }
}

#[test]
fn an_expanded_file_that_still_holds_keeps_its_form() {
    let previous: UnitFiles = [("db.yaml".into(), b"# ours\nhost: a\n".to_vec()), ("old".into(), b"x".to_vec())].into();
    let files = all().write(&Unit::new(""), &wanted(&[("/app/db/host", b"a"), ("/app/new", b"1")]), &previous).unwrap();
    assert_eq!(files.keys().map(|path| &**path).collect::<Vec<_>>(), ["db.yaml", "new"]);
    assert_eq!(files["db.yaml"], previous["db.yaml"]);
}

#[test]
fn keys_that_no_file_can_be_are_refused() {
    let keys: [(&str, &[u8]); 7] = [("/app/a", b""), ("/app/a/b", b""), ("/other", b""), ("/app/../x", b""), ("/app/b//c", b""), ("/app/c.json", b"{}"), ("/app/.gitkeep", b"")];
    let faults = all().write(&Unit::new(""), &wanted(&keys), &UnitFiles::new()).unwrap_err();
    insta::assert_snapshot!(refusals(&faults));
}

#[test]
fn toml_gives_a_key_for_every_leaf_as_its_grammar_says() {
    let toml = "# the shop\nname = \"shop\"\nport = 8_080\nmode = 0x1F\nrate = 1.50\non = true\nsince = 1979-05-27T07:32:00Z\nhosts = [\"a\", 'b c']\n[db.main]\nhost = \"db1\"\n[[pool]]\nip = \"192.0.2.1\"\n[[pool]]\nip = \"192.0.2.2\"\n";
    insta::assert_snapshot!(asks(&all(), "conf/main.toml", toml));
    assert_eq!(asks(&all(), "none.toml", "# nothing yet\n"), "", "an empty file asks for nothing");
    assert_eq!(asks(&tree(&[Expand::Yaml]), "a.toml", "x=1"), "dns/a.toml:1:1 /app/a.toml = x=1", "what is not expanded is a key as it is");
    insta::assert_snapshot!(
        [
            refused("a.toml", b"a = 1\nb = = 2\nc = [1,\n"),
            refused("b.toml", b"x = 99999999999999999999\n"),
            refused("c.toml", b"a = 1\na = 2\n"),
            refused("d.toml", b"a = \"\xff\"")
        ]
        .join("\n\n")
    );
}

const SCHEMA: &str = r##"{
  "type": "object", "required": ["port"], "additionalProperties": false,
  "properties": {
    "port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "name": {"type": "string", "pattern": "^[a-z]+$"},
    "hosts": {"type": "array", "items": {"$ref": "parts/host.schema.json"}}
  }
}"##;

const HOST: &str = r##"{"type": "string", "pattern": "\\.example\\.com$"}"##;

fn checked(files: &[(&str, &str)], path: &str) -> Result<Desired, String> {
    let format = KeyTree { schemas: true, ..all() };
    let mut memory = Memory::new(files);
    memory.own = vec![path.into()];
    let unit = format.unit_of(path).unwrap();
    format.read(&unit, &memory, &scope(&["t"])).map_err(|all| refusals(&all))
}

#[test]
fn values_fit_the_schema_that_lies_beside_them() {
    let fits = [("app.yaml", "port: 80\nname: shop\nhosts: [a.example.com]\n"), ("app.json", "{\"port\": 80}"), ("app.toml", "port = 80\n")];
    for (path, text) in fits {
        let read = checked(&[(path, text), ("app.schema.json", SCHEMA), ("parts/host.schema.json", HOST)], path);
        assert!(read.is_ok(), "{path}: {read:?}");
    }
    let yaml = "port: 70000\nname: Shop\nhosts:\n  - a.example.com\n  - b.example.org\nextra: s3cret-value\n";
    let json = "{\"name\": \"shop\",\n \"port\": \"80\"}";
    let told =
        [("app.yaml", yaml), ("app.json", json)].map(|(path, text)| checked(&[(path, text), ("app.schema.json", SCHEMA), ("parts/host.schema.json", HOST)], path).unwrap_err());
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn a_file_that_is_one_value_fits_its_schema_too() {
    let port = ("port.schema.json", r#"{"type": "integer"}"#);
    assert!(checked(&[("port", "8080\n"), port], "port").is_ok());
    assert!(checked(&[("port", "eighty\n"), port], "port").is_err());
    let list = ("flags.schema.json", r#"{"required": ["dark"]}"#);
    let plain = KeyTree { schemas: true, ..tree(&[]) };
    let mut memory = Memory::new(&[("flags.json", "{}"), list]);
    memory.own = vec!["flags.json".into()];
    assert!(plain.read(&plain.unit_of("flags.json").unwrap(), &memory, &scope(&["t"])).is_err(), "a file that is a key as it is has a grammar all the same");
    assert!(checked(&[("app.properties", "a = 1\n"), ("app.schema.json", r#"{"properties": {"a": {"maxLength": 0}}}"#)], "app.properties").is_err());
}

#[test]
fn a_schema_is_no_key_and_a_broken_one_is_refused_with_its_place() {
    let format = KeyTree { schemas: true, ..all() };
    assert_eq!(format.unit_of("app.schema.json"), None);
    assert!(all().unit_of("app.schema.json").is_some(), "without `schemas` it is a file like any other");
    let faulty = [
        "{\"type\": ",
        r#"{"type": "thing"}"#,
        r#"{"pattern": "(?=a)b"}"#,
        r#"{"$ref": "https://example.com/schema.json"}"#,
        r#"{"$ref": "../../etc/passwd"}"#,
        r#"{"$ref": "missing.schema.json"}"#,
    ];
    let told = faulty.map(|schema| checked(&[("a/app.yaml", "x"), ("a/app.schema.json", schema)], "a/app.yaml").expect_err(schema));
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn a_schema_that_comes_later_is_asked_for_from_the_start() {
    let memory = Memory::new(&[("app.yaml", "a: 1\n")]);
    let format = KeyTree { schemas: true, ..all() };
    format.read(&format.unit_of("app.yaml").unwrap(), &memory, &scope(&["t"])).unwrap();
    assert!(format.reads_beyond(), "so that a schema that changes touches the files it checks");
}

#[test]
fn live_text_that_reads_like_a_reference_is_never_written_into_a_file() {
    let write = |format: &KeyTree, keys: &[(&str, &[u8])]| format.write(&Unit::new(""), &wanted(keys), &UnitFiles::new());
    for text in ["secret://vault/kv/app#password", "SECRET://x", "secret://file/a\n"] {
        let mut desired = wanted(&[("/app/a", b"1"), ("/app/b", text.as_bytes())]);
        for (_, wanted) in desired.resources.iter_mut().filter(|(id, _)| &*id.name == "/app/b") {
            wanted.place = Place::new("config/b", 1, 1);
        }
        let faults = all().write(&Unit::new(""), &desired, &UnitFiles::new()).unwrap_err();
        let told = faults[0].to_string();
        assert!(faults.len() == 1 && told.contains("config/b:1:1") && told.contains("`/app/b`") && told.contains("override"), "{told}");
    }
    assert!(write(&all(), &[("/app/b", b"see secret://x")]).is_ok(), "only a whole text is one");
    // Where `${` refers to something, live text of it is written so that it means itself.
    let refers = KeyTree { references: true, ..all() };
    let files = write(&refers, &[("/app/b", b"${inside/key/x} and $${y}")]).unwrap();
    assert_eq!(String::from_utf8_lossy(&files["b"]), "$${inside/key/x} and $$${y}");
    let back = read_bytes(&refers, &[("b", &files["b"])]).unwrap();
    assert_eq!((back.late.len(), back.resources.values().next().map(|wanted| wanted.value.clone())), (0, Some(value(b"${inside/key/x} and $${y}"))));
}

#[test]
fn what_an_import_left_open_is_refused_until_it_is_filled_in() {
    let told = refused("db/password", TO_FILL.as_bytes());
    assert!(told.contains("db/password:1:1") && told.contains("still to be filled in"), "{told}");
}

/// An expanded file after its keys were wanted so: those named are new or, without a value, gone; the rest is as the file asks.
fn rewritten(path: &str, text: &str, changes: &[(&str, Option<&str>)]) -> Result<String, Vec<Refusal>> {
    let format = all();
    let mut desired = read_bytes(&format, &[(path, text.as_bytes())]).unwrap_or_else(|all| panic!("{}", refusals(&all)));
    for (key, new) in changes {
        let id = key_id("t", key);
        assert!(desired.resources.contains_key(&id), "{key} is there before: {:?}", desired.resources.keys());
        match new {
            Some(new) => desired.resources.get_mut(&id).unwrap().value = value(new.as_bytes()),
            None => drop(desired.resources.remove(&id)),
        }
    }
    let previous: UnitFiles = [(path.into(), text.as_bytes().to_vec())].into();
    let files = format.write(&Unit::new(""), &desired, &previous)?;
    assert_eq!(files.len(), 1, "no second file for a key: {:?}", files.keys());
    Ok(String::from_utf8(files[path].clone()).unwrap())
}

#[test]
fn drift_of_an_expanded_file_changes_the_text_of_its_values_alone() {
    let yaml = "# ours\ndb:\n  host: 'db1'   # the main one\n  port: 5432\n  note: \"a \\\"b\\\"\"\nlist: [a, b]\n";
    let cases = [
        ("c.yaml", yaml, &[("/app/c/db/host", Some("db2")), ("/app/c/list/1", Some("c, d"))][..], yaml.replace("'db1'", "'db2'").replace("[a, b]", "[a, 'c, d']")),
        ("c.yaml", yaml, &[("/app/c/db/port", Some("5433")), ("/app/c/db/note", Some("x: \u{e9}"))], yaml.replace("5432", "5433").replace("\"a \\\"b\\\"\"", "\"x: \u{e9}\"")),
        ("c.yaml", yaml, &[("/app/c/db/port", None)], yaml.replace("  port: 5432\n", "")),
        ("c.yaml", yaml, &[("/app/c/db/port", Some("null"))], yaml.replace("5432", "'null'")),
        ("c.yaml", yaml, &[("/app/c/db/host", Some("it's\n"))], yaml.replace("'db1'", "\"it's\\n\"")),
        (
            "c.json",
            "{ \"a\": 1,\n  \"b\": \"x\", \"c\": [true] }\n",
            &[("/app/c/a", Some("2")), ("/app/c/b", Some("3")), ("/app/c/c/0", Some("no"))],
            "{ \"a\": 2,\n  \"b\": \"3\", \"c\": [\"no\"] }\n".to_owned(),
        ),
        ("c.json", "{ \"a\": 1,\n  \"b\": \"x\", \"c\": 2 }", &[("/app/c/b", None), ("/app/c/c", None)], "{ \"a\": 1 }".to_owned()),
        ("c.json", "{ \"a\": 1,\n  \"b\": \"x\" }", &[("/app/c/a", None)], "{ \"b\": \"x\" }".to_owned()),
        (
            "c.toml",
            "# ours\nport = 8_080 # not 80\n[db]\nhost = 'db1'\nuser = \"u\"\n",
            &[("/app/c/port", Some("8081")), ("/app/c/db/host", Some("db2")), ("/app/c/db/user", None)],
            "# ours\nport = 8081 # not 80\n[db]\nhost = 'db2'\n".to_owned(),
        ),
        ("c.toml", "a = true\nb = 1\n", &[("/app/c/a", Some("maybe \\"))], "a = \"maybe \\\\\"\nb = 1\n".to_owned()),
        (
            "c.properties",
            "# ours\r\na.b = 1\r\nlong: x,\\\r\n   y\r\nflag\r\nend=z",
            &[("/app/c/a.b", Some("2")), ("/app/c/long", Some(" x\ty")), ("/app/c/flag", Some("on")), ("/app/c/end", None)],
            "# ours\r\na.b = 2\r\nlong: \\ x\\ty\r\nflag=on\r\n".to_owned(),
        ),
    ];
    for (path, text, changes, expected) in cases {
        assert_eq!(rewritten(path, text, changes).unwrap_or_else(|all| panic!("{path}: {}", refusals(&all))), expected, "{path} {changes:?}");
    }
}

#[test]
fn what_no_edit_of_a_values_own_text_says_is_left_to_people() {
    let cases = [
        ("c.yaml", "a: |\n  x\n  y\nb: 1\n", ("/app/c/a", Some("z"))),
        ("c.yaml", "a: &x 1\nb: *x\n", ("/app/c/b", Some("2"))),
        ("c.yaml", "db:\n  host: a\nb: 1\n", ("/app/c/db/host", None)),
        ("c.yaml", "list:\n  - a\n  - b\n", ("/app/c/list/0", None)),
        ("c.yaml", "{a: 1, b: 2}\n", ("/app/c/a", None)),
        ("c.json", "{\"a\": {\"b\": 1}}", ("/app/c/a/b", None)),
        ("c.toml", "a = { b = 1, c = 2 }\n", ("/app/c/a/b", None)),
    ];
    for (path, text, change) in cases {
        let told = refusals(&rewritten(path, text, &[change]).expect_err(path));
        assert!(told.contains(path) && told.contains("by hand"), "{path}: {told}");
    }
    // Octets that are no text fit no leaf.
    let previous: UnitFiles = [("db.yaml".into(), b"host: a\n".to_vec())].into();
    assert!(all().write(&Unit::new(""), &wanted(&[("/app/db/host", b"\xff")]), &previous).is_err());
}
