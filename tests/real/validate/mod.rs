//! `trueup validate` and `trueup schema`, as a person at a terminal meets them.

use crate::git::scratch::{Put, Scratch};
use std::process::Command;

const ROOT: &str = "sources:\n  - {path: zones, format: octodns, targets: [inside, outside]}\n  - {path: lab, format: zonefile, targets: [inside]}\n";
const ZONE: &str = "'':\n  - {type: MX, values: [{exchange: mx.example.com., preference: 10}]}\nwww: {type: A, value: 192.0.2.1}\n";
const LAB: &str = "$TTL 300\n@ IN SOA ns hostmaster 1 2 3 4 5\nhost IN A 192.0.2.9\n";

/// The exit code and everything printed, for one commit of these files.
fn validate(files: &[(&str, &str)]) -> (i32, String) {
    let scratch = Scratch::new();
    let puts: Vec<Put<'_>> = files.iter().map(|(path, text)| Put::File(path, text)).collect();
    validate_puts(&scratch, &puts)
}

fn validate_puts(scratch: &Scratch, puts: &[Put<'_>]) -> (i32, String) {
    scratch.commit("main", None, puts);
    run(&["validate", "--rev", "main", "--repo", scratch.path().to_str().unwrap()])
}

fn run(args: &[&str]) -> (i32, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_trueup")).args(args).output().unwrap();
    let told = [out.stdout, out.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (out.status.code().unwrap(), told)
}

#[test]
fn a_whole_tree_is_read_and_counted() {
    let (code, told) = validate(&[("trueup.yaml", ROOT), ("zones/example.com.yaml", ZONE), ("lab/lab.example.com.zone", LAB), ("README.md", "not desired state\n")]);
    assert_eq!((code, told.as_str()), (0, "valid: 5 resources in 2 units of 2 sources\n"));
}

#[test]
fn every_fault_of_every_file_is_told_with_its_place() {
    let files = [
        ("trueup.yaml", ROOT),
        ("zones/example.com.yaml", "www:\n  - {type: CNAME, value: a.example.com.}\n  - {type: A, value: 192.0.2.1}\nbad: {type: A, value: 192.0.2.999}\n"),
        ("zones/example.org.yaml", "www: {type: A\n"),
        ("lab/lab.example.com.zone", "$TTL 300\nhost IN A nonsense\n"),
        ("plans/own.yaml", "name: own\nwaves: {size: 0, between: pause}\n"),
    ];
    let (code, told) = validate(&files);
    assert_eq!(code, 1);
    for place in ["zones/example.com.yaml:", "zones/example.org.yaml:", "lab/lab.example.com.zone:2", "plans/own.yaml:2"] {
        assert!(told.contains(place), "{place} is not in:\n{told}");
    }
    assert!(told.contains("faults in main"), "{told}");
}

#[test]
fn a_written_reference_is_valid_where_it_leads_somewhere_and_told_with_its_place_where_not() {
    let root = "sources:\n  - {path: zones, format: octodns, targets: [inside]}\n  - {path: config, format: keytree, targets: [app], references: true, expand: [yaml]}\n";
    let of = |reference: &str| validate(&[("trueup.yaml", root), ("zones/example.com.yaml", ZONE), ("config/web.yaml", &format!("port: 80\naddr: \"{reference}\"\n"))]);
    assert_eq!(of("${inside/rrset/example.com./www/A.values.0}:${app/key/web/port} $${x}").0, 0, "{}", of("${inside/rrset/example.com./www/A.values.0}").1);
    let (code, told) = of("x ${inside/rrset/example.com./ww/A.ttl}");
    assert!(code == 1 && told.contains("config/web.yaml:2:10") && told.contains("did you mean `inside/rrset/example.com./www/A`?"), "{told}");
    let (code, told) = of("${app/key/web/addr}");
    assert!(code == 1 && told.contains("config/web.yaml:2:8") && told.contains("lead back"), "{told}");
    let (code, told) = validate(&[
        ("trueup.yaml", &ROOT.replace("format: zonefile,", "format: zonefile, references: true,")),
        ("zones/example.com.yaml", ZONE),
        ("lab/lab.example.com.zone", LAB),
    ]);
    assert!(code == 1 && told.contains("`references` means nothing to `zonefile`"), "{told}");
}

#[test]
fn a_reference_to_a_secret_is_valid_where_it_can_be_read_and_a_broken_one_is_told_with_its_place() {
    let root = "sources:\n  - {path: config, format: keytree, targets: [app], expand: [yaml]}\n";
    let of = |reference: &str| validate(&[("trueup.yaml", root), ("config/db.yaml", &format!("port: 5432\npassword: {reference}\n"))]);
    assert_eq!(of("secret://vault/kv/app#password@3").0, 0, "{}", of("secret://vault/kv/app#password@3").1);
    let (code, told) = of("secret://vault/kv/../app");
    assert!(code == 1 && told.contains("config/db.yaml:2:11") && told.contains("a path is names between single `/`"), "{told}");
}

#[test]
fn two_sources_that_ask_for_one_record_are_told_with_both_places() {
    let lab = LAB.replace("host", "www");
    let (code, told) = validate(&[("trueup.yaml", ROOT), ("zones/example.com.yaml", ZONE), ("lab/example.com.zone", &lab)]);
    assert_eq!(code, 1);
    assert!(told.contains("two places ask for inside/rrset/example.com./www/A") && told.contains("zones/example.com.yaml:3") && told.contains("lab/example.com.zone:3"), "{told}");
}

#[test]
fn a_tree_without_the_root_file_or_with_a_link_in_its_place_is_told_what_to_do() {
    let (code, told) = validate(&[("zones/example.com.yaml", ZONE)]);
    assert_eq!(code, 1);
    assert!(told.contains("there is no file trueup.yaml") && told.contains("trueup schema"), "{told}");
    let (code, told) = validate_puts(&Scratch::new(), &[Put::Link("trueup.yaml", "/etc/passwd")]);
    assert_eq!(code, 1);
    assert!(told.contains("there is no file trueup.yaml") && !told.contains("root:"), "{told}");
}

#[test]
fn a_source_without_files_and_links_and_submodules_in_one_are_refused() {
    let (code, told) = validate(&[("trueup.yaml", ROOT), ("zones/example.com.yaml", ZONE)]);
    assert_eq!(code, 1);
    assert!(told.contains("the source's folder `lab` holds no file") && told.contains("trueup.yaml:3"), "{told}");
    let (code, told) =
        validate_puts(&Scratch::new(), &[Put::File("trueup.yaml", ROOT), Put::File("zones/example.com.yaml", ZONE), Put::Link("lab/a.example.com.zone", "/etc/passwd")]);
    assert_eq!(code, 1);
    assert!(told.contains("symbolic link") && !told.contains("root:"), "{told}");
}

#[test]
fn the_schemas_are_printed_and_name_every_section() {
    for (file, sections) in [("trueup", ["sources", "policy", "release"]), ("server", ["repositories", "targets", "users"])] {
        let (code, told) = run(&["schema", file]);
        let schema: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!((code, &schema["additionalProperties"]), (0, &serde_json::Value::Bool(false)));
        for section in sections {
            assert!(schema["properties"][section].is_object(), "{section}");
        }
    }
}
