//! `trueup doctor` against a real name server: what is well, what is wrong and what to do, with nothing written anywhere.

use super::world::{Said, World};
use crate::harness::{DnsServer, KEY_SECRET, WRONG_SECRET};

fn doctor(world: &World, more: &[&str]) -> Said {
    world.trueup("ana", &[&["doctor", "--config", &world.config().display().to_string()], more].concat())
}

/// The lines that begin so, without what begins them.
fn lines<'a>(said: &'a Said, start: &str) -> Vec<&'a str> {
    said.out.lines().filter_map(|line| line.strip_prefix(start)).collect()
}

fn configure(world: &World, edits: &[(&str, &str)]) {
    let mut text = std::fs::read_to_string(world.config()).expect("the configuration is there");
    for (old, new) in edits {
        assert!(text.contains(old), "`{old}` is in\n{text}");
        text = text.replace(old, new);
    }
    std::fs::write(world.config(), text).expect("the folder is writable");
}

#[test]
fn a_server_that_is_well_is_said_to_be_and_nothing_is_written() {
    let world = World::start();
    let serial = || world.dns.dig(&[&world.zones[0], "SOA", "+short"]);
    let (before, live) = (serial(), world.live());
    let said = doctor(&world, &[]);
    assert_eq!((said.code, lines(&said, "fail")), (0, Vec::new()), "{}{}", said.out, said.err);
    for about in [
        "configuration:",
        "secrets: 6 can be read",
        "data folder:",
        "git: git version 2.",
        "repository dns: protected branch: `main`",
        "repository dns: desired state: 4 resources in 1 units",
        "repository dns: grants:",
        "repository dns: approvals:",
        "target inside: reach:",
        "target inside: key:",
        "target inside: clock: the name server's clock differs from this host's by",
        "target inside: zones: 1 zone served",
        "target inside: transfer: 1 zone may be transferred",
        "target inside: update: 1 zone may be updated",
        &format!("target inside: name server {}: answers for 1 zone", world.dns.addr),
    ] {
        assert!(lines(&said, "ok    ").iter().any(|line| line.starts_with(about)), "`{about}` is ok in\n{}", said.out);
    }
    let json = doctor(&world, &["--json"]).json();
    assert_eq!((json["version"].as_u64(), json["ok"].as_bool()), (Some(1), Some(true)));
    assert_eq!((serial(), world.live()), (before, live), "nothing was written");
}

#[test]
fn what_is_wrong_is_told_with_what_to_do_and_no_secret_is_printed() {
    let mut world = World::start_with("  approvals:\n    - when: plan.deletes > 0\n      count: 4\n");
    let number = world.propose("more", |world| {
        world.write("zones/elsewhere.test.yaml", "a: {type: A, value: 192.0.2.5}\n");
    });
    world.wait(number, "refused");
    world.kill();
    let update = world.dir.path().join("data/repos/dns.git/hooks/update");
    std::fs::remove_file(update).expect("the hook is there");
    let missing = world.dir.path().join("cleo.token");
    std::fs::remove_file(missing).expect("the token is there");
    let work = world.work().display().to_string();
    let said = doctor(&world, &[]);
    assert_eq!(said.code, 1, "{}", said.out);
    let told = |about: &str, what: &str| {
        let lines = lines(&said, "fail  ");
        assert!(lines.iter().any(|line| line.starts_with(about) && line.contains(what) && line.contains("; ")), "`{about}` says `{what}` in\n{}", said.out);
    };
    told("secret: token of cleo:", "no such file");
    told("repository dns: protected branch:", "pushes reach `main`");
    told("repository dns: approvals:", "the rule `plan.deletes > 0` asks 4 of anyone who may approve, and 3 of them may");
    // The branch that asks for more, from a checkout: a zone nobody granted and the server does not have.
    world.git(&world.work(), &["branch", "-q", "-f", "main", "more"]).ok();
    let said = doctor(&world, &["--repo", &work, "--json"]);
    let told: Vec<String> = serde_json::from_str::<serde_json::Value>(&said.out).expect("JSON")["checks"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|check| check["found"] == "fail")
        .map(|check| format!("{}: {}", check["about"].as_str().unwrap_or_default(), check["said"].as_str().unwrap_or_default()))
        .collect();
    assert!(told.iter().any(|line| line.starts_with("repository dns: grants: 1 units are not granted, the first: elsewhere.test. on inside")), "{told:#?}");
    assert!(told.iter().any(|line| line.starts_with("target inside: zones:") && line.contains("elsewhere.test.")), "{told:#?}");
    // A key that the server does not take.
    std::fs::write(world.dir.path().join("tsig.key"), WRONG_SECRET).expect("the folder is writable");
    let said = doctor(&world, &["--repo", &work]);
    assert!(lines(&said, "fail  target inside: key:").iter().any(|line| line.contains("but not this secret") && line.contains("compare the secret")), "{}", said.out);
    for text in [&said.out, &said.err] {
        assert!(!text.contains(WRONG_SECRET) && !text.contains(KEY_SECRET) && !text.contains("ana-token"), "{text}");
    }
}

#[test]
fn a_zone_that_may_not_be_transferred_or_updated_and_a_server_that_is_away_are_told() {
    let world = World::start();
    let closed = DnsServer::start_bind();
    closed.add_closed_zone(&world.zones[0], "");
    let away = crate::harness::free_port();
    let address = format!("address: {}", world.dns.addr);
    configure(&world, &[(&address, &format!("address: {}", closed.addr)), ("nameservers: [", &format!("nameservers: [127.0.0.1:{away}, "))]);
    let said = doctor(&world, &[]);
    assert_eq!(said.code, 1);
    let fails = lines(&said, "fail  ");
    let told = |about: &str, what: &str| assert!(fails.iter().any(|line| line.starts_with(about) && line.contains(what)), "`{about}` says `{what}` in\n{}", said.out);
    told("target inside: transfer:", "allow-transfer");
    told("target inside: update:", "allow-update");
    told(&format!("target inside: name server 127.0.0.1:{away}:"), "no connection");
    configure(&world, &[(&format!("address: {}", closed.addr), &format!("address: 127.0.0.1:{away}"))]);
    let said = doctor(&world, &[]);
    assert!(lines(&said, "fail  target inside: reach:").iter().any(|line| line.contains("no connection")), "{}", said.out);
    std::fs::write(world.config(), "data: d\nlisten: nowhere\n").expect("the folder is writable");
    let said = doctor(&world, &[]);
    assert!(said.code == 1 && lines(&said, "fail  configuration:").iter().any(|line| line.contains("server.yaml:2")), "{}", said.out);
}
