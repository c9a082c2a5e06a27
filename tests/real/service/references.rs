//! Stories of values that are written as references: a file of a folder that takes what a record holds.

use super::world::World;
use std::{fs, path::PathBuf};

/// A running server that also governs files of a folder (`app/…`).
fn start() -> World {
    let mut world = World::start();
    world.kill();
    fs::create_dir_all(world.dir.path().join("keys")).expect("the folder is writable");
    let text = fs::read_to_string(world.config()).expect("it is there");
    let text = text.replace("targets:\n  inside:", "      - target: files\n        units: [\"app/*\"]\n        sensitive: [\"app/secret/*\"]\ntargets:\n  inside:");
    let text = format!("{text}  files:\n    kind: config/directory\n    path: {}\n", world.dir.path().join("keys").display());
    fs::write(world.config(), text).expect("the folder is writable");
    world.serve();
    world
}

fn live(world: &World, file: &str) -> PathBuf {
    world.dir.path().join("keys/app").join(file)
}

fn held(world: &World, file: &str) -> String {
    fs::read_to_string(live(world, file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The reference to a field of www's address.
fn www(world: &World, field: &str) -> String {
    format!("${{inside/rrset/{}/www/A.{field}}}", world.zones[0])
}

/// What a refused merge request is told.
fn refused(world: &World, number: u64) -> String {
    world.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns"]).ok()
}

fn window(world: &World, from: &str, to: &str) {
    let root = world.read("trueup.yaml");
    assert!(root.contains(from), "{root}");
    world.write("trueup.yaml", &root.replace(from, to));
}

fn govern(world: &World) {
    let govern = world.propose("govern", |world| {
        let root = world.read("trueup.yaml");
        let source = "  - {path: files, format: keytree, targets: [files], prefix: app/, expand: [yaml], references: true}\n";
        world.write("trueup.yaml", &root.replace("policy:\n", &format!("{source}policy:\n")));
        world.write("files/app.conf", &format!("home = $${{HOME}}\naddr = {}:8080\n", www(world, "values.0")));
        world.write("files/limits.yaml", &format!("cache: \"{}\"\nretries: 3\n", www(world, "ttl")));
        world.write("files/copy", "${files/key/app/app.conf}");
        world.write("files/plain", "untouched\n");
    });
    world.wait(govern, "awaiting_approval");
    world.approve(govern);
    world.wait(govern, "merged");
}

#[test]
fn files_follow_the_record_they_refer_to_though_nobody_changed_them_and_back() {
    let world = start();
    govern(&world);
    assert_eq!(held(&world, "app.conf"), "home = ${HOME}\naddr = 192.0.2.1:8080\n");
    assert_eq!((held(&world, "copy"), held(&world, "limits/cache")), ("home = ${HOME}\naddr = 192.0.2.1:8080".to_owned(), "300".to_owned()));
    let drift = || world.trueup("ana", &["drift", "--repo", "dns"]);
    let said = drift();
    assert_eq!(said.code, 0, "what a reference stands for is no drift: {}{}", said.out, said.err);

    // The merge request changes the zone alone, and from here on the window is longer than this test.
    let number = world.propose("move-www", |world| {
        world.edit_zone("192.0.2.1\n", "192.0.2.77\n");
        window(world, "window: 2s", "window: 2h");
    });
    world.wait(number, "awaiting_approval");
    let shown = world.trueup("ana", &["mr", "plan", &number.to_string(), "--repo", "dns", "--way-back"]).ok();
    let place = "files/app.conf:2:8";
    for said in ["app/app.conf", "app/copy", "addr = 192.0.2.77:8080", "because one refers to the other", &www(&world, "values.0"), place, "files/copy:1:1"] {
        assert!(shown.contains(said), "the plan says `{said}`: {shown}");
    }
    assert!(!shown.contains("app/plain") && !shown.contains("limits"), "who does not follow is not touched: {shown}");
    world.approve(number);
    world.wait(number, "merged");
    assert_eq!(held(&world, "app.conf"), "home = ${HOME}\naddr = 192.0.2.77:8080\n");
    assert_eq!(held(&world, "copy"), "home = ${HOME}\naddr = 192.0.2.77:8080");
    let said = drift();
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    fs::write(live(&world, "app.conf"), "addr = by hand\n").expect("the folder is writable");
    let said = drift();
    assert!(said.code == 2 && said.out.contains("192.0.2.77:8080") && said.out.contains("by hand"), "{}{}", said.out, said.err);
    fs::write(live(&world, "app.conf"), "home = ${HOME}\naddr = 192.0.2.77:8080\n").expect("the folder is writable");

    let before = (world.live(), held(&world, "app.conf"), held(&world, "copy"));
    let number = world.propose("again", |world| world.edit_zone("192.0.2.77\n", "192.0.2.78\n"));
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "verifying");
    assert!(held(&world, "copy").contains("192.0.2.78"), "it is live before it is merged");
    world.trueup("ben", &["mr", "say", &number.to_string(), "--repo", "dns", "restore"]).ok();
    world.wait(number, "restored");
    assert_eq!((world.live(), held(&world, "app.conf"), held(&world, "copy")), before, "all is back exactly");
}

#[test]
fn records_follow_the_key_they_refer_to_and_are_changed_after_it_and_back() {
    let world = start();
    let govern = world.propose("govern", |world| {
        let root = world.read("trueup.yaml");
        let source = "    references: true\n  - {path: files, format: keytree, targets: [files], prefix: app/}\n";
        world.write("trueup.yaml", &root.replace("policy:\n", &format!("{source}policy:\n")));
        world.write("files/addr", "192.0.2.55\n");
        world.write("files/motto", "a; \"b\" ${c}");
        let zone = world.read(&world.zone_file());
        let records = "note:\n  ttl: 60\n  type: TXT\n  value: at ${files/key/app/addr} says ${files/key/app/motto} $${d}\nref:\n  ttl: 60\n  type: A\n  values: [192.0.2.54, \"${files/key/app/addr}\"]\n";
        world.write(&world.zone_file(), &format!("{zone}{records}"));
    });
    world.wait(govern, "awaiting_approval");
    world.approve(govern);
    world.wait(govern, "merged");
    let lines = |world: &World, name: &str| world.live().into_iter().filter(|line| line.starts_with(&format!("{name}."))).collect::<Vec<_>>().join("\n");
    assert!(lines(&world, "note").ends_with("TXT \"at 192.0.2.55 says a; \\\"b\\\" ${c} ${d}\""), "{}", lines(&world, "note"));
    assert!(lines(&world, "ref").contains("192.0.2.54") && lines(&world, "ref").contains("192.0.2.55"), "{}", lines(&world, "ref"));
    let said = world.trueup("ana", &["drift", "--repo", "dns"]);
    assert_eq!(said.code, 0, "what a reference stands for is no drift: {}{}", said.out, said.err);

    // Nobody touches the zone; from here on the window is longer than this test.
    let number = world.propose("move", |world| {
        world.write("files/addr", "192.0.2.66\n");
        window(world, "window: 2s", "window: 2h");
    });
    world.wait(number, "awaiting_approval");
    let shown = world.trueup("ana", &["mr", "plan", &number.to_string(), "--repo", "dns"]).ok();
    for said in ["192.0.2.66", "because one refers to the other", "${files/key/app/addr}", &format!("{}:", world.zone_file()), "at 192.0.2.66 says"] {
        assert!(shown.contains(said), "the plan says `{said}`: {shown}");
    }
    world.approve(number);
    world.wait(number, "merged");
    assert!(lines(&world, "ref").contains("192.0.2.66") && !lines(&world, "ref").contains("192.0.2.55"), "{}", lines(&world, "ref"));

    let before = (world.live(), held(&world, "addr"));
    let number = world.propose("again", |world| world.write("files/addr", "192.0.2.67\n"));
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "verifying");
    world.trueup("ben", &["mr", "say", &number.to_string(), "--repo", "dns", "restore"]).ok();
    world.wait(number, "restored");
    assert_eq!((world.live(), held(&world, "addr")), before, "all is back exactly");

    let bad = world.propose("bad", |world| world.write("files/addr", "not an address\n"));
    world.wait(bad, "refused");
    let shown = refused(&world, bad);
    assert!(shown.contains("is not one word") && shown.contains(&format!("{}:", world.zone_file())), "{shown}");
}

#[test]
fn a_reference_that_leads_nowhere_is_refused_with_its_place_and_nothing_is_written() {
    let world = start();
    govern(&world);
    let zone = world.zones[0].clone();
    let bad: [(&str, String, Vec<&str>); 6] = [
        ("unknown", format!("a\nb ${{inside/rrset/{zone}/wwww/A.ttl}}"), vec!["files/bad:2:3", "nothing in this repository asks for", "did you mean `inside/rrset/", "/www/A`?"]),
        ("field", www(&world, "values.7"), vec!["files/bad:1:1", "has no field `values.7`", "values.0"]),
        ("cycle", "x ${files/key/app/bad}".to_owned(), vec!["files/bad:1:3", "lead back to where they start"]),
        ("grant", "${files/key/elsewhere}".to_owned(), vec!["files/bad:1:1", "`files/key/elsewhere` is not granted to this repository"]),
        ("hidden", "${files/key/app/secret/password}".to_owned(), vec!["files/bad:1:1", "is sensitive"]),
        ("target", "${file/key/app/plain}".to_owned(), vec!["files/bad:1:1", "did you mean `files/key/app/plain`?"]),
    ];
    for (name, text, says) in bad {
        let number = world.propose(name, |world| world.write("files/bad", &text));
        world.wait(number, "refused");
        let shown = refused(&world, number);
        for said in says {
            assert!(shown.contains(said), "{name} says `{said}`: {shown}");
        }
    }
    // Who goes while others refer to it would leave them with nothing: their places are told, though nobody touched them.
    let number = world.propose("gone", |world| {
        let zone = world.read(&world.zone_file());
        world.write(&world.zone_file(), zone.split_once("www:").expect("it is the last").0);
    });
    world.wait(number, "refused");
    let shown = refused(&world, number);
    assert!(shown.contains("files/app.conf:2:8") && shown.contains("files/limits.yaml:1:9"), "{shown}");
    assert!(!live(&world, "bad").exists());
    assert_eq!(held(&world, "app.conf"), "home = ${HOME}\naddr = 192.0.2.1:8080\n");
}
