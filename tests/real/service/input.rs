//! Bad input through the whole service: each is refused with its place and with what to do, nothing is written, and the server lives on.

use super::world::World;

/// What one bad merge request holds, and what its refusal must say.
struct Bad {
    name: &'static str,
    edit: fn(&World),
    says: &'static [&'static str],
}

/// A second zone file, so that the first stays whole: the place is then the bad file's.
fn file(world: &World) -> String {
    world.zone_file()
}

fn whole(world: &World, text: impl AsRef<[u8]>) {
    let path = world.work().join(file(world));
    std::fs::write(path, text).expect("the folder is writable");
}

fn root(world: &World, old: &str, new: &str) {
    let text = world.read("trueup.yaml");
    assert!(text.contains(old), "{text}");
    world.write("trueup.yaml", &text.replace(old, new));
}

const BAD: [Bad; 15] = [
    Bad { name: "broken-yaml", edit: |world| whole(world, "www:\n  type: A\n value: [192.0.2.1\n"), says: &["yaml:3"] },
    Bad { name: "duplicate-key", edit: |world| whole(world, "www:\n  type: A\n  value: 192.0.2.1\nwww:\n  type: A\n  value: 192.0.2.2\n"), says: &["yaml:4", "yaml:1"] },
    Bad {
        name: "alias-bomb",
        edit: |world| {
            let mut text = "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
            for n in 1..12 {
                text.push_str(&format!("l{n}: &l{n} [{}]\n", vec![format!("*l{}", n - 1); 10].join(", ")));
            }
            whole(world, text);
        },
        says: &["yaml:", "alias"],
    },
    Bad { name: "deep-nesting", edit: |world| whole(world, format!("www: {}{}\n", "[".repeat(10_000), "]".repeat(10_000))), says: &["yaml:1", "deep"] },
    Bad { name: "fifty-megabytes", edit: |world| whole(world, vec![b'#'; 50 << 20]), says: &["yaml", "bytes"] },
    Bad { name: "no-utf-8", edit: |world| whole(world, b"www:\n  type: TXT\n  value: \"caf\xe9\"\n"), says: &["yaml:3", "UTF-8"] },
    Bad {
        name: "link-to-a-secret",
        edit: |world| {
            let path = world.work().join(file(world));
            std::fs::remove_file(&path).expect("it is there");
            std::os::unix::fs::symlink("../../../../../../etc/passwd", path).expect("the folder is writable");
        },
        says: &["yaml", "link"],
    },
    Bad { name: "out-of-the-tree", edit: |world| root(world, "path: zones", "path: ../zones"), says: &["trueup.yaml:2", ".."] },
    Bad { name: "unknown-key", edit: |world| root(world, "policy:\n", "policy:\n  aprovals: []\n"), says: &["trueup.yaml:", "aprovals", "approvals"] },
    Bad { name: "unknown-target", edit: |world| root(world, "targets: [inside]", "targets: [outside]"), says: &["trueup.yaml:4", "outside"] },
    Bad {
        name: "overlapping-sources",
        edit: |world| {
            world.write(&format!("zones/again/{}yaml", world.zones[0]), "www:\n  type: A\n  value: 192.0.2.9\n");
            root(world, "policy:\n", "  - path: zones/again\n    format: octodns\n    targets: [inside]\npolicy:\n");
        },
        says: &["trueup.yaml:", "zones/again"],
    },
    Bad {
        name: "two-files-for-one-record",
        edit: |world| {
            world.write(&format!("more/{}yaml", world.zones[0]), "www:\n  type: A\n  value: 192.0.2.9\n");
            root(world, "policy:\n", "  - path: more\n    format: octodns\n    targets: [inside]\npolicy:\n");
        },
        says: &["more/", "zones/", "www"],
    },
    Bad {
        name: "cname-to-a-url",
        edit: |world| world.edit_zone("www:\n  ttl: 300\n  type: A\n  value: 192.0.2.1\n", "www:\n  type: CNAME\n  value: https://example.test/\n"),
        says: &["yaml:", "https://example.test/"],
    },
    Bad { name: "no-address", edit: |world| world.edit_zone("192.0.2.2\n", "mail.example.test.\n"), says: &["yaml:", "mail.example.test."] },
    // The last, because a folder with a repository of its own stays when the branch is left.
    Bad {
        name: "submodule",
        edit: |world| {
            let vendored = world.work().join("zones/vendored");
            world.git(&world.work(), &["init", "-q", "zones/vendored"]).ok();
            world.git(&vendored, &["-c", "user.name=x", "-c", "user.email=x@example.test", "commit", "-q", "--allow-empty", "-m", "elsewhere"]).ok();
        },
        says: &["zones/vendored", "submodule"],
    },
];

#[test]
fn bad_input_is_refused_with_place_and_advice_and_nothing_is_half_done() {
    let world = World::start();
    let (before, serial) = (world.live(), world.dns.serial(&world.zones[0]));
    for Bad { name, edit, says } in BAD {
        let number = world.propose(name, edit);
        world.wait(number, "refused");
        let shown = world.show(number);
        let refusals = shown["refusals"].as_array().expect("refusals are a list");
        assert!(!refusals.is_empty(), "{name}: {shown}");
        let text = shown["refusals"].to_string() + &world.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns"]).ok();
        for says in says {
            assert!(text.contains(says), "{name} says `{says}`: {text}");
        }
        assert!(refusals.iter().all(|refusal| refusal["advice"].as_str().is_some_and(|advice| !advice.is_empty())), "{name} says what to do: {}", shown["refusals"]);
        assert!(!text.contains("root:x:0"), "{name} shows nothing of the server's own files");
    }
    assert!(world.is_up());
    assert_eq!((world.live(), world.dns.serial(&world.zones[0])), (before, serial), "nothing was written");
    std::fs::remove_dir_all(world.work().join("zones/vendored")).expect("it is there");
    let number = world.propose("good", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
}
