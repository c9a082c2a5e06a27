//! Stories of drift: what somebody changed by hand is found, told and counted, and nothing else is.

use super::{
    config,
    world::{Said, World},
};
use crate::harness::DnsServer;
use std::fs;

/// `trueup drift` as ana.
fn drift(world: &World, more: &[&str]) -> Said {
    world.trueup("ana", &[&["drift", "--repo", "dns"], more].concat())
}

/// Sets www by hand.
fn www_by_hand(world: &World, address: &str) {
    let www = format!("www.{}", world.zones[0]);
    world.dns.by_hand(&world.zones[0], &format!("update delete {www} A\nupdate add {www} 300 A {address}"));
}

#[test]
fn drift_is_found_told_in_three_forms_and_counted_by_the_exit_code() {
    let world = World::start();
    let said = drift(&world, &[]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.out.contains("No drift: 4 resources compared"), "{}", said.out);
    // What nobody ever asked for is a neighbour and no drift.
    let zone = &world.zones[0];
    world.dns.by_hand(zone, &format!("update add stray.{zone} 300 A 192.0.2.99"));
    assert_eq!(drift(&world, &[]).code, 0);
    www_by_hand(&world, "192.0.2.200");
    world.dns.by_hand(zone, &format!("update delete mail.{zone} A"));
    let text = drift(&world, &[]);
    assert_eq!(text.code, 2, "{}{}", text.out, text.err);
    for part in ["www", "asked  300 192.0.2.1", "live   300 192.0.2.200", "mail", "(missing)", "Drift: 2 of 4 resources compared", &world.zone_file()] {
        assert!(text.out.contains(part), "`{part}` is told:\n{}", text.out);
    }
    let markdown = drift(&world, &["-o", "markdown"]).out;
    assert!(markdown.contains("live `300 192.0.2.200`") && markdown.contains("live nothing"), "{markdown}");
    let json = drift(&world, &["-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).expect("it is JSON");
    assert_eq!((json["version"].as_u64(), json["summary"]["drifted"].as_u64(), json["drift"].as_array().map(Vec::len)), (Some(1), Some(2), Some(2)), "{json}");
    // Narrowed.
    assert_eq!(drift(&world, &["--unit", "other.test."]).code, 0);
    assert_eq!(drift(&world, &["*/www/*"]).out.matches("(changed)").count(), 1);
    assert_eq!(drift(&world, &["*/ns1/*"]).code, 0);
    let unknown = drift(&world, &["--target", "outside"]);
    assert!(unknown.code == 1 && unknown.err.contains("`inside`"), "the targets there are, are named: {}", unknown.err);
    // A reader may not have live systems read.
    let reader = world.trueup("root", &["drift", "--repo", "dns"]);
    assert_eq!(reader.code, 2, "an admin may: {}", reader.err);
}

#[test]
fn what_an_open_change_wrote_is_told_as_ahead_and_what_differs_from_that_is_drift() {
    let world = World::start_with("  window: 30m\n");
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "verifying");
    let said = drift(&world, &[]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.out.contains(&format!("1 resource ahead of base by the open change `dns!{number}`")), "{}", said.out);
    // Without the server nobody knows of it, and the base it is compared with is said.
    let alone = world
        .trueup("ana", &["drift", "--config", &world.config().display().to_string(), "--checkout", &world.work().display().to_string(), "--base", "origin/main", "--repo", "dns"]);
    assert!(alone.code == 2 && alone.out.contains("live   300 192.0.2.77"), "{}{}", alone.out, alone.err);
    // The old content put back by hand is drift from what the open change wrote.
    www_by_hand(&world, "192.0.2.1");
    let said = drift(&world, &[]);
    assert_eq!(said.code, 2, "{}{}", said.out, said.err);
    assert!(said.out.contains("asked  300 192.0.2.77") && said.out.contains(&format!("open change `dns!{number}`")), "{}", said.out);
}

#[test]
fn a_target_that_is_down_is_a_fault_of_its_own_part_and_the_rest_is_told() {
    let dns: &'static DnsServer = Box::leak(Box::new(DnsServer::start_bind()));
    let world = config::with_files(World::start_behind(dns, dns.addr));
    config::govern(&world);
    fs::write(config::folder(&world).join("app/host"), "by hand").expect("the folder is writable");
    dns.stop();
    let said = drift(&world, &[]);
    assert_eq!(said.code, 1, "the answer is not whole: {}{}", said.out, said.err);
    assert!(said.out.contains("app/host") && said.out.contains("live   by hand"), "what answers is told: {}", said.out);
    assert!(said.out.contains("Not looked at: inside"), "what does not is named: {}", said.out);
    assert_eq!(drift(&world, &["--target", "files"]).code, 2, "asked about what answers, the answer is whole");
}

#[test]
fn what_policy_hides_is_said_to_differ_and_never_shown() {
    let world = World::start_with("  sensitive: [\"*/www/A\"]\n  ignore: [\"*/mail/A\"]\n");
    www_by_hand(&world, "192.0.2.213");
    world.dns.by_hand(&world.zones[0], &format!("update delete mail.{} A", world.zones[0]));
    for form in ["text", "json", "markdown"] {
        let said = drift(&world, &["-o", form]);
        assert_eq!(said.code, 2, "{}{}", said.out, said.err);
        assert!(!said.out.contains("192.0.2.213") && said.out.contains("(sensitive)"), "{}", said.out);
    }
    assert!(drift(&world, &[]).out.contains("1 resource ignored by policy"));
}
