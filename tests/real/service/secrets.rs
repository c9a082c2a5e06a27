//! Stories of secrets: references in key trees, sealed pre-images, and who may refer to what.

use super::world::{SEAL_KEY, World};
use crate::secrets::twin::Twin;
use std::{fs, path::PathBuf};

/// A running server with a folder as second target; the repository may write all of it, and refer to the secret files that start with `app-`.
/// What starts with `app/secret/` is sensitive by the server's grant.
fn start() -> World {
    start_with("")
}

/// The same, with more lines in its policy.
pub(super) fn start_with(policy: &str) -> World {
    let mut world = World::start_with(policy);
    world.kill();
    fs::create_dir_all(folder(&world)).expect("the folder is writable");
    keep(&world, "app-one", "canary-one-0f3a");
    keep(&world, "app-two", "canary-two-77c1");
    keep(&world, "other", "canary-other-5d5d");
    let text = fs::read_to_string(world.config()).expect("it is there");
    let grant = "    secrets: [\"file/app-*\", \"file/tsig*\"]\n    grants:\n      - target: files\n        sensitive: [\"app/secret/*\"]\n";
    let text = text.replace("    grants:\n", grant);
    let text = format!("{text}  files:\n    kind: config/directory\n    path: {}\n", folder(&world).display());
    fs::write(world.config(), text).expect("the folder is writable");
    world.serve();
    let number = world.propose("govern-keys", |world| {
        let root = world.read("trueup.yaml");
        let source = "  - path: config\n    format: keytree\n    targets: [files]\n    prefix: app/\n    expand: [yaml]\n";
        world.write("trueup.yaml", &root.replace("policy:\n", &format!("{source}policy:\n")));
        world.write("config/host", "db1.example.com");
    });
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "merged");
    world
}

pub(super) fn folder(world: &World) -> PathBuf {
    world.dir.path().join("keys")
}

/// Writes a secret file where the server looks.
pub(super) fn keep(world: &World, name: &str, text: &str) {
    fs::write(world.dir.path().join(name), text).expect("the folder is writable");
}

pub(super) fn key(world: &World, key: &str) -> Option<String> {
    fs::read_to_string(folder(world).join("app").join(key)).ok()
}

pub(super) fn say(world: &World, number: u64, args: &[&str]) {
    world.trueup("ben", &[&["mr", "say", &number.to_string(), "--repo", "dns"], args].concat()).ok();
}

pub(super) fn shown(world: &World, number: u64) -> String {
    world.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns"]).ok()
}

pub(super) fn set(world: &World, branch: &str, text: &str) -> u64 {
    world.propose(branch, |world| world.write("config/db.yaml", text))
}

/// Merges a first reference; what follows is watched for a minute, so that nothing merges under a test's hands.
pub(super) fn merged(world: &World, branch: &str, text: &str) {
    let number = world.propose(branch, |world| {
        world.write("trueup.yaml", &world.read("trueup.yaml").replace("window: 2s", "window: 60s"));
        world.write("config/db.yaml", text);
    });
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "merged");
}

#[test]
fn a_reference_is_written_as_its_secret_and_shown_as_the_reference() {
    let world = start();
    let number = set(&world, "refer", "password: secret://file/app-one\nport: 5432\n");
    world.wait(number, "awaiting_approval");
    let plan = world.trueup("ana", &["mr", "plan", &number.to_string(), "--repo", "dns"]).ok();
    assert!(plan.contains("secret://file/app-one") && plan.contains("5432") && !plan.contains("canary"), "{plan}");
    assert_eq!(key(&world, "db/password"), None);
    world.approve(number);
    world.wait(number, "merged");
    assert_eq!((key(&world, "db/password").as_deref(), key(&world, "db/port").as_deref()), (Some("canary-one-0f3a"), Some("5432")));
    let drift = || world.trueup("ana", &["drift", "--repo", "dns", "--target", "files"]);
    let said = drift();
    assert_eq!(said.code, 0, "what the reference leads to is live: {}{}", said.out, said.err);
    fs::write(folder(&world).join("app/db/password"), "canary-by-hand").expect("the folder is writable");
    let said = drift();
    assert!(said.code == 2 && said.out.contains("db/password") && !said.out.contains("canary"), "{}{}", said.out, said.err);
}

#[test]
fn drift_of_what_a_lost_secret_should_be_is_neither_denied_nor_forgotten_and_ends_no_override() {
    let mut world = start();
    world.kill();
    let text = fs::read_to_string(world.config()).expect("it is there");
    fs::write(world.config(), format!("{text}drift: {{ every: 1s, reads: 6000 }}\n")).expect("the folder is writable");
    world.serve();
    let number = set(&world, "refer", "password: secret://file/app-one\nother: secret://file/app-two\nport: 5432\n");
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "merged");
    for name in ["password", "other"] {
        fs::write(folder(&world).join("app/db").join(name), "canary-by-hand").expect("the folder is writable");
    }
    let drift = || world.trueup("ana", &["drift", "--repo", "dns", "--target", "files"]);
    let overrides = || world.trueup("ana", &["override", "list", "--json"]).json()["overrides"].as_array().map(Vec::len);
    world.trueup("ben", &["override", "claim", "files/key/app/db/other", "--repo", "dns", "--reason", "tonight", "--until", "1d"]).ok();
    assert_eq!((drift().code, overrides()), (2, Some(1)));
    let numbers = |world: &World| {
        let told: serde_json::Value = serde_json::from_str(&world.get_as("ana", "api/v1/drift").1).expect("it is JSON");
        let of = told["sweeps"].as_array().and_then(|all| all.iter().find(|of| of["target"] == "files")).cloned().unwrap_or_default();
        (of["drifted"].as_u64(), of["faults"].as_array().map(Vec::len))
    };
    world.until(|world| numbers(world) == (Some(1), Some(0)));
    for secret in ["app-one", "app-two"] {
        fs::remove_file(world.dir.path().join(secret)).expect("it is there");
    }
    let said = drift();
    assert!(said.code == 1 && said.out.contains("Not looked at: files app/db/password: what it should be is a secret that cannot be read"), "{}{}", said.out, said.err);
    assert!(said.out.contains("no such file") && !said.out.contains("canary"), "{}", said.out);
    world.until(|world| numbers(world).1 == Some(2));
    assert_eq!(numbers(&world).0, Some(1), "what was found still counts: nobody saw it end");
    assert_eq!(overrides(), Some(1), "nobody saw that live is what is asked for");
    let claim = world.trueup("ben", &["override", "claim", "files/key/app/db/password", "--repo", "dns", "--reason", "tonight", "--until", "1d"]);
    assert!(claim.code == 1 && claim.err.contains("cannot be read"), "{}{}", claim.out, claim.err);
    keep(&world, "app-one", "canary-by-hand");
    keep(&world, "app-two", "canary-two-77c1");
    world.until(|world| numbers(world) == (Some(0), Some(0)));
    assert!(drift().out.contains("1 overridden"), "{}", drift().out);
}

#[test]
fn a_version_of_vault_is_planned_and_written_and_a_sealed_vault_is_waited_for() {
    let twin = Twin::start();
    let versions = [serde_json::json!({ "password": "canary-vault-1" }), serde_json::json!({ "password": "canary-vault-2" })];
    let mut held = twin.held.lock().expect("whole");
    held.tokens.push("canary-vault-token".into());
    held.secrets.insert("kv/app".into(), versions.into_iter().map(Some).collect());
    drop(held);
    let mut world = start();
    world.kill();
    keep(&world, "vault.token", "canary-vault-token");
    let text = fs::read_to_string(world.config()).expect("it is there");
    let text = text.replace("users:\n", &format!("vault: {{ address: \"{}\", token: {{ file: vault.token }} }}\nusers:\n", twin.address));
    fs::write(world.config(), text.replace("\"file/tsig*\"", "vault/kv/app*")).expect("the folder is writable");
    world.serve();
    merged(&world, "first", "password: secret://vault/kv/app#password@1\n");
    assert_eq!(key(&world, "db/password").as_deref(), Some("canary-vault-1"));
    twin.held.lock().expect("whole").sealed = true;
    let number = set(&world, "second", "password: secret://vault/kv/app#password@2\n");
    world.until(|world| shown(world, number).contains("is sealed or not ready"));
    assert!(shown(&world, number).contains("config/db.yaml:1:11"), "the place is told: {}", shown(&world, number));
    twin.held.lock().expect("whole").sealed = false;
    say(&world, number, &["plan"]);
    world.wait(number, "awaiting_approval");
    let plan = world.trueup("ana", &["mr", "plan", &number.to_string(), "--repo", "dns"]).ok();
    assert!(plan.contains("secret://vault/kv/app#password (version 2)") && !plan.contains("canary"), "{plan}");
    world.approve(number);
    world.wait(number, "verifying");
    assert_eq!(key(&world, "db/password").as_deref(), Some("canary-vault-2"));
}

#[test]
fn what_was_there_comes_back_from_its_seal_after_a_kill() {
    let mut world = start();
    merged(&world, "one", "password: secret://file/app-one\n");
    let number = set(&world, "two", "password: secret://file/app-two\n");
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.until(|world| key(world, "db/password").as_deref() == Some("canary-two-77c1"));
    // Its provider has lost the old one: only what was sealed brings it back.
    fs::remove_file(world.dir.path().join("app-one")).expect("it is there");
    world.kill();
    world.serve();
    say(&world, number, &["restore"]);
    world.wait(number, "restored");
    assert_eq!(key(&world, "db/password").as_deref(), Some("canary-one-0f3a"));
}

#[test]
fn what_a_repository_is_not_given_is_refused_with_the_place() {
    let world = start();
    let refused = |branch: &str, text: &str, words: &[&str]| {
        let number = set(&world, branch, text);
        world.wait(number, "refused");
        let shown = shown(&world, number);
        for word in words {
            assert!(shown.contains(word), "{branch} names `{word}`: {shown}");
        }
        assert!(!shown.contains("canary") && !shown.contains(SEAL_KEY), "{shown}");
    };
    refused("other", "password: secret://file/other\n", &["`secret://file/other` is not given to this repository", "config/db.yaml:1:11"]);
    refused("env", "password: secret://env/PATH\n", &["`secret://env/PATH` is not given"]);
    refused("own", "password: secret://file/tsig.key\n", &["`secret://file/tsig.key` is not given"]);
    refused("out", "a: 1\npassword: secret://file/app-/../other\n", &["a path is names between single `/`", "config/db.yaml:2:11"]);
    refused("missing", "password: secret://file/app-three\n", &["no such file", "config/db.yaml:1:11"]);
    let number = world.propose("plain", |world| world.write("config/secret/token", "canary-plain-9b9b"));
    world.wait(number, "refused");
    let shown = shown(&world, number);
    assert!(
        shown.contains("a plain value stands here") && shown.contains("rotate the secret") && shown.contains("config/secret/token:1:1") && !shown.contains("canary"),
        "{shown}"
    );
}

#[test]
fn a_secret_changed_after_the_approval_is_not_written() {
    let world = start();
    let number = set(&world, "refer", "password: secret://file/app-one\n");
    world.wait(number, "awaiting_approval");
    keep(&world, "app-one", "canary-changed-1c1c");
    world.approve(number);
    world.until(|world| world.show(number)["phase"] == "failed");
    let shown = shown(&world, number);
    assert!(shown.contains("is another one now than when the plan was made") && !shown.contains("canary"), "{shown}");
    assert_eq!(key(&world, "db/password"), None);
    say(&world, number, &["plan"]);
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "merged");
    assert_eq!(key(&world, "db/password").as_deref(), Some("canary-changed-1c1c"));
}

#[test]
fn without_a_seal_key_what_is_sensitive_is_not_planned_and_a_lost_one_is_told_at_the_plan() {
    let mut world = start();
    merged(&world, "one", "password: secret://file/app-one\n");
    let number = set(&world, "two", "password: secret://file/app-two\n");
    world.wait(number, "awaiting_approval");
    let with = fs::read_to_string(world.config()).expect("it is there");
    world.kill();
    fs::write(world.config(), with.replace("seal_key: { file: seal.key }\n", "")).expect("the folder is writable");
    world.serve();
    let refused = set(&world, "three", "password: secret://file/app-two\nuser: a\n");
    world.wait(refused, "refused");
    let text = shown(&world, refused);
    assert!(text.contains("has no key to seal its values with") && text.contains("seal_key"), "{text}");
    // A new first key beside the old one: what the old one sealed goes on.
    world.kill();
    keep(&world, "seal2.key", "another key of the tests, long enough");
    fs::write(world.config(), with.replace("seal_key: { file: seal.key }", "seal_key: [{ file: seal2.key }, { file: seal.key }]")).expect("the folder is writable");
    world.serve();
    world.approve(number);
    world.wait(number, "verifying");
    // The old key is gone: there is no way back, and restoring says so.
    world.kill();
    fs::write(world.config(), with.replace("seal_key: { file: seal.key }", "seal_key: { file: seal2.key }")).expect("the folder is writable");
    world.serve();
    say(&world, number, &["restore"]);
    world.until(|world| shown(world, number).contains("cannot be put back"));
    assert_eq!(key(&world, "db/password").as_deref(), Some("canary-two-77c1"));
}
