//! Stories of keys: files of the repository that become values of a config center.

use super::world::World;
use std::{fs, path::PathBuf};

/// What a merge request adds to govern keys beside the zone.
const SOURCE: &str = "  - path: config\n    format: keytree\n    targets: [files]\n    prefix: app/\n    expand: [yaml]\n";

/// A running server with a second target, a folder, of which the repository may write what starts with `app/`.
fn start() -> World {
    with_files(World::start())
}

/// The same beside what a world has already.
pub(super) fn with_files(mut world: World) -> World {
    world.kill();
    fs::create_dir_all(folder(&world)).expect("the folder is writable");
    let text = fs::read_to_string(world.config()).expect("it is there");
    let text = text.replace("targets:\n  inside:", "      - target: files\n        units: [\"app/*\"]\ntargets:\n  inside:");
    let text = format!("{text}  files:\n    kind: config/directory\n    path: {}\n", folder(&world).display());
    fs::write(world.config(), text).expect("the folder is writable");
    world.serve();
    world
}

pub(super) fn folder(world: &World) -> PathBuf {
    world.dir.path().join("keys")
}

fn key(world: &World, key: &str) -> Option<String> {
    fs::read_to_string(folder(world).join(key)).ok()
}

/// Governs the folder `config` with three keys, up to the merge.
pub(super) fn govern(world: &World) {
    let number = world.propose("govern-keys", |world| {
        let root = world.read("trueup.yaml");
        world.write("trueup.yaml", &root.replace("policy:\n", &format!("{SOURCE}policy:\n")));
        world.write("config/host", "db1.example.com");
        world.write("config/old", "1\n");
        world.write("config/db.yaml", "# ours\nport: 5432\n");
    });
    world.wait(number, "awaiting_approval");
    assert_eq!(key(world, "app/host"), None, "nothing is written before the approval");
    world.approve(number);
    world.wait(number, "merged");
    assert_eq!((key(world, "app/host").as_deref(), key(world, "app/db/port").as_deref()), (Some("db1.example.com"), Some("5432")));
}

#[test]
fn a_merge_request_that_changes_three_keys_merges_when_the_folder_holds_them() {
    let world = start();
    govern(&world);
    fs::write(folder(&world).join("app/neighbour"), "theirs").expect("the folder is writable");
    let number = world.propose("three-keys", |world| {
        world.write("config/host", "db2.example.com");
        world.write("config/db.yaml", "# ours\nport: 5433\n");
        fs::remove_file(world.work().join("config/old")).expect("it is there");
    });
    world.wait(number, "awaiting_approval");
    let shown = world.trueup("ana", &["mr", "plan", &number.to_string(), "--repo", "dns"]).ok();
    assert!(shown.contains("app/db/port") && shown.contains("5433"), "the plan names keys and values: {shown}");
    world.approve(number);
    world.wait(number, "merged");
    assert_eq!((key(&world, "app/host").as_deref(), key(&world, "app/db/port").as_deref()), (Some("db2.example.com"), Some("5433")));
    assert_eq!((key(&world, "app/old"), key(&world, "app/neighbour").as_deref()), (None, Some("theirs")));
}

#[test]
fn keys_that_cannot_be_are_refused_with_their_places() {
    let world = start();
    govern(&world);
    let refused = |branch: &str, edit: &dyn Fn(&World), words: &[&str]| {
        let number = world.propose(branch, edit);
        world.wait(number, "refused");
        let shown = world.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns"]).ok();
        for word in words {
            assert!(shown.contains(word), "{branch} names `{word}`: {shown}");
        }
    };
    refused("twice", &|world| world.write("config/db/port", "1"), &["two places ask for files/key/app/db/port", "config/db.yaml:2:7", "config/db/port:1:1"]);
    refused("folder", &|world| world.write("config/host.yaml", "name: x\n"), &["`app/host` is a key and a folder at once", "config/host.yaml:1:7", "config/host:1:1"]);
    let elsewhere = |world: &World| {
        let root = world.read("trueup.yaml");
        world.write("trueup.yaml", &root.replace("prefix: app/", "prefix: other/"));
    };
    refused("outside", &elsewhere, &["`other/` on target `files` is not granted"]);
    refused("zone-target", &|world| world.write("trueup.yaml", &world.read("trueup.yaml").replace("[files]", "[inside]")), &["speaks of config", "`inside` is dns"]);
    refused("large", &|world| world.write("config/large", &"x".repeat((1 << 20) + 1)), &["1048577 bytes", "config/large:1:1"]);
}

#[test]
fn a_key_changed_by_hand_stops_the_merge_request_that_would_write_over_it() {
    let world = start();
    govern(&world);
    let number = world.propose("move", |world| world.write("config/host", "db2.example.com"));
    world.wait(number, "awaiting_approval");
    fs::write(folder(&world).join("app/host"), "by hand").expect("the folder is writable");
    world.approve(number);
    world.wait(number, "refused");
    assert_eq!(key(&world, "app/host").as_deref(), Some("by hand"));
}
